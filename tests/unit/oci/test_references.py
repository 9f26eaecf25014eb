from __future__ import annotations

import pytest

from pluginyard.errors import RequestError
from pluginyard.oci import Destination, parse_destination, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "namespace"),
    [
        ("registry.example.com/plugins", "registry.example.com", "plugins"),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b"),
        ("[::1]:5000/a", "[::1]:5000", "a"),
        ("docker://ghcr.io/acme/plugins", "ghcr.io", "acme/plugins"),
        ("oci://ghcr.io/acme/plugins", "ghcr.io", "acme/plugins"),
        ("OCI://127.0.0.1:5000/a", "127.0.0.1:5000", "a"),
        ("https://registry.example.com/plugins", "registry.example.com", "plugins"),
        ("http://localhost:5000/plugins", "localhost:5000", "plugins"),
        ("oci:./out", "", "./out"),
        ("oci:/", "", "/"),
        ("oci:/srv/layout", "", "/srv/layout"),
        ("oci:relative/layout/", "", "relative/layout"),
    ],
)
def test_a_destination_is_a_namespace_or_a_folder(text: str, host: str, namespace: str) -> None:
    assert parse_destination(text) == Destination(host, namespace)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("ftp://registry.example.com/plugins", "oci://, http:// or https://"),
        ("oci:///srv/layout", "oci:PATH"),
        ("oci://", "HOST/NAMESPACE"),
        ("oci://registry.example.com", "HOST/NAMESPACE"),
        ("https://", "HOST/NAMESPACE"),
        ("https:registry.example.com/plugins", "HOST/NAMESPACE"),
        ("oci://oci://registry.example.com/plugins", "HOST/NAMESPACE"),
        ("file:///srv/layout", "oci:PATH"),
        ("./out", "oci:PATH"),
        ("registry.example.com/plugins?x=1", "try plugins-x-1"),
        (" registry.example.com/plugins", "HOST/NAMESPACE"),
        ("registry.example.com/plugins\n", "try plugins"),
        ("oci:/srv\nok: published", "oci:PATH"),
        ("oci:\0", "oci:PATH"),
        ("registry.example.com", "HOST/NAMESPACE"),
        ("registry.example.com/", "HOST/NAMESPACE"),
        ("/plugins", "HOST/NAMESPACE"),
        ("registry.example.com/Plugins", "try plugins"),
        ("registry.example.com/a//b", "choose another"),
        ("oci:", "oci:PATH"),
        ("user:pw@host/x", "HOST/NAMESPACE"),
        ("a..b/x", "HOST/NAMESPACE"),
        (f"{'a' * 64}.example.com/x", "HOST/NAMESPACE"),
        ("host-/x", "HOST/NAMESPACE"),
        ("host:65536/x", "HOST/NAMESPACE"),
    ],
)
def test_what_is_no_destination_is_refused(text: str, remedy: str) -> None:
    with pytest.raises(RequestError) as refusal:
        parse_destination(text)
    assert remedy in refusal.value.remedy


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("r.example.com:5000/plugins/a:1.0.0", "plugins/a", "1.0.0", ""),
        ("r.example.com:5000/plugins/a", "plugins/a", "latest", ""),
        (f"r.example.com/a@{DIGEST}", "a", "", DIGEST),
        (f"r.example.com/a:1.0.0@{DIGEST}", "a", "1.0.0", DIGEST),
        ("oci://r.example.com:5000/plugins/a:1.0.0", "plugins/a", "1.0.0", ""),
        ("https://r.example.com/plugins/a", "plugins/a", "latest", ""),
        (f"docker://r.example.com/a@{DIGEST}", "a", "", DIGEST),
        ("oci:/srv/layout:a-1.0.0", "", "a-1.0.0", ""),
        ("oci:/srv/a@b:a-1.0.0", "", "a-1.0.0", ""),
        (f"oci:/srv/a@b@{DIGEST}", "", "", DIGEST),
        (f"oci:/srv/layout@{DIGEST}", "", "", DIGEST),
    ],
)
def test_a_reference_names_a_tag_or_a_digest(text: str, repository: str, tag: str, digest: str) -> None:
    found = parse_reference(text)
    assert (found.repository, found.tag, found.digest) == (repository, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "oci://r.example.com",
        "ftp://r.example.com/a:1",
        f"oci:/srv/layout@{DIGEST}0",
        "oci:/srv\x1b[2J:a-1",
        "r.example.com/a:b c",
        "r.example.com/a@sha256:1",
        "oci:/srv/layout",
        "a",
        "r.example.com/A:1",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        parse_reference(text)


def test_a_name_alone_is_told_the_form_of_a_reference() -> None:
    with pytest.raises(RequestError) as refusal:
        parse_reference("request-block:1.0.0")
    assert refusal.value.subject == "request-block:1.0.0"
    assert "HOST/REPOSITORY[:TAG|@DIGEST]" in refusal.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "user:s3cret@host/x",
        "https://user:s3cret@host/x",
        "docker://user:s3cret@host/x:1",
        "user:s3cr@et@host/x:1",
        "user:s3/cret@host/x",
        f"user:s3cret@host/x@{DIGEST}",
        "user:s3cret@sha256:1@host/x",
        "oci://user:s3cret@host/x",
    ],
)
def test_a_password_in_a_reference_is_refused_and_repeated_nowhere(text: str) -> None:
    for parse in (parse_destination, parse_reference):
        with pytest.raises(RequestError, match="holds no user or password") as refusal:
            parse(text)
        assert "cret" not in f"{refusal.value!r} {refusal.value}"
        assert "host/x" in refusal.value.subject
        assert "environment" in refusal.value.remedy


def test_a_layout_folder_may_have_an_at_in_its_path() -> None:
    assert parse_destination("oci:/srv/a@b").namespace == "/srv/a@b"


def test_a_layout_folder_names_plugin_and_version_in_one_tag_that_reads_back() -> None:
    written = parse_destination("oci:/srv/layout").artifact("request-block", "1.0.0")
    assert str(written) == "oci:/srv/layout:request-block-1.0.0"
    assert parse_reference(str(written)).layout_tag == written.layout_tag


def test_the_scheme_of_an_address_says_how_its_registry_is_spoken_to_and_is_no_part_of_its_name() -> None:
    for text, scheme in (("http://r/a", "http"), ("https://r/a", "https"), ("oci://r/a", ""), ("r/a", "")):
        found = parse_destination(text)
        assert found.scheme == scheme
        assert (str(found), found) == ("r/a", Destination("r", "a"))
        assert parse_reference(f"{text}:1").destination.scheme == scheme

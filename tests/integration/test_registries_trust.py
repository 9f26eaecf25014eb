"""Who never gets to know a password."""

from __future__ import annotations

import base64
import io
import logging
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from pluginyard.errors import PluginyardError, RegistryError
from pluginyard.oci import Destination
from tasks.doors.registries import Access, ArtifactRepository, Credentials, open_repository, push_version
from tests.machine.artifacts import FAST, Place, make_artifact, new_name
from tests.machine.certificates import make_certificate
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import PASSWORD, USERNAME, RunningRegistry

RIGHT = Credentials(USERNAME, PASSWORD, "the test")
WRONG = Credentials(USERNAME, "wrong-s3cret", "the test")


def through(proxy: FaultyProxy, credentials: Credentials | None, access: Access = FAST) -> ArtifactRepository:
    return open_repository(Destination(proxy.host, "team/plugins"), new_name(), access, credentials)


def test_the_text_of_a_basic_realm_is_never_taken_for_an_address(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry
) -> None:
    with FaultyProxy(basic_registry.host) as trap:
        faulty_proxy.upstream = basic_registry.host
        realm = {"WWW-Authenticate": f'Basic realm="http://{trap.host}/token"'}
        faulty_proxy.fail(Fault("header", path="/v2/$", headers=realm))
        assert through(faulty_proxy, RIGHT).log_in() == "the test"
        assert trap.seen == []


def test_an_upload_that_is_sent_to_another_host_goes_there_without_the_password(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry
) -> None:
    artifact = make_artifact(new_name())
    with FaultyProxy(basic_registry.host) as other:
        other.fail(Fault("status", status=201, times=9))
        faulty_proxy.upstream = basic_registry.host
        faulty_proxy.fail(Fault("header", method="POST", headers={"Location": f"http://{other.host}/up?x=1"}))
        through(faulty_proxy, RIGHT).push_blob(artifact.archive, artifact.blobs[artifact.archive.digest])
        assert [(seen.method, seen.authorization) for seen in other.seen] == [("PUT", "")]


def test_a_redirect_to_another_host_is_followed_without_the_password(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry
) -> None:
    artifact = make_artifact(new_name())
    archive, content = artifact.archive, artifact.contents[artifact.archive.digest]
    with FaultyProxy(basic_registry.host) as other:
        other.fail(Fault("status", status=200, body=content))
        faulty_proxy.upstream = basic_registry.host
        moved = {"Location": f"http://{other.host}/storage?signature=abc"}
        faulty_proxy.fail(Fault("status", path="/blobs/", status=307, headers=moved))
        target = io.BytesIO()
        through(faulty_proxy, RIGHT).pull_blob(archive, target)
        assert target.getvalue() == content
        assert [seen.authorization for seen in other.seen] == [""]


def test_a_list_of_tags_that_goes_on_at_another_host_is_refused(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry, open_registry: RunningRegistry
) -> None:
    with FaultyProxy(open_registry.host) as other:
        link = {"Link": f'<http://{other.host}/v2/x/tags/list?last=a>; rel="next"'}
        faulty_proxy.fail(Fault("status", status=200, headers=link, body=b'{"tags": ["a"]}'))
        with pytest.raises(RegistryError, match="another host"):
            through(faulty_proxy, None).list_tags()
        assert other.seen == []


def test_long_lists_of_tags_are_read_to_the_end(faulty_proxy: FaultyProxy) -> None:
    link = {"Link": '</v2/x/tags/list?last=a>; rel="next"'}
    faulty_proxy.fail(Fault("status", path="tags/list$", status=200, headers=link, body=b'{"tags": ["a"]}'))
    faulty_proxy.fail(Fault("status", path="last=a", status=200, body=b'{"tags": ["b"]}'))
    assert through(faulty_proxy, None).list_tags() == ("a", "b")


@pytest.mark.parametrize("body", [b'{"tags": ["a"]}', b'{"tags": null}'])
def test_a_list_of_tags_that_leads_back_to_itself_is_refused(faulty_proxy: FaultyProxy, body: bytes) -> None:
    link = {"Link": '</v2/x/tags/list?last=a>; rel="next"'}
    faulty_proxy.fail(Fault("status", status=200, headers=link, body=body, times=99))
    with pytest.raises(RegistryError, match="does not end"):
        through(faulty_proxy, None).list_tags()
    assert faulty_proxy.count() == 2


def test_a_list_of_tags_that_always_goes_on_elsewhere_is_refused(
    faulty_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.doors.registries.client.registry.MOST_PAGES", 5)
    pages = (
        Fault("status", status=200, headers={"Link": f'</v2/x?last={n}>; rel="next"'}, body=b'{"tags": []}')
        for n in range(9)
    )
    faulty_proxy.fail(*pages)
    with pytest.raises(RegistryError, match="does not end"):
        through(faulty_proxy, None).list_tags()
    assert faulty_proxy.count() == 5


def test_a_password_does_not_go_to_a_token_service_in_the_clear(
    token_registry: RunningRegistry, tmp_path: Path
) -> None:
    assert token_registry.tokens
    certificate, key, _ = make_certificate(tmp_path)
    before = len(token_registry.tokens.asked)
    with (
        FaultyProxy(token_registry.host, certificate, key) as proxy,
        pytest.raises(RegistryError, match="plain HTTP"),
    ):
        through(proxy, RIGHT, Access(ca_bundle=str(certificate))).log_in()
    assert len(token_registry.tokens.asked) == before


def test_a_registry_behind_a_tls_proxy_that_names_itself_with_http_is_used_with_https(
    basic_registry: RunningRegistry, tmp_path: Path
) -> None:
    certificate, key, _ = make_certificate(tmp_path)
    name = new_name()
    artifact = make_artifact(name)
    with FaultyProxy(basic_registry.host, certificate, key) as proxy:
        place = Place(Destination(proxy.host, "team"), Access(ca_bundle=str(certificate)), RIGHT)
        assert push_version(place.open(name), artifact.manifest, artifact.blobs, "1.0.0") == "published"
        assert all(seen.authorization for seen in proxy.seen if seen.method == "PUT")


def test_what_stands_in_netrc_is_not_sent(
    faulty_proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password netrc-s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    through(faulty_proxy, None).find_manifest("1.0.0")
    assert not any(seen.authorization for seen in faulty_proxy.seen)


@pytest.mark.parametrize("credentials", [RIGHT, WRONG], ids=["right", "wrong"])
@pytest.mark.parametrize("kind", ["basic", "token"])
def test_no_secret_is_in_any_error_or_log(
    kind: str,
    credentials: Credentials,
    request: pytest.FixtureRequest,
    faulty_proxy: FaultyProxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    faulty_proxy.upstream = request.getfixturevalue(f"{kind}_registry").host
    basic = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
    echo = f"you sent {basic}, that is {credentials.password}".encode()
    faults = [
        Fault("status", method="GET", path="/manifests/", status=400, body=echo),
        Fault("status", method="GET", path="/manifests/", status=403, body=echo),
        Fault("drop", method="GET", path="/manifests/", times=FAST.attempts),
        Fault("silence", method="GET", path="/manifests/", times=1),
    ]
    texts = [repr(credentials), str(credentials)]
    with caplog.at_level(logging.DEBUG):
        for fault in faults:
            faulty_proxy.fail(fault)
            access = replace(FAST, attempts=2, read_seconds=0.5)
            try:
                through(faulty_proxy, credentials, access).find_manifest("1.0.0")
            except PluginyardError as error:
                texts += ["".join(traceback.format_exception(error)), repr(error), error.remedy]
    assert len(texts) > 8
    sent = {seen.authorization.partition(" ")[2] for seen in faulty_proxy.seen} - {""}
    assert bool(sent) or kind == "token"
    for secret in {credentials.password, basic, *sent}:
        assert secret not in "\n".join(texts)
        assert secret not in caplog.text

"""What an answer of a registry means is decided from its status and its words."""

from __future__ import annotations

import pytest

from pluginyard.errors import AuthenticationError, RegistryError
from pluginyard.oci import AbsentError, ErrorAnswer, RegistryBusyError, error_of, error_of_other, is_done, parse_tags

NO_MANIFEST = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
BODIES = [b"", b"<html>", b"not found", b'{"detail":"x"}', b'{"errors":3}', b"\xff", b"[" * 99_999, NO_MANIFEST]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", [404, 410])
def test_of_what_is_read_a_404_means_absence_whatever_its_body_is(status: int, body: bytes) -> None:
    assert type(error_of(ErrorAnswer(status, body), "r/x", "GET")) is AbsentError
    assert type(error_of(ErrorAnswer(status, body), "r/x", "PUT")) is RegistryError


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, RegistryError) for status in (400, 405, 413)),
        *((status, AuthenticationError) for status in (401, 403)),
        *((status, RegistryBusyError) for status in (408, 429, 503)),
    ],
)
@pytest.mark.parametrize("body", [body for body in BODIES if body != NO_MANIFEST])
def test_any_other_status_is_what_it_is_whatever_its_body_is(status: int, kind: type, body: bytes) -> None:
    assert type(error_of(ErrorAnswer(status, body), "r/x")) is kind


def test_a_code_says_absence_too_but_for_who_is_refused() -> None:
    assert type(error_of(ErrorAnswer(400, NO_MANIFEST), "r/x")) is AbsentError
    assert type(error_of(ErrorAnswer(403, NO_MANIFEST), "r/x")) is AuthenticationError


def test_the_registry_s_words_are_quoted_short_on_one_line_and_without_secrets() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"s3cret\\n\\u001b[2Jok: published\\u202e %s"}]}' % (b"a" * 999)
    message = error_of(ErrorAnswer(400, body), "r/x", secrets=["s3cret"]).message
    assert message.startswith("the registry answers 400 (DENIED: *** [2Jok: published ")
    assert message.isprintable()
    assert len(message) < 400
    page = ErrorAnswer(500, b"<html>long</html>", "text/html; charset=utf-8")
    assert error_of(page, "r/x").message == "the registry answers 500"


@pytest.mark.parametrize(("status", "transient"), [(400, False), (401, False), (403, False), (404, False), (503, True)])
def test_an_answer_of_another_host_is_not_the_registry_s(status: int, transient: bool) -> None:
    error = error_of_other(ErrorAnswer(status, b"say s3cret"), "r/x", "storage.example.com")
    assert error.transient is transient
    assert error.message == f"storage.example.com, where the registry sends us, answers {status}"
    assert not isinstance(error, AuthenticationError | AbsentError)
    assert "REGISTRY_USERNAME" not in error.remedy


def test_a_request_is_done_by_the_statuses_that_the_specification_has_for_it() -> None:
    assert is_done("GET", 206)
    assert is_done("PUT", 201)
    assert not any(is_done(method, status) for method in ("GET", "HEAD", "POST", "PUT") for status in (301, 404, 500))
    assert not is_done("GET", 201)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"tags": "abc"}', b'{"tags": {"a": 1}}', b"\xff"])
def test_what_is_no_list_of_tags_is_refused(content: bytes) -> None:
    with pytest.raises(RegistryError, match="no list of tags"):
        parse_tags(content, "r/x")
    assert parse_tags(b'{"tags": null}', "r/x") == []
    assert parse_tags(b'{"tags": ["a", 5, "b"]}', "r/x") == ["a", "b"]

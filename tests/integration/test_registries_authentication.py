"""Who is told the password, how often, and who never is."""

from __future__ import annotations

import base64
import io
import logging
import time
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from pluginyard.errors import AuthenticationError, PluginyardError, RegistryError
from pluginyard.references import Destination
from tasks.doors.registries import Access, Credentials, Repository, open_repository, push_artifact
from tests.machine.artifacts import FAST, Place, make_artifact, new_name, place_in
from tests.machine.certificates import make_certificate
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import PASSWORD, USERNAME, RunningRegistry
from tests.machine.token_service import IDENTITY_TOKEN

RIGHT = Credentials(USERNAME, PASSWORD, "the test")
WRONG = Credentials(USERNAME, "wrong-s3cret", "the test")


def through(proxy: FaultyProxy, credentials: Credentials | None, access: Access = FAST) -> Repository:
    return open_repository(Destination(proxy.host, "team/plugins"), new_name(), access, credentials)


def with_wrong_password(registry: RunningRegistry) -> Repository:
    return replace(place_in(registry), credentials=WRONG).open(new_name())


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_a_wrong_password_fails_once_fast_and_with_the_registrys_name(
    kind: str, request: pytest.FixtureRequest
) -> None:
    registry: RunningRegistry = request.getfixturevalue(f"{kind}_registry")
    started = time.monotonic()
    with pytest.raises(AuthenticationError) as caught:
        with_wrong_password(registry).log_in()
    assert time.monotonic() - started < 2
    assert registry.host in str(caught.value)
    assert "the test" in str(caught.value)
    assert caught.value.exit_code == 7
    assert not caught.value.transient


def test_a_wrong_password_is_sent_once_however_often_we_are_called(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry
) -> None:
    faulty_proxy.upstream = basic_registry.host
    repository = through(faulty_proxy, WRONG)
    artifact = make_artifact(new_name())
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            push_artifact(repository, artifact.manifest, artifact.blobs, "1.0.0")
    assert sum(bool(seen.authorization) for seen in faulty_proxy.seen) == 1


def test_a_wrong_password_is_sent_to_the_token_service_once(token_registry: RunningRegistry) -> None:
    assert token_registry.tokens
    before = len(token_registry.tokens.asked)
    repository = with_wrong_password(token_registry)
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            repository.log_in()
    assert len(token_registry.tokens.asked) == before + 1


def test_a_push_asks_for_a_token_that_allows_it(token_registry: RunningRegistry) -> None:
    """oras-py reuses the pull token of its first question for the push, and is refused."""
    assert token_registry.tokens
    before = len(token_registry.tokens.asked)
    name = new_name()
    artifact = make_artifact(name)
    repository = place_in(token_registry).open(name)
    repository.log_in()
    push_artifact(repository, artifact.manifest, artifact.blobs, "1.0.0")
    asked = [entry["scopes"] for entry in token_registry.tokens.asked[before:]]
    assert asked == [[f"repository:team/plugins/{name}:pull,push"]]


def test_an_expired_token_is_renewed_without_a_word(token_registry: RunningRegistry) -> None:
    assert token_registry.tokens
    name = new_name()
    artifact = make_artifact(name)
    repository = place_in(token_registry).open(name)
    token_registry.tokens.expires_in_truth = -58  # docker-registry takes it for two seconds more
    try:
        repository.log_in()
    finally:
        token_registry.tokens.expires_in_truth = 300
    before = len(token_registry.tokens.asked)
    time.sleep(3.2)
    assert push_artifact(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
    assert len(token_registry.tokens.asked) == before + 1


def test_tokens_that_live_shortly_are_asked_for_in_time(token_registry: RunningRegistry) -> None:
    assert token_registry.tokens
    token_registry.tokens.lifetime = 1
    try:
        repository = place_in(token_registry).open(new_name())
        repository.find_manifest("1.0.0")
        before = len(token_registry.tokens.asked)
        time.sleep(0.6)
        repository.find_manifest("1.0.0")
        assert len(token_registry.tokens.asked) == before + 1
    finally:
        token_registry.tokens.lifetime = 300


def test_a_stranger_may_pull_from_the_token_registry_and_not_push(token_registry: RunningRegistry) -> None:
    name = new_name()
    artifact = make_artifact(name)
    place = place_in(token_registry)
    push_artifact(place.open(name), artifact.manifest, artifact.blobs, "1.0.0")
    stranger = replace(place, credentials=None).open(name)
    assert stranger.find_manifest("1.0.0") == artifact.manifest
    target = io.BytesIO()
    stranger.pull_blob(artifact.archive, target)
    assert target.getvalue() == artifact.contents[artifact.archive.digest]
    with pytest.raises(AuthenticationError, match="anonymously") as caught:
        stranger.log_in()
    assert "REGISTRY_USERNAME" in caught.value.remedy


def test_a_stranger_is_told_what_to_set(basic_registry: RunningRegistry) -> None:
    with pytest.raises(AuthenticationError, match="anonymously") as caught:
        replace(place_in(basic_registry), credentials=None).open(new_name()).find_manifest("1.0.0")
    assert "REGISTRY_USERNAME" in caught.value.remedy


def test_an_identity_token_takes_the_place_of_the_password(token_registry: RunningRegistry) -> None:
    name = new_name()
    artifact = make_artifact(name)
    credentials = Credentials("<token>", IDENTITY_TOKEN, "docker credential store")
    repository = replace(place_in(token_registry), credentials=credentials).open(name)
    assert repository.log_in() == "docker credential store"
    assert push_artifact(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
    with pytest.raises(AuthenticationError):
        replace(place_in(token_registry), credentials=replace(credentials, password="old")).open(name).log_in()


def test_a_token_service_that_fails_and_then_works_is_asked_again(
    faulty_proxy: FaultyProxy, token_registry: RunningRegistry
) -> None:
    assert token_registry.tokens
    service = token_registry.tokens.realm.removeprefix("http://").removesuffix("/token")
    with FaultyProxy(service) as before_service:
        before_service.fail(Fault("status", status=503), Fault("drop"))
        realm = f'Bearer realm="http://{before_service.host}/token",service="registry.test"'
        faulty_proxy.upstream = token_registry.host
        faulty_proxy.fail(Fault("header", path="/v2/$", headers={"WWW-Authenticate": realm}))
        assert through(faulty_proxy, RIGHT, replace(FAST, attempts=4)).log_in() == "the test"
        assert before_service.count() == 3


def test_credentials_that_nobody_asked_for_are_not_sent(faulty_proxy: FaultyProxy) -> None:
    assert through(faulty_proxy, RIGHT).log_in() == "anonymous"
    assert not any(seen.authorization for seen in faulty_proxy.seen)


def test_whoever_has_credentials_shows_them_with_the_first_question(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry
) -> None:
    """Some registries call private content absent, instead of asking who we are."""
    faulty_proxy.upstream = basic_registry.host
    through(faulty_proxy, RIGHT).find_manifest("1.0.0")
    first = faulty_proxy.seen[0]
    assert (first.path, first.authorization) == ("/v2/", "")
    assert all(seen.authorization for seen in faulty_proxy.seen[1:])


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
        assert push_artifact(place.open(name), artifact.manifest, artifact.blobs, "1.0.0") == "published"
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

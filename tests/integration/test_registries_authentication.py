"""Who is told the password, and how often."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pluginyard.errors import AuthenticationError, RegistryError
from pluginyard.oci import Destination
from pluginyard.settings import Site
from tasks.doors.registries import (
    Access,
    ArtifactRepository,
    Connection,
    Credentials,
    open_remote,
    open_repository,
    push_version,
)
from tasks.registries import Registries
from tests.machine.artifacts import FAST, make_artifact, new_name, place_in
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import PASSWORD, USERNAME, RunningRegistry
from tests.machine.token_service import IDENTITY_TOKEN

RIGHT = Credentials(USERNAME, PASSWORD, "the test")
WRONG = Credentials(USERNAME, "wrong-s3cret", "the test")


def through(proxy: FaultyProxy, credentials: Credentials | None, access: Access = FAST) -> ArtifactRepository:
    return open_repository(Destination(proxy.host, "team/plugins"), new_name(), access, credentials)


def with_wrong_password(registry: RunningRegistry) -> ArtifactRepository:
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
            push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    assert sum(bool(seen.authorization) for seen in faulty_proxy.seen) == 1


def test_a_wrong_password_is_sent_to_the_token_service_once(token_registry: RunningRegistry) -> None:
    assert token_registry.tokens
    before = len(token_registry.tokens.asked)
    repository = with_wrong_password(token_registry)
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            repository.log_in()
    assert len(token_registry.tokens.asked) == before + 1


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_a_wrong_password_is_sent_once_for_all_repositories_of_a_host(
    kind: str, request: pytest.FixtureRequest, faulty_proxy: FaultyProxy
) -> None:
    """Once a plugin, and the account would be locked."""
    registry: RunningRegistry = request.getfixturevalue(f"{kind}_registry")
    faulty_proxy.upstream = registry.host
    before = len(registry.tokens.asked) if registry.tokens else 0
    connection = Connection(faulty_proxy.host, FAST, WRONG)
    place = Destination(faulty_proxy.host, "team/plugins")

    def ask(name: str) -> str:
        with pytest.raises(AuthenticationError) as caught:
            open_remote(connection, place, name).find_manifest("1.0.0")
        return caught.value.subject

    names = [new_name() for _ in range(12)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, names)) == [f"{place}/{name}" for name in names]
    connection = connection.anew()
    ask(new_name())
    passwords = [seen for seen in faulty_proxy.seen if seen.authorization.startswith("Basic ")]
    asked = registry.tokens.asked[before:] if registry.tokens else passwords
    assert len(asked) == 1


def test_a_run_sends_a_wrong_password_once_whatever_it_opens(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_USERNAME", USERNAME)
    monkeypatch.setenv("REGISTRY_PASSWORD", "wrong-s3cret")
    faulty_proxy.upstream = basic_registry.host
    now = [0.0]
    registries = Registries(Site(plain_http=(faulty_proxy.host,)), plain_http=False, clock=lambda: now[0])
    place = Destination(faulty_proxy.host, "team/plugins")
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            registries.open(place, new_name()).find_manifest("1.0.0")
        now[0] += 1000  # its connections are opened anew
    assert sum(bool(seen.authorization) for seen in faulty_proxy.seen) == 1


def test_a_password_that_was_taken_is_not_held_back_by_one_repository(
    faulty_proxy: FaultyProxy, basic_registry: RunningRegistry
) -> None:
    """Some registries answer 401 where only the rights are missing."""
    faulty_proxy.upstream = basic_registry.host
    connection = Connection(faulty_proxy.host, FAST, RIGHT)
    place = Destination(faulty_proxy.host, "team/plugins")
    opened = [open_remote(connection, place, new_name()) for _ in range(3)]
    assert opened[0].find_manifest("1.0.0") is None
    no = Fault("status", status=401, path=opened[1].name, headers={"WWW-Authenticate": "Basic realm=x"}, times=9)
    faulty_proxy.fail(no)
    with pytest.raises(AuthenticationError):
        opened[1].find_manifest("1.0.0")
    assert opened[2].find_manifest("1.0.0") is None


def test_a_token_service_that_is_offered_beside_basic_is_used(
    faulty_proxy: FaultyProxy, token_registry: RunningRegistry
) -> None:
    """Gitea and Forgejo offer both; the realm of the one is no address of the other."""
    assert token_registry.tokens
    bearer = f'Bearer realm="{token_registry.tokens.realm}",service="registry.test",scope="*"'
    both = {"WWW-Authenticate": f'{bearer}, Basic realm="Gitea Container Registry"'}
    faulty_proxy.upstream = token_registry.host
    faulty_proxy.fail(Fault("header", path="/v2/$", headers=both))
    name = new_name()
    artifact = make_artifact(name)
    repository = through(faulty_proxy, RIGHT)
    assert push_version(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"


@pytest.mark.parametrize("answer", [b"[" * 100_000, b'{"token": 5}', b"[]", b'{"token": "a\\nb"}'])
def test_what_is_no_token_is_an_error_of_ours(
    faulty_proxy: FaultyProxy, token_registry: RunningRegistry, answer: bytes
) -> None:
    with FaultyProxy(token_registry.host) as service:
        service.fail(Fault("status", status=200, body=answer))
        realm = {"WWW-Authenticate": f'Bearer realm="http://{service.host}/token?a=%2F&b",service=x'}
        faulty_proxy.upstream = token_registry.host
        faulty_proxy.fail(Fault("header", path="/v2/$", headers=realm))
        with pytest.raises(RegistryError, match="without a token"):
            through(faulty_proxy, RIGHT).find_manifest("1.0.0")
        assert service.seen[0].path.startswith("/token?a=%2F&b&scope=repository%3A"), "as the registry wrote it"


def test_a_token_that_never_expires_by_its_number_is_used(
    faulty_proxy: FaultyProxy, token_registry: RunningRegistry
) -> None:
    assert token_registry.tokens
    token = token_registry.tokens.grant("GET", {"scope": ["repository:team/plugins/x:pull"]}, "")[1]["token"]
    for seconds in (b"9" * 400, b"1e999", b'"60"', b"null"):
        with FaultyProxy(token_registry.host) as service:
            service.fail(
                Fault("status", status=200, body=b'{"token": "%s", "expires_in": %s}' % (token.encode(), seconds))
            )
            realm = {"WWW-Authenticate": f'Bearer realm="http://{service.host}/token",service=registry.test'}
            faulty_proxy.upstream = token_registry.host
            faulty_proxy.fail(Fault("header", path="/v2/", headers=realm))
            repository = open_repository(Destination(faulty_proxy.host, "team/plugins"), "x", FAST, None)
            if seconds.isdigit():
                with pytest.raises(RegistryError, match="without a token"):
                    repository.find_manifest("1.0.0")
            else:
                assert repository.find_manifest("1.0.0") is None


def test_a_push_asks_for_a_token_that_allows_it(token_registry: RunningRegistry) -> None:
    """oras-py reuses the pull token of its first question for the push, and is refused."""
    assert token_registry.tokens
    before = len(token_registry.tokens.asked)
    name = new_name()
    artifact = make_artifact(name)
    repository = place_in(token_registry).open(name)
    repository.log_in()
    push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
    asked = [entry["scopes"] for entry in token_registry.tokens.asked[before:]]
    assert asked == [[f"repository:team/plugins/{name}:pull,push"]]


def test_a_run_that_will_push_asks_for_that_from_its_first_question(token_registry: RunningRegistry) -> None:
    """Some token services grant nothing on a repository that is not there yet, unless it is for a push."""
    assert token_registry.tokens
    before, name = len(token_registry.tokens.asked), new_name()
    place = place_in(token_registry)
    connection = Connection(token_registry.host, place.access, place.credentials, pushes=True)
    assert open_remote(connection, place.destination, name).find_manifest("1.0.0") is None
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
    assert push_version(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
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
    push_version(place.open(name), artifact.manifest, artifact.blobs, "1.0.0")
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
    assert push_version(repository, artifact.manifest, artifact.blobs, "1.0.0") == "published"
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

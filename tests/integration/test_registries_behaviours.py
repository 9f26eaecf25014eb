"""How registries behave, one row each, and what a publication comes to there.

A row is a real registry behind a proxy that answers as some registry does. Whatever the row, nothing is published
wrongly, and no other origin is sent a credential.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pluginyard.errors import PluginyardError
from pluginyard.oci import Destination
from tasks.doors.registries import (
    Access,
    ArtifactRepository,
    Connection,
    Credentials,
    move_latest,
    open_remote,
    pull_artifact,
    push_version,
)
from tests.machine.artifacts import SampleArtifact, make_artifact, new_name, place_in
from tests.machine.certificates import make_certificate
from tests.machine.faulty_proxy import Fault, FaultyProxy
from tests.machine.registries import PASSWORD, USERNAME, RunningRegistry

ALWAYS = 999
TAG, LATEST, MANIFESTS, LIST = "/manifests/1.0.0$", "/manifests/latest$", "/manifests/", "/tags/list"
BLOBS, UPLOADS = "/blobs/sha256", "/blobs/uploads/"
TOKEN = "/token"
HTML = {"Content-Type": "text/html"}
DENIED = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'
OTHER, SERVICE = "http://other.invalid", "http://service.invalid"
"""Stand for the origins of two more servers, whose ports are known only when they run."""


@dataclass(frozen=True)
class Row:
    """Say how a registry behaves, and what is expected: of the push, of `latest`, of the pull after it."""

    faults: tuple[Fault, ...] = ()
    push: str = "published"
    latest: str = "moved"
    pull: str = "whole"
    kind: str = "open"
    other: tuple[Fault, ...] = ()
    """How another origin answers, where the registry sends us."""
    service: tuple[Fault, ...] = ()
    """How the token service answers, which is asked through a proxy of its own."""
    before: str = ""
    """What stands under the version before: `same` or `different`."""
    mount_from: str = ""


def fault(status: int, method: str = ".*", path: str = ".*", times: int = ALWAYS, **more: object) -> Fault:
    return Fault("status", method=method, path=path, status=status, times=times, **more)  # type: ignore[arg-type]


def absent(status: int, path: str = MANIFESTS, **more: object) -> Fault:
    """Answer in that way where nothing is there."""
    return Fault("instead", method="GET", path=path, status=status, times=ALWAYS, **more)  # type: ignore[arg-type]


def code(name: str) -> bytes:
    return b'{"errors":[{"code":"%s","message":"x"}]}' % name.encode()


def challenge(text: str, times: int = ALWAYS) -> Fault:
    return fault(401, "GET", "/v2/$", times, headers={"WWW-Authenticate": text})


def sent_to_other(method: str, path: str) -> Fault:
    return fault(307, method, path, headers={"Location": f"{OTHER}/storage?signature=a%2Fb"})


UNREADABLE = "RegistryError: other.*, where the registry sends us, answers 403$"
CHALLENGES = {
    "no challenge": Row(),
    "Basic": Row(kind="basic"),
    "Bearer": Row(kind="token"),
    "Basic, its realm an address": Row((challenge(f'Basic realm="{OTHER}/token"', 1),), kind="basic"),
    "Basic in upper case": Row((challenge('BASIC realm="x"', 1),), kind="basic"),
    "Basic without a realm": Row((challenge("Basic", 1),), kind="basic"),
    "Negotiate and Basic": Row((challenge('Negotiate, Basic realm="x"', 1),), kind="basic"),
    "Bearer and Basic": Row(
        (challenge(f'Bearer realm="{SERVICE}/token",service=s, Basic realm="x"', 1),), kind="token"
    ),
    "Basic and Bearer": Row(
        (challenge(f'Basic realm="x", Bearer realm="{SERVICE}/token",service=s', 1),), kind="token"
    ),
    "Bearer, nothing quoted": Row((challenge(f"Bearer realm={SERVICE}/token,service=s", 1),), kind="token"),
    "Bearer in lower case": Row((challenge(f'bearer realm="{SERVICE}/token"', 1),), kind="token"),
    "none, with 401": Row(
        (fault(401),), "AuthenticationError: .*does not say how to authenticate", "none", "none", "basic"
    ),
    "Negotiate alone": Row(
        (challenge("Negotiate"),), "AuthenticationError: .*does not say how", "none", "none", "basic"
    ),
    "Bearer without a realm": Row(
        (challenge("Bearer service=s"),), "RegistryError: .*no usable token service", "none", "none", "token"
    ),
    "a realm of another scheme": Row(
        (challenge('Bearer realm="ftp://h/t"'),), "RegistryError: .*no usable token service", "none", "none", "token"
    ),
    "a realm with a user": Row(
        (challenge('Bearer realm="https://u:p@h/t"'),), "RegistryError: .*no usable token", "none", "none", "token"
    ),
    "only where something is asked for": Row((fault(200, "GET", "/v2/$"),), kind="basic"),
    "a root that is absent": Row((fault(404, "GET", "/v2/$"),)),
    "a root that is forbidden": Row((fault(403, "GET", "/v2/$"),)),
    "a wrong password": Row((challenge('Basic realm="x"'),), "AuthenticationError: .*401", "none", "none", "basic"),
}
REALM = challenge(f'Bearer realm="{SERVICE}/token",service="registry.test"', 1)
TOKENS = {
    "a service that is busy once": Row((REALM,), kind="token", service=(fault(503, times=1),)),
    "a service that is busy once, and says until when": Row(
        (REALM,), kind="token", service=(fault(429, times=1, headers={"Retry-After": "0"}),)
    ),
    "a service that breaks off once": Row((REALM,), kind="token", service=(Fault("drop"),)),
    "a service that stays busy": Row(
        (replace(REALM, times=ALWAYS),),
        "RegistryBusyError: .*token service answers 503",
        *("none", "none", "token"),
        service=(fault(503),),
    ),
    "a service that knows no such user": Row(
        (REALM,), "AuthenticationError: .*refuses the credentials", "none", "none", "token", service=(fault(401),)
    ),
    "a service that grants nothing": Row(
        (REALM,), "AuthenticationError: .*token service refuses .403", "none", "none", "token", service=(fault(403),)
    ),
    "a service that knows a repository once it may be pushed to": Row(
        (replace(REALM, times=ALWAYS),),
        pull="AuthenticationError: .*token service refuses .403",
        kind="token",
        service=(fault(403, path=r"pull(&|$)"),),
    ),
    "a service that grants no push": Row(
        (REALM,),
        "AuthenticationError: .*token service refuses .403",
        *("none", "none", "token"),
        service=(fault(403, path="push"),),
    ),
    "a service that answers HTML": Row(
        (REALM,), "RegistryError: .*200 without a token", "none", "none", "token", service=(fault(200, body=b"<p>"),)
    ),
    "a service that answers no token": Row(
        (REALM,), "RegistryError: .*200 without a token", "none", "none", "token", service=(fault(200, body=b"{}"),)
    ),
    "a service that has moved": Row(
        (REALM,),
        "RegistryError: .*307 without a token",
        *("none", "none", "token"),
        service=(fault(307, headers={"Location": f"{OTHER}/token"}),),
    ),
}
ABSENCE = {
    "404, empty": Row((absent(404),)),
    "404 as HTML": Row((absent(404, body=b"<html>not here</html>", headers=HTML),)),
    "404 as text": Row((absent(404, body=b"404 page not found"),)),
    "404 with a detail": Row((absent(404, body=b'{"detail": "Not Found"}'),)),
    "404, no such repository": Row((absent(404, body=code("NAME_UNKNOWN")),)),
    "404 as Harbor says it": Row((absent(404, body=code("NOT_FOUND")),)),
    "404 with errors of another shape": Row((absent(404, body=b'{"errors": 3}'),)),
    "410": Row((absent(410),)),
    "400, no such manifest": Row((absent(400, body=code("MANIFEST_UNKNOWN")),)),
    "403 for a tag": Row((absent(403, body=DENIED),)),
    "403 for a tag, with a password": Row((absent(403, body=DENIED),), kind="basic"),
    "401 for a tag, with a password": Row((absent(401, headers={"WWW-Authenticate": "Basic realm=x"}),), kind="basic"),
    "401 for a tag, with a token": Row(
        (absent(401, headers={"WWW-Authenticate": f'Bearer realm="{SERVICE}/token",service="registry.test"'}),),
        kind="token",
    ),
    "401 for a tag, and not how": Row((absent(401),), kind="basic"),
    "403 for a repository": Row((absent(403, body=DENIED), absent(403, LIST, body=DENIED)), kind="basic"),
    "401 for a repository": Row((absent(401), absent(401, LIST)), kind="basic"),
    "403 for a version that nobody here may read": Row(
        (fault(403, "GET", MANIFESTS), fault(403, "GET", LIST)),
        "AuthenticationError: .*403",
        *("none", "none"),
        before="different",
    ),
    "403 for a tag, whether it is there or not": Row(
        (fault(403, "GET", MANIFESTS, body=DENIED), fault(403, "GET", LIST)),
        "AuthenticationError: .*403",
        "none",
        "none",
    ),
    "403 for a version that is listed": Row(
        (fault(403, "GET", TAG, body=DENIED),), "AuthenticationError: .*403", "none", "none", before="different"
    ),
    "403 for everything": Row((fault(403),), "AuthenticationError: .*403", "none", "none"),
    "404 for the list of tags": Row((absent(404, LIST, body=b"<p>", headers=HTML),)),
    "a list of tags that is null": Row((fault(200, "GET", LIST, times=1, body=b'{"name": "x", "tags": null}'),)),
    "500": Row((absent(500),), "RegistryBusyError: .*500", "none", "none"),
}
CHECKS = {
    "HEAD sent to storage, refused there": Row((sent_to_other("HEAD", BLOBS),), other=(fault(403, body=DENIED),)),
    "HEAD sent to storage, no such request there": Row((sent_to_other("HEAD", BLOBS),), other=(fault(400),)),
    "HEAD sent to storage, absent there": Row((sent_to_other("HEAD", BLOBS),), other=(fault(404),)),
    "HEAD sent to storage, asked who we are there": Row(
        (sent_to_other("HEAD", BLOBS),),
        kind="basic",
        other=(fault(401, headers={"WWW-Authenticate": "Basic realm=storage"}),),
    ),
    "HEAD is no method": Row((fault(405, "HEAD"),)),
    "HEAD is forbidden": Row((fault(403, "HEAD"),)),
    "HEAD is a bad request": Row((fault(400, "HEAD"),)),
    "blobs lie elsewhere, unreadable": Row((sent_to_other("GET", BLOBS),), pull=UNREADABLE, other=(fault(403),)),
    "blobs lie elsewhere, and a secret is asked for there": Row(
        (sent_to_other("GET", BLOBS),),
        pull="RegistryError: other.*answers 401$",
        kind="token",
        other=(
            fault(401, headers={"WWW-Authenticate": f'Bearer realm="{OTHER}/token"'}, body=b"give me the password"),
        ),
    ),
    "redirects that never end": Row(
        (fault(307, "GET", MANIFESTS, headers={"Location": "/v2/x/manifests/1.0.0"}),),
        "RegistryError: too many redirects",
        *("none", "none"),
    ),
    "a redirect to nowhere": Row(
        (fault(307, "GET", MANIFESTS, headers={"Location": "ftp://x/"}),), "RegistryError: .*no.* http", "none", "none"
    ),
    "a redirect without an address": Row(
        (fault(307, "GET", MANIFESTS),), "RegistryError: .*without the Location", "none", "none"
    ),
}


def relative(location: str) -> str:
    return re.sub(r"^https?://[^/]*", "", location)


def located(change: object) -> Fault:
    return Fault("header", method="POST", path=UPLOADS, times=ALWAYS, headers={"Location": change})  # type: ignore[dict-item]


GONE = "RegistryBusyError: .*400 .MANIFEST_BLOB_UNKNOWN|RegistryBusyError: .*404"
UPLOADING = {
    "a Location without a host": Row((located(relative),)),
    "a Location beside the request": Row((located(lambda text: relative(text).rpartition("/uploads/")[2]),)),
    "a Location with a fragment": Row((located(lambda text: f"{text}#part"),)),
    "no Location": Row((located(""),), "RegistryError: .*without the Location", "none", "none"),
    "a Location elsewhere": Row(
        (fault(202, "POST", UPLOADS, headers={"Location": f"{OTHER}/up?x=a%2Fb"}),),
        GONE,
        *("none", "none", "basic"),
        other=(fault(201),),
    ),
    "a Location elsewhere, refused there": Row(
        (fault(202, "POST", UPLOADS, headers={"Location": f"{OTHER}/up"}),),
        UNREADABLE,
        *("none", "none", "basic"),
        other=(fault(403, body=DENIED),),
    ),
    "uploads forbidden": Row((fault(403, "POST", body=DENIED),), "AuthenticationError: .*403", "none", "none", "basic"),
    "uploads to no repository": Row(
        (fault(404, "POST", body=code("NAME_UNKNOWN")),), "RegistryError: .*NAME_UNKNOWN", "none", "none"
    ),
    "uploads done with 200": Row((Fault("instead", "PUT", UPLOADS, ALWAYS, 200, when=201),)),
    "an upload that is forgotten once": Row((fault(404, "PUT", UPLOADS, 1, body=code("BLOB_UPLOAD_UNKNOWN")),)),
    "an upload that is damaged once": Row((fault(400, "PUT", UPLOADS, 1, body=code("DIGEST_INVALID")),)),
    "an upload that breaks off once": Row((Fault("drop", method="PUT", path=UPLOADS, after_bytes=100),)),
    "blobs too large": Row((fault(413, "PUT", UPLOADS),), "RegistryError: .*413", "none", "none"),
    "a mount that is no method": Row((fault(405, "POST", "mount="),), mount_from="team/elsewhere"),
    "a mount that is forbidden": Row((fault(403, "POST", "mount=", body=DENIED),), mount_from="team/elsewhere"),
    "a mount of what is not there": Row(mount_from="team/elsewhere"),
    "a mount that is said to be done": Row((fault(201, "POST", "mount="),), GONE, "none", "none", mount_from="team/no"),
    "busy once": Row((fault(503, times=1, body=b"<p>", headers=HTML),)),
    "too many requests once": Row((fault(429, "P.*", times=2, headers={"Retry-After": "0"}),)),
    "too many requests": Row((fault(429, headers={"Retry-After": "0"}),), "RegistryBusyError: .*429", "none", "none"),
}
IMMUTABLE = code("MANIFEST_INVALID").replace(b"x", b"tag is immutable")
MANIFEST = {
    "a media type it does not know": Row(
        (fault(403, "PUT", MANIFESTS, body=b'{"errors":[{"code":"DENIED","message":"unknown manifest class"}]}'),),
        "RegistryError: .*unknown manifest class",
        *("none", "none"),
    ),
    "a media type it does not take": Row(
        (fault(415, "PUT", MANIFESTS),), "RegistryError: the registry answers 415", "none", "none"
    ),
    "a manifest that is refused": Row(
        (fault(400, "PUT", MANIFESTS, body=code("MANIFEST_INVALID")),), "RegistryError: .*400", "none", "none"
    ),
    "stored, without its digest": Row(
        (Fault("header", "PUT", MANIFESTS, ALWAYS, headers={"Docker-Content-Digest": ""}),)
    ),
    "stored, with another digest": Row(
        (Fault("header", "PUT", MANIFESTS, ALWAYS, headers={"Docker-Content-Digest": f"sha256:{'0' * 64}"}),)
    ),
    "said to be stored": Row((fault(201, "PUT", TAG),), "TagMovedError: .*returns nothing", "none", "none"),
    "an odd content type": Row((Fault("header", "GET", MANIFESTS, ALWAYS, headers={"Content-Type": "text/plain"}),)),
    "no content type": Row((Fault("header", "GET", MANIFESTS, ALWAYS, headers={"Content-Type": ""}),)),
    "a digest that is not its own": Row(
        (Fault("header", "GET", TAG, ALWAYS, headers={"Docker-Content-Digest": f"sha256:{'0' * 64}"}),),
        "RegistryError: the manifest received is not",
        *("none", "none"),
        before="same",
    ),
    "damaged on the way": Row(
        (Fault("corrupt", "GET", "/manifests/sha256", ALWAYS, after_bytes=90),),
        pull="RegistryError: the manifest received is not",
    ),
    "the version is there": Row(push="already-there", before="same"),
    "the version is there, with other content": Row(
        push="VersionTakenError: .*published already", latest="none", pull="none", before="different"
    ),
    "latest is immutable": Row(
        (fault(412, "PUT", LATEST, body=IMMUTABLE),), latest="RegistryError: .*412 .MANIFEST_INVALID: tag is immutable"
    ),
    "latest is forbidden": Row((fault(403, "PUT", LATEST, body=DENIED),), latest="AuthenticationError: .*403"),
    "tags that nobody may list": Row((fault(403, "GET", LIST, body=DENIED),), latest="AuthenticationError: .*403"),
    "tags on pages": Row(
        (fault(200, "GET", f"{LIST}$", body=b'{"tags": ["0.1.0"]}', headers={"Link": '<?last=a>; rel="next"'}),)
    ),
    "tags on empty pages": Row(
        (fault(200, "GET", f"{LIST}$", body=b'{"tags": []}', headers={"Link": '<?last=a>; rel="next"'}),)
    ),
    "tags on pages that lead back": Row(
        (fault(200, "GET", LIST, body=b'{"tags": []}', headers={"Link": f'<{LIST}>; rel="next"'}),),
        latest="RegistryError: the list of tags does not end",
    ),
    "tags on pages elsewhere": Row(
        (fault(200, "GET", LIST, body=b'{"tags": []}', headers={"Link": f'<{OTHER}/list>; rel="next"'}),),
        latest="RegistryError: .*goes on at another host",
    ),
    "blobs damaged on the way": Row(
        (Fault("corrupt", "GET", BLOBS, ALWAYS, after_bytes=1),), pull="RegistryError: the content received is not"
    ),
    "blobs that break off": Row((Fault("truncate", "GET", BLOBS, 2, after_bytes=1000),)),
}
ROWS = {
    f"{group}: {name}": row
    for group, rows in {
        "challenge": CHALLENGES,
        "token": TOKENS,
        "absence": ABSENCE,
        "check": CHECKS,
        "upload": UPLOADING,
        "manifest": MANIFEST,
    }.items()
    for name, row in rows.items()
}


@dataclass
class Scene:
    """Hold the servers of one row, and what is published there."""

    registry: RunningRegistry
    proxy: FaultyProxy
    other: FaultyProxy
    service: FaultyProxy
    name: str
    artifact: SampleArtifact

    def prepare(self, row: Row) -> None:
        if row.before:
            stands = self.artifact if row.before == "same" else make_artifact(f"{self.name} other")
            push_version(place_in(self.registry).open(self.name), stands.manifest, stands.blobs, "1.0.0")
        self.proxy.fail(*map(self._at_home, row.faults))
        self.other.fail(*map(self._at_home, row.other), fault(404))
        self.service.fail(*map(self._at_home, row.service))

    def _at_home(self, planned: Fault) -> Fault:
        """Return a copy with the addresses of this scene."""

        def placed(text: object) -> object:
            if not isinstance(text, str):
                return text
            return text.replace(OTHER, f"http://{self.other.host}").replace(SERVICE, f"http://{self.service.host}")

        headers = {name: placed(text) for name, text in planned.headers.items()}
        return replace(planned, headers=headers)  # type: ignore[arg-type]

    def open(self, *, pushes: bool) -> ArtifactRepository:
        access = Access(plain_http=True, connect_seconds=2, read_seconds=5, attempts=2)
        known = Credentials(USERNAME, PASSWORD, "the test") if self.registry.username else None
        connection = Connection(self.proxy.host, access, known, pushes)
        return open_remote(connection, Destination(self.proxy.host, "team/plugins"), self.name)

    def publish(self, row: Row, folder: Path) -> list[str]:
        """Return what comes of the push, of `latest` and of the pull."""
        repository, artifact = self.open(pushes=True), self.artifact
        outcomes = ["none", "none", "none"]

        def push() -> str:
            repository.find_manifest("1.0.0")
            repository.log_in()
            return (
                push_version(
                    repository, artifact.manifest, artifact.blobs, "1.0.0", is_free=True, mount_from=row.mount_from
                )
                if not row.before
                else push_version(repository, artifact.manifest, artifact.blobs, "1.0.0")
            )

        def latest() -> str:
            return "moved" if move_latest(repository, artifact.manifest, "1.0.0").move else "kept"

        def pull() -> str:
            pulled = pull_artifact(self.open(pushes=False), artifact.manifest.digest, folder)
            whole = all(pulled.blob(digest).read_bytes() == text for digest, text in artifact.contents.items())
            return "whole" if whole else "damaged"

        for number, step in enumerate((push, latest, pull)):
            try:
                outcomes[number] = step()
            except PluginyardError as error:
                outcomes[number] = f"{type(error).__name__}: {error.message.replace(self.other.host, 'other')}"
                if number == 0:
                    break
        return outcomes


def matches(outcome: str, expected: str) -> bool:
    return bool(re.match(expected.replace("other.*", r"127\.0\.0\.1.*"), outcome, re.DOTALL))


@pytest.mark.parametrize("name", ROWS)
def test_a_publication_comes_to_what_the_table_says(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    row = ROWS[name]
    registry: RunningRegistry = request.getfixturevalue(f"{row.kind}_registry")
    service = registry.tokens.realm.split("/")[2] if registry.tokens else registry.host
    with FaultyProxy(registry.host) as proxy, FaultyProxy(registry.host) as other, FaultyProxy(service) as tokens:
        plugin = new_name()
        scene = Scene(registry, proxy, other, tokens, plugin, make_artifact(plugin, size=2000))
        scene.prepare(row)
        outcomes = scene.publish(row, tmp_path)
    expected = [row.push, row.latest, row.pull]
    assert all(map(matches, outcomes, expected)), f"{outcomes}, expected {expected}"
    stands = place_in(registry).open(plugin).find_manifest("1.0.0")
    if row.push in ("published", "already-there"):
        assert stands == scene.artifact.manifest
    elif row.before == "different":
        assert stands
        assert stands != scene.artifact.manifest, "it was overwritten"
    elif row.before == "":
        assert stands is None, "it was published all the same"
    assert [seen.authorization for seen in other.seen if seen.authorization] == []
    assert PASSWORD not in "".join(outcomes)


TLS = {
    "an expired certificate": ({"days": -1}, "has expired"),
    "a certificate of another host": ({"address": "127.0.0.9"}, "is for another host"),
    "a certificate that nobody signed": ({}, "is not trusted"),
}


@pytest.mark.parametrize("what", TLS)
def test_nothing_is_sent_to_a_registry_that_does_not_show_who_it_is(
    what: str, basic_registry: RunningRegistry, tmp_path: Path
) -> None:
    made, said = TLS[what]
    certificate, key, _ = make_certificate(tmp_path, **made)  # type: ignore[arg-type]
    with FaultyProxy(basic_registry.host, certificate, key) as proxy:
        access = Access(ca_bundle="" if what.endswith("signed") else str(certificate), attempts=2)
        known = Credentials(USERNAME, PASSWORD, "the test")
        place = Destination(proxy.host, "team/plugins")
        with pytest.raises(PluginyardError, match=said):
            open_remote(Connection(proxy.host, access, known, pushes=True), place, "x").log_in()
        assert proxy.seen == []


def test_the_table_has_a_row_for_each_behaviour() -> None:
    assert len(ROWS) + len(TLS) >= 60

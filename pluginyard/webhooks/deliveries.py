"""Judge one delivery of a GitHub webhook: what it starts, why it starts nothing, or why it is refused.

The repository's name is read from the body only to choose its secret; nothing else of the body is looked at
before the signature holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pluginyard.forms import PublishRequest
from pluginyard.releases import release_key, stands_for
from pluginyard.settings import FULL_NAME, TrustedRepositories, TrustedRepository, find_trusted
from pluginyard.webhooks.events import Asked, EventRepository, IrrelevantError, MalformedError, read_event

SIGNATURE, DELIVERY, EVENT = "x-hub-signature-256", "x-github-delivery", "x-github-event"
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_DELIVERY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EVENT = re.compile(r"[a-z][a-z_]{0,63}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_EVENT_NAMES = {"push": "github.push.tag", "create": "github.create.tag", "release": "github.release.published"}
# Signed with where no repository is trusted, so that the answer takes as long as for one that is.
_NOBODY = "nobody's secret, which signs nothing"


@dataclass(frozen=True)
class Delivery:
    """A signed wish for a release."""

    id: str
    """GitHub's id of the delivery, a UUID; it is not signed."""
    event: str
    repository: str
    clone_url: str
    tag: str
    """The release tag; empty for a manual call."""
    commit: str
    """The commit of the tag where the event says it, which only a push does."""
    request: PublishRequest
    moved: bool
    """The tag was there before, at another commit."""
    idempotency_key: str
    content: str
    """SHA-256 of the body: the same under another id is a replay."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the flow run."""
        return {"request": self.request.model_dump(mode="json", exclude_defaults=True)}

    @property
    def title(self) -> str:
        """Return what is asked for, in short."""
        return self.request.title

    @property
    def event_name(self) -> str:
        """Return the name of the Prefect event that tells of the delivery."""
        return _EVENT_NAMES.get(self.event, f"github.{self.event}")

    @property
    def labels(self) -> dict[str, str]:
        """Return what the run remembers of the delivery."""
        named = {"delivery": self.id, "event": self.event, "repository": self.repository, "commit": self.commit}
        return {f"github.{name}": value for name, value in named.items() if value}


@dataclass(frozen=True)
class IgnoredDelivery:
    """A signed delivery that starts nothing."""

    reason: str
    repository: str


@dataclass(frozen=True)
class RefusedDelivery:
    """A delivery that is not believed, or not understood."""

    status: int
    """The HTTP status to answer with."""
    reason: str
    """For the log; the sender may read it only if it is `signed`."""
    repository: str = ""
    """Whose secret has signed it; empty where none has."""

    @property
    def signed(self) -> bool:
        """Tell whether its sender knows a secret."""
        return bool(self.repository)


def judge_delivery(
    headers: Mapping[str, str], body: bytes, repositories: TrustedRepositories
) -> Delivery | IgnoredDelivery | RefusedDelivery:
    """Judge a delivery by its headers (lower-case names) and its body as received, to the byte."""
    try:
        return _judge(headers, body, repositories)
    except Exception as error:  # a fault of ours; like all that is not understood it is refused, and starts nothing
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {place.name}, line {place.lineno}"
        return RefusedDelivery(400, f"it cannot be judged: {reason}")


def _judge(
    headers: Mapping[str, str], body: bytes, repositories: TrustedRepositories
) -> Delivery | IgnoredDelivery | RefusedDelivery:
    signature = _SIGNATURE.fullmatch(headers.get(SIGNATURE, ""))
    if not signature:
        return RefusedDelivery(401, "no SHA-256 signature")
    delivery, event = headers.get(DELIVERY, "").lower(), headers.get(EVENT, "")
    if not _DELIVERY.fullmatch(delivery) or not _EVENT.fullmatch(event):
        return RefusedDelivery(400, "the delivery's id or event is missing or malformed")
    payload = _parse(body)
    if payload is None:
        return RefusedDelivery(400, "the body is not a JSON object")
    name = _repository_of(payload)
    trusted = find_trusted(repositories, name) if name else None
    if not is_signed(body, signature[1], trusted):
        return RefusedDelivery(401, "the signature does not hold" if trusted else "no trusted repository")
    assert trusted is not None  # noqa: S101 (nothing is signed for nobody)
    if event == "ping":
        return IgnoredDelivery("ping: the webhook reaches us and its secret is right", name)
    return _judge_event(delivery, event, name, payload, trusted, hashlib.sha256(body).hexdigest())


def is_signed(body: bytes, signature: str, trusted: TrustedRepository | None) -> bool:
    """Tell whether `signature` (hex) is of `body` by one of the repository's secrets; every one is tried, always."""
    secrets = [secret.get_secret_value() for secret in trusted.secrets] if trusted else [_NOBODY]
    holds = [hmac.compare_digest(_sign(body, secret), signature) for secret in secrets]
    return trusted is not None and any(holds)


def _sign(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _parse(body: bytes) -> Mapping[str, Any] | None:
    try:
        payload = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _repository_of(payload: Mapping[str, Any]) -> str:
    """Return the `owner/name` a payload is of; `owner/*` for an organisation's own, empty where it says neither."""
    repository, organization = payload.get("repository"), payload.get("organization")
    if isinstance(repository, Mapping):
        name = repository.get("full_name")
        return name if isinstance(name, str) and FULL_NAME.fullmatch(name) else ""
    login = organization.get("login") if isinstance(organization, Mapping) else None
    return f"{login}/*" if isinstance(login, str) and _OWNER.fullmatch(login) else ""


def _judge_event(
    delivery: str, event: str, name: str, payload: Mapping[str, Any], trusted: TrustedRepository, content: str
) -> Delivery | IgnoredDelivery | RefusedDelivery:
    if not FULL_NAME.fullmatch(name):
        return IgnoredDelivery("an event of the organisation, not of a repository", name)
    origin = EventRepository(name, trusted.clone_url_of(name), trusted.workflows)
    try:
        asked = read_event(event, payload, origin)
    except IrrelevantError as error:
        return IgnoredDelivery(str(error), name)
    except MalformedError as error:
        return RefusedDelivery(422, f"{event}: {error}", name)
    return _delivery(delivery, event, origin, asked, content)


def _delivery(delivery: str, event: str, origin: EventRepository, asked: Asked, content: str) -> Delivery:
    return Delivery(
        id=delivery,
        event=event,
        repository=origin.repository,
        clone_url=origin.clone_url,
        tag=asked.tag,
        commit=asked.commit,
        request=asked.request,
        moved=asked.moved,
        # The id is not signed, so a call is told by its content alone.
        idempotency_key=asked.key or f"call:{origin.repository.lower()}:{content}",
        content=content,
    )


def choose_next_key(delivery: Delivery, key: str, *, run: str, recorded: str, failed: bool) -> str:
    """Return the key to take where the run that has `key` does not stand for the delivery; empty where it does.

    `run` is that run's id, `recorded` the commit it was started for, as far as it is known. A tag has one more key,
    with its commit; a call that failed has one more run each time it comes again.
    """
    if not delivery.tag:
        return f"{delivery.idempotency_key}:after:{run}" if failed else ""
    if not delivery.commit or key != delivery.idempotency_key:
        return ""
    # A tag that is moved is told of by its push alone, so a run that knew no commit was of an older one.
    if stands_for(recorded, delivery.commit, failed=failed or delivery.moved):
        return ""
    return release_key(delivery.clone_url, delivery.tag, delivery.commit)

"""Judge one delivery of a webhook: what it starts, why it starts nothing, or why it is refused.

The repository's name is read from the body only to choose its secret; nothing else of the body is looked at
before the signature holds.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pluginyard.forms import PublishRequest
from pluginyard.parsing import load_json
from pluginyard.releases import COMMIT_LABEL, release_key, stands_for
from pluginyard.settings import MAX_BODY_BYTES, TrustedRepositories, TrustedRepository, find_trusted
from pluginyard.webhooks.dialect import Forge, Headers
from pluginyard.webhooks.events import EventRepository, IrrelevantError, MalformedError, RequestedRelease

_DELIVERY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Compared with where no repository is trusted, so that the answer takes as long as for one that is.
_SECRET_OF_NONE = "the secret of no repository, which signs nothing"  # noqa: S105 (no secret opens anything with it)


@dataclass(frozen=True)
class Delivery:
    """A signed request for a release."""

    forge: Forge
    id: str
    """The forge's id of the delivery, a UUID; it is not signed."""
    event: str
    origin: EventRepository
    release: RequestedRelease
    content: str
    """SHA-256 of the body: the same under another id is a replay."""

    @property
    def repository(self) -> str:
        """Return its `owner/name`."""
        return self.origin.repository

    @property
    def idempotency_key(self) -> str:
        """Return the key of its run: of the tag, or, since the id is not signed, of a manual call's content."""
        return self.release.key or f"call:{self.repository.lower()}:{self.content}"

    @property
    def request(self) -> PublishRequest:
        """Return what the run is asked for."""
        return self.release.request

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the flow run."""
        return {"request": self.request.model_dump(mode="json", exclude_defaults=True)}

    @property
    def event_name(self) -> str:
        """Return the name of the Prefect event that reports the delivery."""
        return self.forge.event_names.get(self.event, f"{self.forge.name}.{self.event}")

    @property
    def labels(self) -> dict[str, str]:
        """Return what the run remembers of the delivery."""
        named = {"delivery": self.id, "event": self.event, "repository": self.repository}
        labels = {f"{self.forge.name}.{name}": value for name, value in named.items()}
        return labels | ({COMMIT_LABEL: self.release.commit} if self.release.commit else {})


@dataclass(frozen=True)
class IgnoredDelivery:
    """A signed delivery that starts nothing."""

    reason: str
    repository: str


@dataclass(frozen=True)
class RefusedDelivery:
    """A delivery that is not signed, or not understood."""

    status: int
    """The HTTP status to answer with."""
    reason: str
    """For the log; the sender may read it only if it is `signed`."""
    repository: str = ""
    """Whose secret has signed it; empty where none has."""

    @property
    def signed(self) -> bool:
        """Return whether its sender knows a secret."""
        return bool(self.repository)


JudgedDelivery: TypeAlias = Delivery | IgnoredDelivery | RefusedDelivery


def judge_delivery(forge: Forge, headers: Headers, body: bytes, repositories: TrustedRepositories) -> JudgedDelivery:
    """Judge a delivery of `forge` by its headers (lower-case names) and its body as received, to the byte."""
    try:
        return _judge(forge, headers, body, repositories)
    except Exception as error:  # a fault of ours; like all that is not understood it is refused, and starts nothing
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {place.name}, line {place.lineno}"
        return RefusedDelivery(400, f"it cannot be judged: {reason}")


def _judge(forge: Forge, headers: Headers, body: bytes, repositories: TrustedRepositories) -> JudgedDelivery:
    signature = forge.find_signature(headers)
    if not signature:
        return RefusedDelivery(401, "no SHA-256 signature")
    delivery, event = headers.get(forge.delivery_header, "").lower(), headers.get(forge.event_header, "")
    if not _DELIVERY.fullmatch(delivery) or not forge.event_pattern.fullmatch(event):
        return RefusedDelivery(400, "the delivery's id or event is missing or malformed")
    payload = _parse(body)
    if payload is None:
        return RefusedDelivery(400, "the body is not a JSON object")
    name = forge.find_repository(payload)
    trusted = find_trusted(repositories, name) if name else None
    signed = _is_signed(forge, body, signature, trusted)
    if trusted is None or not signed:
        return RefusedDelivery(401, "the signature does not hold" if trusted else "no trusted repository")
    if event == forge.ping:
        return IgnoredDelivery("ping: the webhook reaches us and its secret is right", name)
    if name.endswith("/*"):
        return IgnoredDelivery("an event of the organisation, not of a repository", name)
    origin = EventRepository(name, trusted.clone_url_of(name), trusted.workflows)
    try:
        release = read_event(forge, event, payload, origin)
    except IrrelevantError as error:
        return IgnoredDelivery(str(error), name)
    except MalformedError as error:
        return RefusedDelivery(422, f"{event}: {error}", name)
    return Delivery(forge, delivery, event, origin, release, hashlib.sha256(body).hexdigest())


def _is_signed(forge: Forge, body: bytes, signature: str, trusted: TrustedRepository | None) -> bool:
    """Return whether one of the repository's secrets has signed the body; every one is tried, always."""
    secrets = [secret.get_secret_value() for secret in trusted.secrets] if trusted else [_SECRET_OF_NONE]
    return any([forge.signs(body, secret, signature) for secret in secrets])  # noqa: C419 (no early end)


def _parse(body: bytes) -> Mapping[str, Any] | None:
    try:
        payload = load_json(body.decode("utf-8"), MAX_BODY_BYTES)  # as text: JSON in UTF-16 or with a mark is refused
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def read_event(forge: Forge, event: str, payload: Mapping[str, Any], origin: EventRepository) -> RequestedRelease:
    """Return what `event` asks for; raise IrrelevantError or MalformedError with the reason."""
    reader = forge.readers.get(event)
    if reader is None:
        raise IrrelevantError(f"the event {event} starts nothing")
    return reader(payload, origin)


def choose_next_key(delivery: Delivery, key: str, *, run: str, recorded: str, failed: bool) -> str:
    """Return the key to take where the run that has `key` does not stand for the delivery; empty where it does.

    `run` is that run's id, `recorded` the commit it was started for, as far as it is known. A tag has one more key,
    with its commit; a call that failed has one more run each time it comes again.
    """
    asked = delivery.release
    if not asked.tag:
        return f"{delivery.idempotency_key}:after:{run}" if failed else ""
    if not asked.commit or key != delivery.idempotency_key:
        return ""
    # Only its push reports a tag that is moved, so a run that knew no commit was of an older one.
    if stands_for(recorded, asked.commit, failed=failed or asked.moved):
        return ""
    return release_key(delivery.origin.clone_url, asked.tag, asked.commit)

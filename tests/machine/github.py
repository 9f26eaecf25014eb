"""Deliveries as GitHub makes them: recorded payloads, a tag set in them, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[1] / "fixtures" / "github"
REPOSITORY = "Codertocat/Hello-World"
SECRET = "a secret of these tests only"
TAG = "wasm-go-request-block-v1.2.3"


def recorded(name: str) -> dict[str, Any]:
    """Return a payload as it was recorded."""
    payload: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return payload


def tag_event(name: str, tag: str = TAG, **changed: Any) -> dict[str, Any]:
    """Return a recorded push, create or release with `tag` in place of its own, and `changed` at its top."""
    payload = recorded(name)
    if "release" in payload:
        payload["release"]["tag_name"] = tag
    else:
        payload["ref"] = f"refs/tags/{tag}" if "after" in payload else tag
    return payload | changed


def call(name: str, inputs: Mapping[str, Any] | None, **changed: Any) -> dict[str, Any]:
    """Return a recorded workflow_dispatch or repository_dispatch with the inputs of a manual call."""
    payload = recorded(name)
    payload |= {"workflow": ".github/workflows/publish-plugin.yaml"} if "workflow" in payload else {}
    key = "inputs" if "workflow" in payload else "client_payload"
    payload |= {key: inputs} | ({} if "workflow" in payload else {"action": "publish-plugin"})
    return payload | changed


def sign(body: bytes, secret: str = SECRET) -> str:
    """Return the header X-Hub-Signature-256 of `body`."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True)
class Sent:
    """A delivery as it goes over the wire; its headers can be read and changed."""

    event: str
    body: bytes
    secret: str = SECRET
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that matter, as GitHub writes them."""
        return {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": self.id,
            "X-GitHub-Event": self.event,
            "X-Hub-Signature-256": sign(self.body, self.secret),
        }


def sent(event: str, payload: Any, secret: str = SECRET) -> Sent:
    """Return a delivery of `payload`."""
    return Sent(event, json.dumps(payload).encode(), secret)

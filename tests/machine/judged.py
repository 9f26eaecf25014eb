"""The judge of deliveries with a few trusted repositories, as the receiver asks it."""

from __future__ import annotations

import json
from typing import Any

from pluginyard.settings import TrustedRepository
from pluginyard.webhooks import FORGES, Delivery, IgnoredDelivery, RefusedDelivery, judge_delivery
from tests.machine.github import SECRET, Sent, sent, tag_event

COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
OTHER_COMMIT = "0123456789abcdef0123456789abcdef01234567"
(GITHUB,) = FORGES
CLONED_FROM = "https://github.com/{repository}.git"
ORG_SECRET, NEXT_SECRET = "the secret of octo-org only", "the secret that comes next"


def trusted(*secrets: str, **granted: Any) -> TrustedRepository:
    """Return an entry of the secrets file."""
    return TrustedRepository.model_validate({"secrets": list(secrets), "clone_url": CLONED_FROM, **granted})


REPOSITORIES = {
    "codertocat/hello-world": trusted(SECRET, NEXT_SECRET),
    "octo-org/octo-repo": trusted(ORG_SECRET, clone_url="ssh://git@git.example.com/mirrors/octo.git"),
    "octocoders/*": trusted(ORG_SECRET),
}


def secrets_file() -> str:
    """Return the same entries as the receiver's secrets file (JSON is YAML too)."""
    return json.dumps(
        {
            name: {"secrets": [secret.get_secret_value() for secret in entry.secrets], "clone_url": entry.clone_url}
            for name, entry in REPOSITORIES.items()
        }
    )


def judge(delivery: Sent, **changed: str | None) -> Delivery | IgnoredDelivery | RefusedDelivery:
    """Judge with headers as the receiver hands them over: lower-case names, None takes one away."""
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    headers |= {name.replace("_", "-"): value for name, value in changed.items() if value is not None}
    gone = {name.replace("_", "-") for name, value in changed.items() if value is None}
    return judge_delivery(
        GITHUB, {name: value for name, value in headers.items() if name not in gone}, delivery.body, REPOSITORIES
    )


def accepted(delivery: Sent) -> Delivery:
    """Return the verdict on a delivery that starts something."""
    judged = judge(delivery)
    assert isinstance(judged, Delivery), judged
    return judged


PUSH = sent("push", tag_event("push-tag-created"))

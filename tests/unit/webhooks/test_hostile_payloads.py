"""Signed payloads with fields missing, odd or of another type, and flipped bytes: each has a verdict."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from pluginyard.webhooks import Delivery, RefusedDelivery
from tests.machine.github import REPOSITORY, Sent
from tests.machine.judged import judge

FIXTURES = Path(__file__).parents[2] / "fixtures"
EVENTS = ("push", "create", "release", "workflow_dispatch", "repository_dispatch", "ping", "delete")
CALL = {"plugin_name": "x", "version": "1.0.0", "plugin_type": "go", "ref": "main"}
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e308, [], {}, [[]], {"id": None}, "", "x" * 5000, "0" * 40),
    *(
        "\ud800",
        "\u202e\n",
        "refs/tags/",
        "refs/tags/wasm-go-x-v1.0.0",
        "../..",
        "*",
        "{repository}",
        "--upload-pack=x",
    ),
)
MUTATIONS = 4000


def mutated(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.04:
        return copy.deepcopy(chance.choice(ODD))
    if isinstance(value, dict):
        return {name: mutated(item, chance) for name, item in value.items() if chance.random() > 0.02}
    return [mutated(item, chance) for item in value] if isinstance(value, list) else value


def hostile(payloads: list[dict[str, Any]], chance: random.Random) -> Sent:
    call = {"workflow": "publish-plugin.yaml", "inputs": CALL, "client_payload": CALL, "action": "publish-plugin"}
    payload = mutated(chance.choice(payloads) | (call if chance.random() < 0.3 else {}), chance)
    if isinstance(payload, dict) and chance.random() < 0.9:
        payload["repository"] = {"full_name": REPOSITORY}
    body = bytearray(json.dumps(payload).encode())
    if chance.random() < 0.1:
        body[chance.randrange(len(body))] = chance.randrange(256)
    return Sent(chance.choice(EVENTS), bytes(body))


def test_every_hostile_payload_has_a_verdict() -> None:
    chance = random.Random(20261128)
    documents = [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*/*.json"))]
    payloads = [document.get("body", document) for document in documents]
    verdicts: Counter[str] = Counter()
    for _ in range(MUTATIONS):
        delivery = hostile(payloads, chance)
        judged = judge(delivery)
        verdicts[type(judged).__name__] += 1
        if isinstance(judged, RefusedDelivery):
            assert "cannot be judged" not in judged.reason, (judged.reason, delivery.body)
        if isinstance(judged, Delivery):
            shown = [judged.parameters, judged.labels, judged.event_name]
            assert json.dumps(shown, ensure_ascii=False).isprintable()
    assert min(verdicts[name] for name in ("Delivery", "IgnoredDelivery", "RefusedDelivery")) > 100

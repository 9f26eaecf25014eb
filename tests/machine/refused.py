"""Deliveries that are refused, and why: forged, malformed, of nobody. For the judge, and for a receiver that runs."""

from __future__ import annotations

import json
from typing import Any

from tests.machine.github import SECRET, Sent, call, sent, sign, tag_event
from tests.machine.judged import COMMIT, ORG_SECRET, PUSH

BODY, SIGNED = PUSH.body, PUSH.headers["X-Hub-Signature-256"]
UNBELIEVED: dict[str, dict[str, str | None]] = {
    "no signature": {"x_hub_signature_256": None},
    "an empty signature": {"x_hub_signature_256": ""},
    "only the prefix": {"x_hub_signature_256": "sha256="},
    "no prefix": {"x_hub_signature_256": SIGNED.removeprefix("sha256=")},
    "another prefix": {"x_hub_signature_256": SIGNED.replace("sha256", "sha1")},
    "a cut signature": {"x_hub_signature_256": SIGNED[:-1]},
    "a longer signature": {"x_hub_signature_256": f"{SIGNED}0"},
    "a line after the signature": {"x_hub_signature_256": f"{SIGNED}\n"},
    "upper-case digits": {"x_hub_signature_256": f"sha256={SIGNED.removeprefix('sha256=').upper()}"},
    "letters beyond ASCII": {"x_hub_signature_256": f"sha256={'é' * 64}"},
    "Arabic digits": {"x_hub_signature_256": f"sha256={'٣' * 64}"},
    "two signatures": {"x_hub_signature_256": f"{SIGNED}, {SIGNED}"},
    "one digit wrong": {"x_hub_signature_256": SIGNED[:-1] + ("0" if SIGNED[-1] != "0" else "1")},
    "the old SHA-1 header alone": {"x_hub_signature_256": None, "x_hub_signature": f"sha1={'0' * 40}"},
    "signed with nothing": {"x_hub_signature_256": sign(BODY, "")},
    "signed with another repository's secret": {"x_hub_signature_256": sign(BODY, ORG_SECRET)},
    "signed with a secret with a blank": {"x_hub_signature_256": sign(BODY, f"{SECRET} ")},
    "the signature of another body": {"x_hub_signature_256": sign(BODY + b" ")},
    "the signature of the body written anew": {
        "x_hub_signature_256": sign(json.dumps(json.loads(BODY), indent=1).encode())
    },
}

_NAMES = [
    "",
    "../../etc",
    "a/..",
    "a/.",
    "a",
    "a/b/c",
    "octocoders/*",
    "*",
    "-x/y",
    "a/b\n",
    "a b/c",
    7,
    None,
    ["x/y"],
]
WRONG_NAMES = {
    f"of a repository called {name!r}": sent("push", tag_event("push-tag-created", repository={"full_name": name}))
    for name in _NAMES
}

_BODIES = {
    "empty": b"",
    "no JSON": b"payload=%7B%7D",
    "half a JSON": BODY[: len(BODY) // 2],
    "a list": b"[]",
    "a number": b"7",
    "no UTF-8": b'{"repository": "\xff"}',
    "UTF-16": BODY.decode().encode("utf-16"),
    "a byte-order mark": b"\xef\xbb\xbf" + BODY,
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand nested objects": b'{"a":' * 100_000,
    "no finite number": b'{"a": NaN}',
    "UTF-16 without a mark": BODY.decode().encode("utf-16-le"),
    "a number of ten thousand digits": b'{"a":' + b"9" * 10_000 + b"}",
}
WRONG_BODIES = {name: Sent("push", body) for name, body in _BODIES.items()}

WRONG_HEADERS: dict[str, dict[str, str | None]] = {
    "no id": {"x_github_delivery": None},
    "an id that is none": {"x_github_delivery": "1"},
    "an id with a line in it": {"x_github_delivery": f"{PUSH.id}\nforged log line"},
    "two ids": {"x_github_delivery": f"{PUSH.id}, {PUSH.id}"},
    "no event": {"x_github_event": None},
    "an event with a path in it": {"x_github_event": "../push"},
    "two events": {"x_github_event": "push, release"},
}


def _without(payload: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name != key}


_EVENTS = {
    "a push without ref": ("push", _without(tag_event("push-tag-created"), "ref"), SECRET),
    "a push whose ref is a number": ("push", tag_event("push-tag-created", ref=1), SECRET),
    "a push without after": ("push", _without(tag_event("push-tag-created"), "after"), SECRET),
    "a push to no commit": ("push", tag_event("push-tag-created", head_commit={"id": "HEAD"}), SECRET),
    "a push whose commit is an option": ("push", tag_event("push-tag-created", head_commit={"id": "--x"}), SECRET),
    "a push to a commit and more": ("push", tag_event("push-tag-created", head_commit={"id": f"{COMMIT}0"}), SECRET),
    "a release without release": ("release", tag_event("release-published", release=None), SECRET),
    "a release without tag": (
        "release",
        tag_event("release-published", release={"draft": False, "tag_name": ""}),
        SECRET,
    ),
    "a create without ref": ("create", _without(tag_event("create-tag"), "ref"), SECRET),
}
_CALLS: dict[str, Any] = {
    "no inputs": None,
    "a list of inputs": ["plugin_name"],
    "no name": {"version": "1.0.0"},
    "a name with a path in it": {"plugin_name": "../x"},
    "a name with a shell in it": {"plugin_name": "x$(id)"},
    "an endless name": {"plugin_name": "x" * 129},
    "a name that is a list": {"plugin_name": ["x"]},
    "a version with a v": {"plugin_name": "x", "version": "v1.0.0"},
    "a version that is none": {"plugin_name": "x", "version": "1"},
    "a version that is a number": {"plugin_name": "x", "version": 1.0},
    "a language with a shell in it": {"plugin_name": "x", "plugin_type": "go;id"},
    "a ref that is an option": {"plugin_name": "x", "ref": "--upload-pack=x"},
    "a ref with a blank": {"plugin_name": "x", "ref": "a b"},
    "a ref with a range": {"plugin_name": "x", "ref": "a^{tree}"},
    "a ref with half a character": {"plugin_name": "x", "ref": "a\ud800"},
    "a ref that turns a log around": {"plugin_name": "x", "ref": "a\u202eb"},
}
MALFORMED = {name: sent(*event) for name, event in _EVENTS.items()} | {
    name: sent("workflow_dispatch", call("workflow-dispatch", inputs), ORG_SECRET) for name, inputs in _CALLS.items()
}

"""A probe: the configuration a plugin gets in a real gateway, the requests it is sent, the answers it owes.

>>> probe = parse_probe(
...     {"configuration": {"blocked": ["/x"]}, "exchanges": [{"path": "/x", "expect": 403}]}, subject="demo"
... )
>>> judge_answers(probe, (Answer(status=200),))
('GET /x: answered 200, expected 403',)
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pluginyard.errors import ConfigurationError

Headers = tuple[tuple[str, str], ...]

_PROBE_KEYS = ("configuration", "exchanges")
_EXCHANGE_KEYS = ("method", "path", "headers", "body", "expect")
_EXPECT_KEYS = ("status", "contains", "headers")
_PATH = re.compile(r"/[!-~]*")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Exchange:
    """Name one request and the answer that is owed to it; header names are lower case."""

    path: str
    expected_status: int
    method: str = "GET"
    headers: Headers = ()
    body: str = ""
    expected_body: str = ""
    """Text the answer's body contains; empty: any body will do."""
    expected_headers: Headers = ()
    """Headers the answer has; an empty value: the header is there, whatever it says."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Probe:
    """Hold what a plugin is configured with, byte for byte, and the requests it is sent, in order."""

    configuration: str = ""
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Hold what came back for one exchange; header names are lower case, bytes beyond a bound are cut."""

    status: int = 0
    headers: Headers = ()
    body: str = ""
    failure: str = ""
    """Why no answer came (time limit, connection closed); then the status is 0."""


@dataclass(frozen=True)
class ProbeResult:
    """Hold what a real gateway did with a module."""

    version: str
    """The gateway's version, such as 1.40.0."""
    loaded: bool
    reason: str = ""
    """Why the module was refused, in the gateway's own words; empty when it was loaded."""
    answers: tuple[Answer, ...] = ()
    ready_seconds: float = 0.0
    crashes: tuple[str, ...] = ()
    """What failed in the module once it was loaded, in the gateway's own words."""


LOAD_ONLY = Probe()
"""The probe of a plugin that names none: the gateway must load it without configuration."""


def parse_probe(mapping: object, subject: str) -> Probe:
    """Parse the `probe:` of a plugin in pluginyard.yaml; `subject` names the place in error texts.

    A `configuration` that is text is given as it is; anything else as compact JSON, as a gateway does
    with `pluginConfig`. Raises ConfigurationError, for an unknown key with the nearest known one.
    """
    entries = _mapping(mapping, _PROBE_KEYS, subject)
    exchanges = entries.get("exchanges") or []
    if not isinstance(exchanges, list):
        raise _wrong("`exchanges` is not a list", subject)
    parsed = (_parse_exchange(each, f"{subject}.exchanges[{index}]") for index, each in enumerate(exchanges))
    return Probe(_configuration_text(entries.get("configuration"), subject), tuple(parsed))


def judge_answers(probe: Probe, answers: Iterable[Answer]) -> tuple[str, ...]:
    """Return one sentence for each way in which `answers` differ from what `probe` expects."""
    found = tuple(answers)
    missing = (f"{each}: not sent" for each in probe.exchanges[len(found) :])
    judged = (finding for pair in zip(probe.exchanges, found, strict=False) for finding in _judge(*pair))
    return (*judged, *missing)


def _judge(exchange: Exchange, answer: Answer) -> list[str]:
    if answer.failure:
        return [f"{exchange}: {answer.failure}"]
    findings = []
    if answer.status != exchange.expected_status:
        findings.append(f"answered {answer.status}, expected {exchange.expected_status}")
    if exchange.expected_body not in answer.body:
        findings.append(f"body {_shorten(answer.body)} does not contain {_shorten(exchange.expected_body)}")
    for name, value in exchange.expected_headers:
        values = [theirs for key, theirs in answer.headers if key == name]
        if not values:
            findings.append(f"header {name} is missing")
        elif value and value not in values:
            findings.append(f"header {name} is {_shorten(', '.join(values))}, expected {_shorten(value)}")
    return [f"{exchange}: {finding}" for finding in findings]


def _parse_exchange(value: object, subject: str) -> Exchange:
    entries = _mapping(value, _EXCHANGE_KEYS, subject)
    method = str(entries.get("method", "GET")).upper()
    if method not in _METHODS:
        raise _wrong(f"method {method} is not one of {', '.join(_METHODS)}", subject)
    expect = entries.get("expect", 200)
    expected = _mapping(expect if isinstance(expect, Mapping) else {"status": expect}, _EXPECT_KEYS, subject)
    return Exchange(
        path=_path(entries.get("path", "/"), subject),
        method=method,
        headers=_headers(entries.get("headers"), subject),
        body=_text(entries.get("body"), "body", subject),
        expected_status=_status(expected.get("status", 200), subject),
        expected_body=_text(expected.get("contains"), "contains", subject),
        expected_headers=_headers(expected.get("headers"), subject),
    )


def _configuration_text(value: Any, subject: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise _wrong(f"`configuration` cannot be written as JSON: {error}", subject) from error


def _mapping(value: object, known: tuple[str, ...], subject: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(f"a mapping with {', '.join(known)} is expected here", subject)
    for key in value:
        if key not in known:
            nearest = difflib.get_close_matches(str(key), known, n=1)
            remedy = f"did you mean `{nearest[0]}`?" if nearest else f"known keys: {', '.join(known)}"
            raise ConfigurationError(f"unknown key `{key}`", subject=subject, remedy=remedy)
    return value


def _path(value: object, subject: str) -> str:
    # A path goes into the request line as it is: a space or line end there would be another request.
    if isinstance(value, str) and _PATH.fullmatch(value):
        return value
    raise _wrong(f"path {value!r} is not a path such as /hello.html?x=1 (percent-encode the rest)", subject)


def _headers(value: object, subject: str) -> Headers:
    if value is None:
        return ()
    if not isinstance(value, Mapping) or not all(isinstance(each, str | int) for each in value.values()):
        raise _wrong("`headers` is not a mapping of names to texts", subject)
    pairs = tuple((str(name).lower(), str(text)) for name, text in value.items())
    if not all(part.isprintable() and part.isascii() for pair in pairs for part in pair):
        raise _wrong("`headers` holds a character that no header may hold", subject)
    return pairs


def _status(value: object, subject: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599:
        return value
    raise _wrong(f"status {value!r} is not a number from 200 to 599", subject)


def _text(value: object, key: str, subject: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise _wrong(f"`{key}` is not a text", subject)


def _wrong(message: str, subject: str) -> ConfigurationError:
    return ConfigurationError(message, subject=subject, remedy="correct this entry of pluginyard.yaml")


def _shorten(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")

"""A probe: the configuration a plugin gets in a real gateway, the requests it is sent, the answers it must give.

>>> probe = Probe(configuration={"blocked": ["/x"]}, exchanges=[{"path": "/x", "expect": 403}])
>>> judge_answers(probe, (Answer(status=200),))
('GET /x: answered 200, expected 403',)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pluginyard.parsing import FrozenModel

Headers = tuple[tuple[str, str], ...]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _header_pairs(given: Any) -> Any:
    if isinstance(given, tuple):
        return given
    if given is not None and not (
        isinstance(given, Mapping) and all(isinstance(each, str | int) for each in given.values())
    ):
        raise ValueError("`headers` is not a mapping of names to texts")
    pairs = tuple((str(name).lower(), str(text)) for name, text in (given or {}).items())
    if not all(part.isprintable() and part.isascii() for pair in pairs for part in pair):
        raise ValueError("`headers` holds a character that no header may hold")
    return pairs


HeaderMap = Annotated[Headers, BeforeValidator(_header_pairs)]
Text = Annotated[str, BeforeValidator(lambda given: "" if given is None else given)]


class Expectation(FrozenModel):
    """Say what an answer must be; `expect: 403` stands for `expect: {status: 403}`."""

    status: int = Field(200, description="Status of the answer, 200 to 599")
    contains: Text = Field("", description="Text that the answer's body contains")
    headers: HeaderMap = Field((), description="Headers of the answer; an empty text: any value")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return given if isinstance(given, Mapping | Expectation) else {"status": given}

    @field_validator("status", mode="before")
    @classmethod
    def _is_final(cls, given: Any) -> int:
        if type(given) is int and 200 <= given <= 599:
            return given
        raise ValueError(f"status {given!r} is not a number from 200 to 599")


class Exchange(FrozenModel):
    """Name one request and the answer that is expected; header names are lower case."""

    method: Method = Field("GET", description="Method of the request")
    path: str = Field("/", description="Path and query of the request, percent-encoded")
    headers: HeaderMap = Field((), description="Headers of the request")
    body: Text = Field("", description="Body of the request")
    expect: Expectation = Field(
        default_factory=Expectation, description="Status of the answer, or a mapping of what is compared"
    )

    @field_validator("method", mode="before")
    @classmethod
    def _in_upper_case(cls, given: Any) -> str:
        method = str(given).upper()
        if method not in get_args(Method):
            raise ValueError(f"method {method} is not one of {', '.join(get_args(Method))}")
        return method

    @field_validator("path", mode="before")
    @classmethod
    def _is_one_word(cls, given: Any) -> str:
        # It goes into the request line as it is: a space or line end there would be another request.
        if isinstance(given, str) and given.startswith("/") and all("!" <= character <= "~" for character in given):
            return given
        raise ValueError(f"{given!r} is not a path such as /hello.html?x=1 (percent-encode the rest)")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Probe(FrozenModel):
    """Hold what a plugin is configured with, byte for byte, and the requests it is sent, in order."""

    configuration: str = Field("", description="What the plugin is configured with: a text as it is, else as JSON")
    exchanges: Annotated[tuple[Exchange, ...], BeforeValidator(lambda given: given or ())] = Field(
        (), description="Requests and the answers that are expected"
    )

    @field_validator("configuration", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> str:
        """Write what is no text as compact JSON, as a gateway does with `pluginConfig`."""
        if given is None or isinstance(given, str):
            return given or ""
        try:
            return json.dumps(given, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"it cannot be written as JSON: {error}") from None


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


def judge_answers(probe: Probe, answers: Iterable[Answer]) -> tuple[str, ...]:
    """Return one sentence for each way in which `answers` differ from what `probe` expects."""
    found = tuple(answers)
    missing = (f"{each}: not sent" for each in probe.exchanges[len(found) :])
    judged = (finding for pair in zip(probe.exchanges, found, strict=False) for finding in _judge(*pair))
    return (*judged, *missing)


def _judge(exchange: Exchange, answer: Answer) -> list[str]:
    if answer.failure:
        return [f"{exchange}: {answer.failure}"]
    findings, expected = [], exchange.expect
    if answer.status != expected.status:
        findings.append(f"answered {answer.status}, expected {expected.status}")
    if expected.contains not in answer.body:
        findings.append(f"body {_shorten(answer.body)} does not contain {_shorten(expected.contains)}")
    for name, value in expected.headers:
        values = [theirs for key, theirs in answer.headers if key == name]
        if not values:
            findings.append(f"header {name} is missing")
        elif value and value not in values:
            findings.append(f"header {name} is {_shorten(', '.join(values))}, expected {_shorten(value)}")
    return [f"{exchange}: {finding}" for finding in findings]


def _shorten(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")

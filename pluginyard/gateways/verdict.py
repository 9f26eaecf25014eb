"""The verdict: what each gateway would say of an artifact, what we found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pluginyard.errors import VerdictError
from pluginyard.gateways.hosts import HIGRESS, HOSTS
from pluginyard.printable import printable
from pluginyard.rules import ERROR, WARNING, Finding, find

Portability = Literal["portable", "higress-only", "upstream-only", "partial", "unloadable"]
Variant = Literal["docker", "compat", "oci"]
_PHRASES: Mapping[str, str] = {
    "portable": "loads on every gateway",
    "higress-only": "loads on Higress only",
    "upstream-only": "loads on Envoy, Istio and Envoy Gateway, not on Higress",
    "unloadable": "no gateway loads it",
}


@dataclass(frozen=True)
class Refusal:
    """Hold why something is refused: the rule, the gateway's own words, ours, and the remedy."""

    rule: str
    reason: str
    message: str
    remedy: str = ""

    def finding(self, level: str = "") -> Finding:
        """Return the refusal as a finding."""
        return find(self.rule, self.message, self.remedy, level=level)


@dataclass(frozen=True)
class GatewayVerdict:
    """Say whether one gateway loads the artifact, by which variant, and in its own words why not."""

    gateway: str
    loads: bool
    variant: Variant | None = None
    reason: str = ""
    rule: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", printable(self.reason, lines=True, limit=2000))

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ModuleFacts:
    """Name the module the verdict is about."""

    size: int
    digest: str
    abi: str
    imports: int

    def to_json(self) -> dict[str, Any]:
        """Return the facts as plain values; `size` in bytes."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """Hold what every gateway would say, and every finding."""

    gateways: tuple[GatewayVerdict, ...]
    findings: tuple[Finding, ...] = ()
    module: ModuleFacts | None = None
    digest: str = ""
    """Digest of the image manifest gateways compare `sha256` with: an index's linux/amd64 child, not the index."""
    url: str = ""
    """What a gateway's `url` must be, with `digest` as its `sha256`; empty for what no gateway pulls."""
    _by_name: Mapping[str, GatewayVerdict] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {gate.gateway: gate for gate in self.gateways})

    def loads(self, gateway: str) -> bool:
        """Return whether `gateway` loads the artifact; raise KeyError for a gateway that was not judged."""
        return self._by_name[gateway].loads

    @property
    def variant(self) -> Variant | None:
        """Return the variant by which the artifact was unpacked, or None."""
        return next((gate.variant for gate in self.gateways if gate.variant), None)

    @property
    def portability(self) -> Portability:
        """Return where the artifact loads."""
        loading = {gate.gateway for gate in self.gateways if gate.loads}
        known: dict[frozenset[str], Portability] = {
            frozenset(self._by_name): "portable",
            frozenset({HIGRESS.name}): "higress-only",
            frozenset(self._by_name.keys() - {HIGRESS.name}): "upstream-only",
            frozenset(): "unloadable",
        }
        return known.get(frozenset(loading), "partial")

    @property
    def summary(self) -> str:
        """Return the verdict in one line."""
        phrase = _PHRASES.get(self.portability) or self._partly()
        how = f" as {self.variant} variant" if self.variant and self.portability != "unloadable" else ""
        cause = next((f": {f.rule} {f.message}" for f in self.findings if f.level == ERROR), "")
        warnings = sum(finding.level == WARNING for finding in self.findings)
        counted = f"; {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
        return " ".join(f"{phrase}{how}{cause}{counted}".split())

    def _partly(self) -> str:
        titles = {loads: [HOSTS[g.gateway].title for g in self.gateways if g.loads == loads] for loads in (True, False)}
        return f"loads on {', '.join(titles[True])}, not on {', '.join(titles[False])}"

    def require(self, gateways: Iterable[str], *, subject: str = "") -> None:
        """Raise VerdictError where one of `gateways` would not load the artifact, or an E rule is broken."""
        refused = [self._by_name[name] for name in gateways if not self.loads(name)]
        errors = [finding for finding in self.findings if finding.level == ERROR]
        if not refused and not errors:
            return
        said = [f"{HOSTS[gate.gateway].title} would not load it ({gate.rule}): {gate.reason}" for gate in refused]
        said += [f"{finding.rule}: {finding.message}" for finding in errors]
        rules = {gate.rule for gate in refused}
        remedies = (f.remedy for f in (*errors, *self.findings) if f.level == ERROR or f.rule in rules | {"M7"})
        raise VerdictError("\n  ".join(said), subject=subject, remedy=next(remedies, ""))

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain values, for a file or an answer."""
        return {
            "summary": self.summary,
            "portability": self.portability,
            "variant": self.variant,
            "digest": self.digest,
            "url": self.url,
            "sha256": self.digest.removeprefix("sha256:"),
            "gateways": [gate.to_json() for gate in self.gateways],
            "findings": [finding.to_json() for finding in self.findings],
            "module": self.module.to_json() if self.module else None,
        }

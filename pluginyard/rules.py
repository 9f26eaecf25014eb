"""The checker's rules: one row each, with level, title and remedy.

Sources: the loaders of Istio and Envoy Gateway, Envoy's proxy-wasm host, Higress's image specification.
Levels: E a gateway cannot load it, W it departs from the Higress document, I for information.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pluginyard.printable import printable

ERROR, WARNING, INFORMATION = "E", "W", "I"
_LONGEST = 600


@dataclass(frozen=True)
class Rule:
    """Name one thing that is checked."""

    id: str
    level: str
    title: str
    remedy: str


_ROWS = (
    ("M1", "E", "the reference leads to an image manifest",
     "publish an OCI image manifest, or an index with a linux/amd64 child"),
    ("M2", "E", "the layers are a docker, compat or oci variant",
     "make the last layer a tar.gz with plugin.wasm, of type application/vnd.oci.image.layer.v1.tar+gzip"),
    ("M3", "E", "the archive holds plugin.wasm as a regular file within 256 MiB",
     "pack one regular file named plugin.wasm as tar.gz"),
    ("M4", "W", "the archive holds plugin.wasm and nothing else", "pack only plugin.wasm, at the top"),
    ("M5", "E", "the module is a wasm module", "build the module again"),
    ("M6", "E", "a gateway's host links the module",
     "build with a proxy-wasm SDK (Go: proxy-wasm-go-sdk, Rust: the crate proxy-wasm) of an ABI version that it knows"),
    ("M7", "W", "the module loads on every gateway, not only on Higress",
     "use an SDK that exports ABI 0.2.0 or 0.2.1 and no Higress-only function, or keep to Higress"),
    ("M8", "W", "every layer has a media type of the specification, each once", "publish the specified layers only"),
    ("M9", "W", "the archive is the last layer", "push plugin.tar.gz as the last layer"),
    ("M10", "W", "spec.yaml and README.md are among the layers", "add the missing document to the plugin's folder"),
    ("M11", "W", "translations are README_ZH.md or README_EN.md, and the type says the same language",
     "name the file README_ZH.md or README_EN.md"),
    ("M12", "W", "digest and size of every layer agree with its content; no foreign URLs",
     "push the artifact again; mirror it registry to registry, never through docker pull"),
    ("M13", "I", "the config has a media type registries know",
     "use application/vnd.oci.image.config.v1+json where a registry refuses it"),
    ("M14", "I", "no time stamp makes two pushes differ", "fix org.opencontainers.image.created, e.g. to the commit"),
    ("M15", "W", "icon.png is a PNG", "convert the icon to PNG"),
    ("S1", "W", "spec.yaml parses, without duplicate keys, with the required fields and their types",
     "correct spec.yaml"),
    ("S2", "W", "info.version, the tag and VERSION agree", "write the released version into spec.yaml and VERSION"),
    ("S3", "W", "examples satisfy their own schema; required properties exist", "correct the example or the schema"),
    ("S4", "W", "phase, category and scope are known", "use a known value"),
    ("T1", "E", "repository and tag are legal", "use a lower-case repository and a tag of A-Z a-z 0-9 _ . -"),
    ("T2", "W", "the version tag and latest name the same digest", "tag the pushed digest, do not push twice"),
    ("T3", "E", "a digest in the address is the image's, not that of an index", "name the linux/amd64 image's digest"),
)  # fmt: skip
RULES: Mapping[str, Rule] = {row[0]: Rule(*row) for row in _ROWS}


@dataclass(frozen=True)
class Finding:
    """Say that a rule is not kept: what is so, and what to do about it."""

    rule: str
    level: str
    message: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the finding as plain values."""
        return asdict(self)


def find(rule: str, message: str, remedy: str = "", *, level: str = "") -> Finding:
    """Return a finding of `rule`, with the rule's own level and remedy where none is given."""
    known = RULES[rule]
    said, advised = (printable(text, lines=True, limit=_LONGEST) for text in (message, remedy or known.remedy))
    return Finding(rule, level or known.level, said, advised)

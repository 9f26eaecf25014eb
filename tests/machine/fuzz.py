"""Let atheris look, guided by coverage, for an input that a reader fails at.

`python -m tests.machine.fuzz TARGET RUNS FOLDER`; FOLDER keeps what it learns.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pluginyard", "yaml"]):
    from tests.machine.fuzz_targets import TARGETS, mutate


def main() -> None:
    """Fuzz one target; the process ends with a code other than 0 for an error that is not the target's own."""
    name, runs, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    for number, seed in enumerate(TARGETS[name].seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    limits = ("-max_len=8192", "-mutate_depth=2", "-timeout=10", "-rss_limit_mb=2048", "-seed=7", "-verbosity=0")
    options = [str(folder), f"-runs={runs}", f"-artifact_prefix={folder}/crash-", *limits]
    atheris.Setup([sys.argv[0], *options], TARGETS[name], custom_mutator=_change)
    atheris.Fuzz()


def _change(content: bytes, longest: int, seed: int) -> bytes:
    if seed % 2:
        return bytes(atheris.Mutate(content, longest))
    return mutate(content, random.Random(seed))[:longest]


if __name__ == "__main__":
    main()

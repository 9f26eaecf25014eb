"""The digest of what decides a deployment: the index, and the code that its form comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path

INDEX = "prefect.yaml"
_FORMS = ("flows/*.py", "pluginyard/**/*.py")


def digest_deployed(project: Path) -> str:
    """Return the digest of these files of the folder `project`."""
    files = [project / INDEX, *(file for pattern in _FORMS for file in sorted(project.glob(pattern)))]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()

"""Send git elsewhere than where a URL says."""

from __future__ import annotations

from pathlib import Path

import pytest


def stand_in_for(monkeypatch: pytest.MonkeyPatch, settings: Path, address: str, other: str) -> None:
    """Let every git of this test reach `other` where a URL begins with `address`, by the user's own configuration."""
    settings.write_text(f'[url "{other}"]\n\tinsteadOf = {address}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))

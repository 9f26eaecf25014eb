from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deployments.register.digest import digest_deployed

PROJECT = Path(__file__).parents[3]
ROOMS = sorted(path.name for path in (PROJECT / "pluginyard").iterdir() if (path / "__init__.py").exists())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project")
    for folder in ("flows", "pluginyard"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "prefect.yaml", copy)
    return copy


def changes(project: Path, file: Path) -> bool:
    """Return whether one more line in a file is another digest; the file is as it was after."""
    before, text = digest_deployed(project), file.read_bytes()
    file.write_bytes(text + b"# changed\n")
    after = digest_deployed(project)
    file.write_bytes(text)
    assert digest_deployed(project) == before
    return after != before


@pytest.mark.parametrize("room", ROOMS)
def test_a_change_in_any_file_of_any_room_is_deployed(project: Path, room: str) -> None:
    files = [*(project / "pluginyard" / room).rglob("*.py")]
    assert files
    assert all(changes(project, file) for file in files)


@pytest.mark.parametrize("name", ["prefect.yaml", "flows/publish_plugin.py", "pluginyard/parsing.py"])
def test_a_change_of_the_index_or_a_flow_is_deployed(project: Path, name: str) -> None:
    assert changes(project, project / name)

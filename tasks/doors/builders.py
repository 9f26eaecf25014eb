"""Read the builders' folders: those that pluginyard ships, and those of a site."""

from __future__ import annotations

from pathlib import Path

from pluginyard.builds import Builder, load_builder
from pluginyard.errors import ConfigurationError

LARGEST_FILE = 16 * 1024 * 1024


def shipped_builders_folder() -> Path:
    """Return the folder of the builders that pluginyard ships: in the source tree, or as it was installed."""
    import tasks

    top = Path(tasks.__file__).resolve().parent.parent
    return next(
        (folder for folder in (top / "builders", top / "pluginyard_data" / "builders") if folder.is_dir()),
        top / "builders",
    )


def find_builders(site_folder: str = "") -> dict[str, Builder]:
    """Return every builder by name; one in `site_folder` comes before a shipped one of the same name.

    Raises ConfigurationError for the first folder that is not valid.
    """
    folders = [shipped_builders_folder()]
    if site_folder:
        folders.append(Path(site_folder))
        if not folders[-1].is_dir():
            raise ConfigurationError("there is no such folder", subject=site_folder, remedy="fix PLUGINYARD_BUILDERS")
    found: dict[str, Builder] = {}
    for folder in folders:
        for path in sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith(".")):
            found[path.name] = load_builder(path.name, _read_files(path))
    return found


def _read_files(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigurationError("the file is above 16 MiB", subject=str(path), remedy="fetch it in the Dockerfile")
        files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files

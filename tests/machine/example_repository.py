"""Make the example plugins a real git repository. Standard library only: the demo runs it too.

`python -m tests.machine.example_repository FOLDER` makes one; the same sources give the same commit ids.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
HIGRESS_PLUGINS = EXAMPLES / "higress-plugins"
BROKEN_PLUGINS = EXAMPLES / "broken-plugins"

_LANGUAGES = {"go": "plugins/wasm-go/extensions", "rust": "plugins/wasm-rust/extensions"}
_MARK = "pluginyard.example"
# 2026-01-01: whatever the day, the commit and so the digest of what is published stay the same.
_DATE = "1767225600 +0000"
_BUILT = shutil.ignore_patterns("target", "plugin.wasm", ".git", "__pycache__")
# Nothing of the user's settings: signing, hooks or line ends would make other commits.
_GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_AUTHOR_NAME": "Example Author",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_AUTHOR_DATE": _DATE,
    "GIT_COMMITTER_NAME": "Example Author",
    "GIT_COMMITTER_EMAIL": "author@example.com",
    "GIT_COMMITTER_DATE": _DATE,
}


def git_environment() -> dict[str, str]:
    """Return the environment in which git makes the same commits everywhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _GIT_ENVIRONMENT


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` with fixed dates and without the user's settings; return what it printed."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=git_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def make_repository(folder: Path, source: Path = HIGRESS_PLUGINS) -> Path:
    """Make `folder` a git repository of `source` with a release tag for each plugin; return `folder`.

    A repository made here before is made anew; any other folder that is not empty is left alone.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / ".git").is_dir() or git(folder, "config", "--default", "", "--get", _MARK) != "true":
            raise RuntimeError(f"{folder} is not empty and not an example repository: choose another folder")
        shutil.rmtree(folder)
    shutil.copytree(source, folder, ignore=_BUILT, symlinks=True, dirs_exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch", "main", "--template", "")
    git(folder, "config", _MARK, "true")
    commit(folder, "Add the example plugins")
    for tag in release_tags(folder):
        git(folder, "tag", tag)
    return folder


def commit(folder: Path, message: str) -> str:
    """Commit everything in `folder`; return the commit's id."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def release_tags(folder: Path) -> tuple[str, ...]:
    """Return the tag of each plugin in `folder`, by its VERSION file."""
    versions = ((language, each) for language, path in _LANGUAGES.items() for each in (folder / path).glob("*/VERSION"))
    return tuple(
        sorted(f"wasm-{language}-{each.parent.name}-v{each.read_text().strip()}" for language, each in versions)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the example plugins a git repository with release tags.")
    parser.add_argument("folder", type=Path)
    chosen = make_repository(parser.parse_args().folder)
    print(f"{chosen} at {git(chosen, 'rev-parse', 'HEAD')}")
    print("\n".join(release_tags(chosen)))

"""The GitHub Action's one step: publish what the workflow run is about, and report it there (see action.yml).

Whatever comes from outside (inputs, names of tags) comes as environment and goes on as arguments: no shell reads it.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pluginyard.errors import PluginyardError
from pluginyard.forms import choose_arguments, choose_environment
from pluginyard.printable import printable, printable_values
from pluginyard.releases import PublishedPlugin
from pluginyard.reports import render_markdown


def main() -> int:
    """Publish, write outputs and summary, and return the command's exit code."""
    try:
        command = [sys.executable, "-m", "flows", "publish", "--output=json", *choose_arguments(os.environ)]
    except PluginyardError as error:
        return _fail(str(error), error.exit_code)
    done = subprocess.run(  # arguments, no shell
        command, env=choose_environment(os.environ), stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return _fail(f"pluginyard ended with exit code {done.returncode}", done.returncode or 1)
    if "error" in result:
        fault = result["error"]
        return _fail(": ".join(filter(None, (fault["subject"], fault["message"]))), done.returncode, fault["remedy"])
    result = printable_values(result, lines=True)
    _write_outputs(result)
    published = PublishedPlugin(**{name: result[name] for name in PublishedPlugin.__dataclass_fields__})
    _append("GITHUB_STEP_SUMMARY", render_markdown(published))
    print(printable(f"{result['reference']}@{result['digest']}: {result['verdict']['summary']}"))
    return done.returncode


def _write_outputs(result: Mapping[str, Any]) -> None:
    outputs = {
        "reference": result["reference"],
        "digest": result["digest"],
        "verdict": result["verdict"]["summary"],
        "published": json.dumps(result["published"]),
    }
    for name, value in outputs.items():
        end = secrets.token_hex(16)  # a value cannot end itself and begin another output
        _append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n")


def _fail(message: str, code: int, remedy: str = "") -> int:
    """Report an error; a workflow command ends at a line break, so those are escaped."""
    text = "\n".join(filter(None, (message, f"remedy: {remedy}" if remedy else "")))
    text = printable(text, lines=True)
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=pluginyard::{escaped}")
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    _append("GITHUB_STEP_SUMMARY", f"# Not published\n\n{indented}\n")
    return code


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable, ""):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())

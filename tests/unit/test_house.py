"""The house stands as CONTRIBUTING.md says: rooms with one door, short files and functions, one name a thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOUSE = ("pluginyard", "tasks", "flows", "deployments")
FILES = {path: ast.parse(path.read_text()) for top in HOUSE for path in sorted((ROOT / top).rglob("*.py"))}
# What a room is asked for by others, it offers itself. Flows and commands are named by file, as Prefect names them, and
# the page of all settings and commands imports every room, for one chore.
ROOMS = {path.parent for path in FILES if path.name == "__init__.py"} - {ROOT / "flows", ROOT / "deployments"}
APART = {"flows.commands", "tasks.doors", "pluginyard.reports.reference"}
MOST_FILES, MOST_LINES, MOST_FUNCTION_LINES = 13, 250, 40


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(FILES[path]):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_who_stands_outside_a_room_imports_from_the_room() -> None:
    rooms = {module_of(room / "__init__.py") for room in ROOMS}
    wrong = []
    for path in FILES:
        me = module_of(path)
        for module in imports_of(path):
            room = module.rpartition(".")[0]
            if room in rooms - APART and module not in rooms | APART and not f"{me}.".startswith(f"{room}."):
                wrong.append(f"{me} imports {module}")
    assert [line for line in wrong if "." in line.partition(" imports ")[2].partition(".")[2]] == []


def test_no_room_has_more_files_than_are_seen_at_a_glance() -> None:
    counts = {module_of(room / "__init__.py"): len(list(room.glob("*.py"))) - 1 for room in ROOMS}
    assert {room: count for room, count in counts.items() if count > MOST_FILES} == {}


def test_no_file_and_no_function_is_long() -> None:
    files = {module_of(path): path.read_text().count("\n") for path in FILES}
    functions = {
        f"{module_of(path)}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in files.items() if lines > MOST_LINES} == {}
    assert {name: lines for name, lines in functions.items() if lines > MOST_FUNCTION_LINES} == {}


def test_no_name_stands_for_two_things() -> None:
    places = defaultdict(set)
    for path, tree in FILES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and node.name[0] != "_"):
                places[node.name.lstrip("_")].add(module_of(path))
    verbs = {"main", "run", "render", "add_arguments"}  # of every command line, of every verb
    assert {name: sorted(where) for name, where in places.items() if len(where) > 1 and name not in verbs} == {}

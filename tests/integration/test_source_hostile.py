"""Local repositories that mean no good: nothing they name is run, and nothing changes what a commit is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.__main__ import main
from pluginyard.errors import SourceError
from tasks.doors import sources
from tasks.doors.sources import plumbing, releases
from tests.machine.example_repository import commit, git, git_environment
from tests.machine.git_canaries import PROGRAMS, missing_settings, put_canaries

FOLDER = "plugins/wasm-go/extensions/small"
TAG = "wasm-go-small-v1.0.0"


def write_object(repository: Path, kind: str, content: bytes) -> str:
    """Write an object as it is, whether git would make it or not; return its id."""
    command = ["git", "-C", str(repository), "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
    done = subprocess.run(command, input=content, env=git_environment(), capture_output=True, check=True)
    return done.stdout.decode().strip()


def read_object(repository: Path, name: str) -> bytes:
    command = ["git", "-C", str(repository), "cat-file", git(repository, "cat-file", "-t", name), name]
    return subprocess.run(command, env=git_environment(), capture_output=True, check=True).stdout


def loose(repository: Path, name: str) -> Path:
    identity = git(repository, "rev-parse", name)
    return repository / ".git/objects" / identity[:2] / identity[2:]


def read_all(repository: Path, ref: str = "") -> dict[str, bytes]:
    with sources.CommitReader(sources.open_source(str(repository), ref=ref, cache=repository)) as commit:
        return {file.path: commit.read(file) for file in commit.tree.files}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Give a repository of two commits: a plugin, whose tag and last commit are signed."""
    folder = tmp_path / "repository"
    (folder / FOLDER).mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", "main", "--template", "")
    (folder / FOLDER / "go.mod").write_text("module small\n")
    (folder / FOLDER / "main.go").write_text("package main\n")
    commit(folder, "a plugin")
    (folder / FOLDER / "main.go").write_text("package main\n\nfunc main() {}\n")
    commit(folder, "better")
    signature = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\n"
    signed = write_object(folder, "commit", read_object(folder, "HEAD").replace(b"\n\n", b"\n" + signature, 1))
    git(folder, "update-ref", "refs/heads/main", signed)
    tag = f"object {signed}\ntype commit\ntag {TAG}\ntagger A <a@example.com> 1767225600 +0000\n\nx\n".encode()
    tag += b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
    git(folder, "update-ref", f"refs/tags/{TAG}", write_object(folder, "tag", tag))
    return folder


@pytest.fixture
def plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[object], tuple[int, str]]:
    """Give `pluginyard plan` of the small plugin in a repository: its exit code, and all that it printed."""
    monkeypatch.setenv("PLUGINYARD_ENGINE", "container")
    monkeypatch.setenv("PLUGINYARD_CACHE", str(tmp_path / "cache"))

    def run(address: object, *arguments: str) -> tuple[int, str]:
        named = arguments or ("--tag", TAG)
        code = main(["plan", "--repository", str(address), *named, "--registry", "oci:x"])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_the_table_of_settings_that_name_a_program_has_all_of_the_installed_git() -> None:
    assert missing_settings() == set()
    assert len(PROGRAMS) >= 40


def test_no_program_that_a_repositorys_configuration_names_is_run(
    repository: Path, tmp_path: Path, plan: Callable[..., tuple[int, str]]
) -> None:
    expected = plan(repository)
    assert expected[0] == 0
    canaries = put_canaries(repository / ".git", tmp_path / "canaries")
    assert plan(repository) == expected
    assert plan(repository, "--plugin", "small", "--version", "1.0.0")[0] == 0
    assert len(sources.read_git_tags(str(repository), cache=tmp_path)) == 1
    source = sources.open_source(str(repository), cache=tmp_path)
    with sources.CommitReader(source) as commit:
        assert len(list(sources.read_context(source, commit.tree.files))) == len(commit.tree.files)
    loose(repository, f"HEAD:{FOLDER}/main.go").unlink()
    code, said = plan(repository)
    assert (code, f"{FOLDER}/main.go" in said) == (4, True), said
    assert plan(f"file://{repository}")[0] == 4, "a remote of this machine fetches nothing either"
    assert canaries.ran == []


@pytest.mark.parametrize(
    ("command", "ran"),
    [
        ("show --no-patch", "gpg.openpgp.program"),
        (f"cat-file blob {'1' * 40}", "remote.origin.uploadpack"),
        ("status", "core.fsmonitor"),
        ("add --renormalize .", "filter.canary.process"),
    ],
)
def test_the_programs_are_run_by_commands_for_people(command: str, ran: str, repository: Path, tmp_path: Path) -> None:
    canaries = put_canaries(repository / ".git", tmp_path / "canaries")
    asked = ["git", "-C", str(repository), *command.split()]
    subprocess.run(asked, env=git_environment(), capture_output=True, check=False)
    assert ran in canaries.ran, "what the test above is about"


def _replace(repository: Path, name: str, content: bytes) -> None:
    kind = git(repository, "cat-file", "-t", name)
    git(repository, "replace", git(repository, "rev-parse", name), write_object(repository, kind, content))


def _replace_commit(repository: Path) -> None:
    _replace(repository, "HEAD", read_object(repository, "HEAD~1"))


def _replace_folder(repository: Path) -> None:
    _replace(repository, f"HEAD:{FOLDER}", read_object(repository, f"HEAD~1:{FOLDER}"))


def _replace_file(repository: Path) -> None:
    _replace(repository, f"HEAD:{FOLDER}/main.go", b"evil\n")


def _graft(repository: Path) -> None:
    orphan = git(repository, "commit-tree", "HEAD^{tree}", "-m", "evil")
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/grafts").write_text(f"{git(repository, 'rev-parse', 'HEAD')} {orphan}\n")


def _cut_off(repository: Path) -> None:
    (repository / ".git/shallow").write_text(git(repository, "rev-parse", "HEAD") + "\n")


def _forge_commit_graph(repository: Path) -> None:
    """Have the commit-graph say that the parent of HEAD is HEAD's own tree of another commit."""
    orphan = git(repository, "commit-tree", "HEAD^{tree}", "-m", "evil")
    git(repository, "update-ref", "refs/heads/evil", orphan)
    git(repository, "commit-graph", "write", "--reachable")
    path = repository / ".git/objects/info/commit-graph"
    known = sorted(git(repository, "rev-list", "--all").split())
    content = bytearray(path.read_bytes())
    tree = bytes.fromhex(git(repository, "rev-parse", "HEAD^{tree}"))
    parent = known.index(git(repository, "rev-parse", "HEAD~1")).to_bytes(4, "big")
    place = content.index(tree + parent)
    content[place + 20 : place + 24] = known.index(orphan).to_bytes(4, "big")
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "change", [_replace_commit, _replace_folder, _replace_file, _graft, _cut_off, _forge_commit_graph]
)
def test_a_commit_is_what_its_id_says_whatever_the_repository_puts_in_its_place(
    change: Callable[[Path], None], repository: Path, plan: Callable[..., tuple[int, str]]
) -> None:
    expected = plan(repository), read_all(repository), read_all(repository, "HEAD~1")
    before = git(repository, "log", "--format=%H", "-2", "--patch")
    change(repository)
    assert git(repository, "log", "--format=%H", "-2", "--patch") != before, "people see another commit"
    assert (plan(repository), read_all(repository), read_all(repository, "HEAD~1")) == expected


@pytest.mark.parametrize("name", ["HEAD", f"HEAD:{FOLDER}", f"HEAD:{FOLDER}/main.go"])
@pytest.mark.parametrize("where", ["loose", "alternate"])
def test_an_object_that_is_not_what_its_id_says_is_refused(
    name: str, where: str, repository: Path, tmp_path: Path, plan: Callable[..., tuple[int, str]]
) -> None:
    forged, true = loose(repository, name.replace("HEAD", "HEAD~1", 1)), loose(repository, name)
    content = forged.read_bytes()
    true.unlink()
    if where == "alternate":
        (repository / ".git/objects/info").mkdir(exist_ok=True)
        (repository / ".git/objects/info/alternates").write_text(f"{tmp_path}/elsewhere\n")
        true = tmp_path / "elsewhere" / true.parent.name / true.name
        true.parent.mkdir(parents=True)
    true.write_bytes(content)
    code, said = plan(repository, "--plugin", "small")
    if code == 0:  # a file that nobody needs for a plan
        with pytest.raises(SourceError, match="is missing or corrupt"):
            read_all(repository)
    else:
        assert code == 4, said


def _with_time(repository: Path, written: bytes) -> str:
    head, _, rest = read_object(repository, "HEAD~1").partition(b"\ncommitter ")
    person = rest.partition(b"> ")[0]
    return write_object(repository, "commit", head + b"\ncommitter " + person + b"> " + written + b"\n\nx\n")


@pytest.mark.parametrize("written", [b"253402300800 +0000", b"9" * 30 + b" +0000", b"-1 +0000", b"yesterday", b""])
def test_a_commit_of_no_known_time_is_an_error(
    written: bytes, repository: Path, plan: Callable[..., tuple[int, str]]
) -> None:
    git(repository, "update-ref", f"refs/tags/{TAG}", _with_time(repository, written))
    code, said = plan(repository)
    assert (code, "which is no date" in said) == (4, True), said


def tree_of(*entries: tuple[bytes, bytes, str]) -> bytes:
    return b"".join(mode + b" " + name + b"\0" + bytes.fromhex(identity) for mode, name, identity in entries)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([(b"100644", b"..")], "'..', which git would not check out"),
        ([(b"100644", b"../../evil")], "'../../evil'"),
        ([(b"100644", b".GIT")], "'.GIT'"),
        ([(b"100644", b"")], "''"),
        ([(b"100644", b"a"), (b"100755", b"a")], "'a'"),
        ([(b"100644", b"\x1b[2J/")], r"'\x1b[2J/'"),
        ([(b"170000", b"a")], "not a tree object"),
        ([(b"words", b"a")], "not a tree object"),
    ],
)
def test_a_folder_that_git_would_not_check_out_is_refused(
    entries: list[tuple[bytes, bytes]], said: str, repository: Path, plan: Callable[..., tuple[int, str]]
) -> None:
    blob = git(repository, "rev-parse", f"HEAD:{FOLDER}/main.go")
    tree = write_object(repository, "tree", tree_of(*((mode, name, blob) for mode, name in entries)))
    git(repository, "update-ref", f"refs/tags/{TAG}", git(repository, "commit-tree", tree, "-m", "odd"))
    code, printed = plan(repository)
    assert code == 4
    assert said in printed


def test_folders_in_folders_that_multiply_are_refused_soon(
    repository: Path, plan: Callable[..., tuple[int, str]]
) -> None:
    below = git(repository, "rev-parse", f"HEAD:{FOLDER}")
    for _ in range(10):
        below = write_object(repository, "tree", tree_of(*((b"40000", b"%d" % number, below) for number in range(10))))
    git(repository, "update-ref", f"refs/tags/{TAG}", git(repository, "commit-tree", below, "-m", "bomb"))
    code, said = plan(repository)
    assert (code, "more than 250,000 files" in said) == (4, True), said


@pytest.mark.parametrize("name", ["HEAD~0", "HEAD^{tree}", f"HEAD:{FOLDER}", f"HEAD:{FOLDER}/go.mod"])
def test_an_object_that_is_missing_is_named(name: str, repository: Path, plan: Callable[..., tuple[int, str]]) -> None:
    identity = git(repository, "rev-parse", name)
    loose(repository, name).unlink()
    code, said = plan(repository)
    assert (code, identity in said, "remedy: " in said) == (4, True, True), said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[core\n", "bad config line 1 in file .*\n  remedy: fix git's configuration"),
        ("[core]\n\tbare = perhaps\n", "bad boolean config value 'perhaps'.*\n  remedy: fix git's configuration"),
        ("[core]\n\trepositoryFormatVersion = 99\n", "found 99\n  remedy: use a newer git"),
        (
            "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\todd = 1\n",
            "extension found:\n  remedy: use a newer git",
        ),
        ("\0\1\2\n", "bad config line 1"),
    ],
)
def test_a_configuration_that_git_cannot_read_is_an_error_with_a_remedy(
    config: str, said: str, repository: Path
) -> None:
    (repository / ".git/config").write_text(config)
    with pytest.raises(SourceError, match=said):
        sources.open_source(str(repository), cache=repository)


def test_a_configuration_that_includes_a_pipe_ends_with_the_time_limit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(repository / ".git/pipe")
    git(repository, "config", "include.path", "pipe")
    monkeypatch.setattr(plumbing, "ANSWER_SECONDS", 1)
    with pytest.raises(SourceError, match="git gives no answer within 1 s"):
        sources.open_source(str(repository), cache=repository)


def test_a_file_above_what_is_read_is_refused_before_it_is_read(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / FOLDER / "go.mod").write_text("module small\n" + "// \n" * 1000)
    commit(repository, "large")
    source = sources.open_source(str(repository), cache=repository)
    with sources.CommitReader(source) as reader:
        file = reader.tree.file(f"{FOLDER}/go.mod")
        assert file
        with pytest.raises(SourceError, match=rf"has 4,013 bytes, and 1,000 are read at most; it is {file.path}"):
            reader.read(file, 1000)


def test_more_than_anybody_compiles_is_not_copied(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = sources.open_source(str(repository), cache=repository)
    monkeypatch.setattr(releases, "LARGEST_CONTEXT", 40)
    with sources.CommitReader(source) as reader, pytest.raises(SourceError, match="has 42 bytes, and 40 are copied"):
        sources.size_of_context(source, reader.tree.files)


def test_names_that_are_no_text_hinder_nobody_where_no_plugin_lies(
    repository: Path, plan: Callable[..., tuple[int, str]]
) -> None:
    (repository / os.fsdecode(b"caf\xe9")).mkdir()
    (repository / os.fsdecode(b"caf\xe9/\xff\n")).write_text("x")
    commit(repository, "odd names")
    git(repository, "tag", os.fsdecode(b"tag-\xe9"))
    assert plan(repository, "--plugin", "small")[0] == 0
    assert len(sources.read_git_tags(str(repository), cache=repository)) == 2

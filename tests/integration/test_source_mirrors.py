"""Mirrors of URLs: what they hold, how they follow their origin, and how they are made anew."""

from __future__ import annotations

import contextlib
import functools
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pluginyard.errors import SourceError, SourceUnavailableError
from pluginyard.sources import Source
from tasks.doors import sources
from tests.machine.certificates import make_certificate
from tests.machine.example_repository import commit, git


@pytest.fixture
def url(small_repository: Path) -> str:
    return f"file://{small_repository}"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def heads_of(mirror: Path) -> set[str]:
    return set(git(mirror, "for-each-ref", "--format", "%(refname)").split())


def test_a_run_without_a_ref_follows_the_default_branch_wherever_it_goes(
    small_repository: Path, url: str, cache: Path
) -> None:
    first = sources.open_source(url, cache=cache)
    git(small_repository, "checkout", "--quiet", "-b", "next")
    second = commit_more(small_repository)
    assert second != first.commit
    assert sources.open_source(url, cache=cache).commit == second
    git(small_repository, "branch", "--delete", "main")
    assert sources.open_source(url, cache=cache).commit == second
    git(small_repository, "symbolic-ref", "HEAD", "refs/heads/gone")
    with pytest.raises(SourceError, match=r"no commit, tag or branch HEAD\n.*there are: next"):
        sources.open_source(url, cache=cache)
    assert sources.open_source(url, ref="next", cache=cache).commit == second


def test_a_mirror_holds_branches_and_tags_and_a_pull_request_only_where_it_is_asked_for(
    small_repository: Path, url: str, cache: Path
) -> None:
    git(small_repository, "tag", "one")
    git(
        small_repository,
        "update-ref",
        "refs/pull/7/head",
        git(small_repository, "commit-tree", "HEAD^{tree}", "-m", "theirs"),
    )
    mirror = Path(sources.open_source(url, cache=cache).git_folder)
    assert heads_of(mirror) == {"refs/heads/main", "refs/tags/one", "refs/pluginyard/HEAD"}
    theirs = sources.open_source(url, ref="refs/pull/7/head", cache=cache)
    assert theirs.commit == git(small_repository, "rev-parse", "refs/pull/7/head")
    with pytest.raises(SourceError, match="remote ref refs/pull/8/head"):
        sources.open_source(url, ref="refs/pull/8/head", cache=cache)


@pytest.mark.parametrize("left", ["packed-refs.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x"])
def test_what_a_killed_git_left_in_a_mirror_hinders_nobody(
    left: str, small_repository: Path, url: str, cache: Path
) -> None:
    git(small_repository, "branch", "passing")
    mirror = Path(sources.open_source(url, cache=cache).git_folder)
    (mirror / left).touch()
    git(small_repository, "branch", "--delete", "passing")
    news = commit_more(small_repository)
    assert sources.open_source(url, cache=cache).commit == news
    assert not (mirror / left).exists()


def _break_objects(mirror: Path) -> None:
    for path in (mirror / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x")


def _lose_objects(mirror: Path) -> None:
    for path in (mirror / "objects").rglob("*"):
        if path.is_file():
            path.unlink()


def _break_head(mirror: Path) -> None:
    (mirror / "HEAD").write_text("ref: refs/heads/main\n")


def _break_refs(mirror: Path) -> None:
    (mirror / "refs/heads/main").write_text("")


@pytest.mark.parametrize("damage", [_break_objects, _lose_objects, _break_head, _break_refs])
@pytest.mark.parametrize("moves", [True, False], ids=["with news", "without news"])
def test_a_damaged_mirror_is_made_anew(
    damage: Callable[[Path], None], moves: bool, small_repository: Path, url: str, cache: Path
) -> None:
    damage(Path(sources.open_source(url, cache=cache).git_folder))
    if moves:
        commit_more(small_repository)
    with contextlib.suppress(SourceUnavailableError):  # what git notices late is repaired by the task's next try
        sources.open_source(url, cache=cache)
    source = sources.open_source(url, cache=cache)
    assert source.commit == git(small_repository, "rev-parse", "HEAD")
    assert read_all(source) == {"file": b"content\n"}


def test_a_file_that_lies_in_a_mirror_in_part_is_an_error_and_made_anew_by_the_next_run(
    small_repository: Path, url: str, cache: Path
) -> None:
    source = sources.open_source(url, cache=cache)
    blob = git(small_repository, "rev-parse", "HEAD:file")
    path = Path(source.git_folder) / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(SourceError, match="was damaged: .*; it is file") as failure:
        read_all(source)
    assert failure.value.transient
    assert read_all(sources.open_source(url, cache=cache)) == {"file": b"content\n"}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def over_tls(small_repository: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Give the address of the repository by HTTPS, and the certificate of its server."""
    git(small_repository, "update-server-info")
    certificate, key, _ = make_certificate(tmp_path)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(small_repository / ".git"))
    ) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", certificate
        server.shutdown()


def test_git_trusts_the_authorities_of_the_site(
    over_tls: tuple[str, Path], small_repository: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url, certificate = over_tls
    with pytest.raises(SourceError) as refused:
        sources.open_source(url, cache=cache)
    assert not refused.value.transient, "a certificate does not become trusted by trying again"
    assert "PLUGINYARD_CA_BUNDLE" in refused.value.remedy
    source = sources.open_source(url, cache=cache, ca_bundle=str(certificate))
    assert source.commit == git(small_repository, "rev-parse", "HEAD")


def commit_more(repository: Path) -> str:
    (repository / "more").write_text("more\n")
    return commit(repository, "more")


def read_all(source: Source) -> dict[str, bytes]:
    with sources.CommitReader(source) as commit:
        return {file.path: commit.read(file) for file in commit.tree.files if file.path != "more"}

"""The door to git against remotes that mean no good."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pluginyard.errors import SourceError
from tasks.doors import sources
from tasks.doors.sources import repositories


def test_a_remote_that_never_answers_ends_with_the_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "FETCH_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceError) as failure:
        sources.open_source(f"git://127.0.0.1:{silent.getsockname()[1]}/plugins", cache=tmp_path)
    assert failure.value.transient
    assert "no answer within 1 s" in failure.value.message


@pytest.mark.parametrize("address", ["ext::touch@host:pwned", "ext::sh -c touch% pwned a@b:c"])
def test_an_address_that_would_run_a_program_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError):
        sources.open_source(address, cache=tmp_path / "cache")
    assert not list(tmp_path.rglob("pwned"))

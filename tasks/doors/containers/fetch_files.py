"""What of this machine the fetch container is given: certificate authorities, and the passwords of hosts."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from pluginyard.builds import CA_FILE, NETRC_FILE, NOBODY, site_file_error
from pluginyard.settings import Site


def pack_fetch_files(site: Site) -> bytes:
    """Return the tar of the site's files; raise ConfigurationError for one that cannot be read."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        if site.ca_bundle:
            _add(archive, CA_FILE, _read("CA bundle", site.ca_bundle, "PLUGINYARD_CA_BUNDLE"), mode=0o644)
        if site.netrc:
            content = _read("netrc file", site.netrc, "PLUGINYARD_NETRC")
            _add(archive, NETRC_FILE, content, mode=0o400, owner=NOBODY)
    return packed.getvalue()


def _read(what: str, path: str, variable: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise site_file_error(what, path, error, variable) from error


def _add(archive: tarfile.TarFile, path: str, content: bytes, *, mode: int, owner: int = 0) -> None:
    member = tarfile.TarInfo(path.strip("/"))
    member.size, member.mode, member.uid, member.gid = len(content), mode, owner, owner
    archive.addfile(member, io.BytesIO(content))

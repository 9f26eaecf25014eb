"""Bring one blob out of a registry as a stream; a download that breaks off goes on where it stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import requests

from pluginyard.errors import PluginyardError, RegistryError, RegistryUnavailableError
from pluginyard.oci import Descriptor
from tasks.doors.registries.client import SLOWEST, RegistryClient
from tasks.doors.registries.streams import PIECE, IncomingBlob

CORRUPTED = "pull it again; if it stays so, delete the version in the registry and publish it again"
"""Remedy: a registry does not replace what it holds by that digest, so publishing alone does not help."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


def pull_blob(client: RegistryClient, descriptor: Descriptor, target: BinaryIO) -> None:
    """Write the verified blob to `target`. The tries count anew whenever a good piece has arrived."""
    blob = IncomingBlob(target, descriptor, client.subject, CORRUPTED)
    attempt = 0
    try:
        while True:
            before = blob.count
            try:
                _receive(client, descriptor, blob)
                break
            except PluginyardError as error:
                attempt = 1 if blob.count >= before + PIECE else attempt + 1
                client.attempts.wait_or_raise(attempt, error)
        blob.verify()
    except BaseException:
        blob.discard()
        raise


def _receive(client: RegistryClient, descriptor: Descriptor, blob: IncomingBlob) -> None:
    """Receive what is missing, in one request."""
    headers = {"Range": f"bytes={blob.count}-"} if blob.count else {}
    url = client.url_of(client.container.get_blob_url(descriptor.digest))
    with client.do_request(url, headers=headers, stream=True) as response:
        for piece in _pieces(client, response, blob.count, descriptor.size):
            blob.write(piece)
    if blob.count < descriptor.size:
        said = f"the download of {descriptor.digest} broke off"
        raise RegistryUnavailableError(said, subject=client.subject, remedy="try again later")


def _pieces(client: RegistryClient, response: requests.Response, offset: int, size: int) -> Iterator[bytes]:
    """Yield the content from `offset` on; a registry that knows no ranges sends it all, then we pass over."""
    skip = offset - _start_of(client, response)
    for piece in client.connection.read(response, size, client.subject, slowest=SLOWEST):
        yield piece[skip:]
        skip = max(0, skip - len(piece))


def _start_of(client: RegistryClient, response: requests.Response) -> int:
    """Return at which byte the answer starts: the one that was asked for, or the first."""
    if response.status_code == 200:
        return 0
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    asked = int(response.request.headers.get("Range", "bytes=0-")[6:-1])
    if match is None or int(match[1]) != asked:
        said = "the registry answers with another range than asked for"
        raise RegistryError(said, subject=client.subject, remedy="check its proxy")
    return asked

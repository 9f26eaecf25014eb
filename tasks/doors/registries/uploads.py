"""Bring one blob into a registry: mount it, or upload it as a stream in one request."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from urllib.parse import urlencode

import requests

from pluginyard.errors import PluginyardError
from pluginyard.oci import Descriptor, add_query, digest_of, resolve_location, scopes_of
from tasks.doors.registries.client import RegistryClient
from tasks.doors.registries.repository import OpenContent, PushedBlob
from tasks.doors.registries.streams import OutgoingBlob
from tasks.doors.registries.transport import Call

_EMPTY = {"Content-Length": "0"}
_BINARY = {"Content-Type": "application/octet-stream"}
_CONFIG_CONTENT = b"{}"
_CONFIG = Descriptor("application/octet-stream", digest_of(_CONFIG_CONTENT), len(_CONFIG_CONTENT))
_FRESH = 60.0


def has_blob(client: RegistryClient, descriptor: Descriptor, scopes: frozenset[str]) -> bool:
    """Tell whether the registry has the blob."""
    call = Call("HEAD", client.blob_url(descriptor.digest), scopes)
    return client.transport.send(call, 200, 404).status_code == 200


def push_blob(client: RegistryClient, descriptor: Descriptor, open_content: OpenContent, mount_from: str) -> PushedBlob:
    """Bring the blob there. A try that fails is begun anew as a whole: an upload is not continued."""
    return client.transport.attempts.run(lambda: _push_once(client, descriptor, open_content, mount_from))


def prove_push(client: RegistryClient) -> None:
    """Open an upload: who may not push is refused here. The first blob that is new to the registry goes on with it.

    See `end_proof` for when none is.
    """
    location = client.transport.attempts.run(lambda: _begin(client))
    client.opened.append((time.monotonic(), location))


def end_proof(client: RegistryClient) -> None:
    """End an upload that no blob needed, with the two bytes that are the config of every artifact.

    To cancel it instead would want the right to delete. Registries clear away what is left where this fails.
    """
    location = _take_opened(client)
    with suppress(PluginyardError):
        if location:
            _upload(client, _CONFIG, lambda: io.BytesIO(_CONFIG_CONTENT), location)


def _push_once(
    client: RegistryClient, descriptor: Descriptor, open_content: OpenContent, mount_from: str
) -> PushedBlob:
    head = Call("HEAD", client.blob_url(descriptor.digest), client.push)
    if client.transport.send_once(head, 200, 404).status_code == 200:
        return "present"
    location = _mount(client, descriptor, mount_from) if mount_from else ""
    if location is None:
        return "mounted"
    if not location:
        location = _take_opened(client) or _begin(client)
    _upload(client, descriptor, open_content, location)
    return "uploaded"


def _begin(client: RegistryClient) -> str:
    call = Call("POST", client.uploads_url(), client.push, _EMPTY)
    return _location(client.transport.send_once(call, 202))


def _take_opened(client: RegistryClient) -> str:
    """Return the address of an upload that was opened a moment ago, else nothing. Each is taken once: no try shares."""
    with suppress(IndexError):
        since, location = client.opened.pop()
        if time.monotonic() - since < _FRESH:
            return location
    return ""


def _mount(client: RegistryClient, descriptor: Descriptor, source: str) -> str | None:
    """Return None once mounted, the address of an upload where the registry opens one, else nothing.

    Without the right to read the source nothing is lost: the blob is uploaded.
    """
    query = urlencode({"mount": descriptor.digest, "from": source})
    scopes = client.push | scopes_of(source, "pull")
    call = Call("POST", f"{client.uploads_url()}?{query}", scopes, _EMPTY)
    try:
        response = client.transport.send_once(call, 201, 202)
    except PluginyardError as error:
        if error.transient:
            raise
        return ""
    return None if response.status_code == 201 else _location(response)


def _upload(client: RegistryClient, descriptor: Descriptor, open_content: OpenContent, location: str) -> None:
    def open_body() -> OutgoingBlob:
        return OutgoingBlob(open_content(), descriptor, client.transport.subject)

    url = add_query(location, {"digest": descriptor.digest})
    call = Call("PUT", url, client.push, _BINARY, open_body=open_body)
    client.transport.send_once(call, 201, 204)


def _location(response: requests.Response) -> str:
    return resolve_location(response.url, response.headers.get("Location", ""))

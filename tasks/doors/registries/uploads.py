"""Bring one blob into a registry: mount it, or upload it as a stream in one request."""

from __future__ import annotations

import io
from urllib.parse import urlencode

import requests
from oras.utils import append_url_params

from pluginyard.errors import PluginyardError
from pluginyard.oci import Descriptor, digest_of
from tasks.doors.registries.authentication import scopes_of
from tasks.doors.registries.client import RegistryClient
from tasks.doors.registries.origins import resolve_location
from tasks.doors.registries.repository import OpenContent, PushedBlob
from tasks.doors.registries.streams import OutgoingBlob
from tasks.doors.registries.transport import Call

_EMPTY = {"Content-Length": "0"}
_PROOF_CONTENT = b"{}"
_PROOF = Descriptor("application/octet-stream", digest_of(_PROOF_CONTENT), len(_PROOF_CONTENT))
_BINARY = {"Content-Type": "application/octet-stream"}


def has_blob(client: RegistryClient, descriptor: Descriptor, scopes: frozenset[str]) -> bool:
    """Tell whether the registry has the blob."""
    call = Call("HEAD", client.blob_url(descriptor.digest), scopes)
    return client.transport.send(call, 200, 404).status_code == 200


def push_blob(client: RegistryClient, descriptor: Descriptor, open_content: OpenContent, mount_from: str) -> PushedBlob:
    """Bring the blob there. A try that fails is begun anew as a whole: an upload is not continued."""
    return client.transport.attempts.run(lambda: _push_once(client, descriptor, open_content, mount_from))


def prove_push(client: RegistryClient) -> None:
    """Upload the two bytes that are the config of every artifact: the proof that every registry understands.

    Without a question whether they are there: who may read that may not write yet. An upload that is opened and
    cancelled would prove the same, but to cancel wants the right to delete.
    """
    client.transport.attempts.run(lambda: _upload(client, _PROOF, lambda: io.BytesIO(_PROOF_CONTENT), _begin(client)))
    client.brought.add(_PROOF.digest)


def _push_once(
    client: RegistryClient, descriptor: Descriptor, open_content: OpenContent, mount_from: str
) -> PushedBlob:
    if descriptor.digest in client.brought:
        return "present"
    head = Call("HEAD", client.blob_url(descriptor.digest), client.push)
    if client.transport.send_once(head, 200, 404).status_code == 200:
        return "present"
    location = _mount(client, descriptor, mount_from) if mount_from else ""
    if location is None:
        return "mounted"
    if not location:
        location = _begin(client)
    _upload(client, descriptor, open_content, location)
    return "uploaded"


def _begin(client: RegistryClient) -> str:
    call = Call("POST", client.uploads_url(), client.push, _EMPTY)
    return _location(client.transport.send_once(call, 202))


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

    url = append_url_params(location, {"digest": descriptor.digest})
    call = Call("PUT", url, client.push, _BINARY, open_body=open_body)
    client.transport.send_once(call, 201, 204)


def _location(response: requests.Response) -> str:
    return resolve_location(response.url, response.headers.get("Location", ""))

"""Read a list of tags to its end, however many pages it has; one that never ends is refused."""

from __future__ import annotations

import requests

from pluginyard.errors import RegistryError
from pluginyard.oci import origin_of, resolve_location
from pluginyard.parsing import load_json
from tasks.doors.registries.client import RegistryClient
from tasks.doors.registries.transport import Call

MOST_PAGES = 1000  # registries put 50 to 1000 tags on one


def list_tags(client: RegistryClient) -> tuple[str, ...]:
    """Return all tags in the registry's order (distribution-spec v1.1, "Listing Tags"); raise RegistryError."""
    url, seen, tags = client.tags_url(), set[str](), list[str]()
    while url:
        if url in seen or len(seen) == MOST_PAGES:
            raise _wrong(client, "the list of tags does not end", "check the registry, or its proxy")
        seen.add(url)
        response = client.transport.send(Call("GET", url, client.pull), 200)
        tags += _read(client, response)
        url = _next_page(client, response)
    return tuple(tags)


def _read(client: RegistryClient, response: requests.Response) -> list[str]:
    try:
        listed = load_json(response.content).get("tags") or []
    except (ValueError, AttributeError):
        listed = None
    if not isinstance(listed, list):
        raise _wrong(client, "the answer is no list of tags", "check that this is a registry")
    return [tag for tag in listed if isinstance(tag, str)]


def _next_page(client: RegistryClient, response: requests.Response) -> str:
    """Return the address of the next page, empty at the end; it must be the registry's own."""
    following = response.links.get("next", {}).get("url", "")
    if not following:
        return ""
    url = resolve_location(response.url, following)
    if origin_of(url) != origin_of(client.tags_url()):
        raise _wrong(client, "the list of tags goes on at another host", "check its proxy")
    return url


def _wrong(client: RegistryClient, message: str, remedy: str) -> RegistryError:
    return RegistryError(message, subject=client.transport.subject, remedy=remedy)

"""The door to registries and OCI image layout folders: one interface, on oras-py for what it does well.

>>> repository = open_repository(parse_destination("oci:dist"), "request-block", Access(), None)
>>> repository.log_in()
'anonymous'
"""

import os

from pluginyard.oci import Destination
from pluginyard.settings import Site
from tasks.doors.registries.access import Access, Credentials, access_to
from tasks.doors.registries.client import Connection
from tasks.doors.registries.credentials import find_machine_credentials
from tasks.doors.registries.judging import PulledArtifact, judge_names, pull_artifact, write_module
from tasks.doors.registries.layouts import LayoutRepository
from tasks.doors.registries.publishing import copy_artifact, move_latest, push_blobs, push_version
from tasks.doors.registries.remote import RemoteRepository
from tasks.doors.registries.repository import ArtifactRepository, OpenContent, find_ours


def open_repository(
    destination: Destination, name: str, access: Access, credentials: Credentials | None
) -> ArtifactRepository:
    """Open the repository of plugin `name` in `destination`; nothing is asked of it yet.

    An empty `name` is the destination itself, as a reference from outside names it. Raises ConfigurationError where the
    CA bundle of `access` is not there.
    """
    if destination.is_layout:
        below, _, own = name.rpartition("/")
        return LayoutRepository(destination.below(below), own, access)
    return open_remote(Connection(destination.host, access, credentials), destination, name)


def open_remote(connection: Connection, destination: Destination, name: str) -> RemoteRepository:
    """Open the repository of plugin `name` in `destination`, by a connection that all of its registry may share."""
    path = destination.artifact(name).repository if name else destination.namespace
    return RemoteRepository(connection, path)


def open_place(place: Destination, site: Site, *, plain_http: bool) -> ArtifactRepository:
    """Open what `place` itself names, by the settings and credentials that this machine has without Prefect."""
    access = access_to(place.host, site, place.scheme, plain_http=plain_http)
    credentials = None if place.is_layout else find_machine_credentials(place.host, os.environ)
    return open_repository(place, "", access, credentials)

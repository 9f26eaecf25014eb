"""The door to registries and OCI image layout folders: one interface, on oras-py for what it does well.

>>> repository = open_repository(parse_destination("oci:dist"), "request-block", Access(), None)
>>> repository.log_in()
'anonymous'
"""

import os

from pluginyard.oci import Destination
from pluginyard.settings import Site
from tasks.doors.registries.access import Access, Credentials
from tasks.doors.registries.answers import version_taken
from tasks.doors.registries.connection import Connection, new_session
from tasks.doors.registries.credentials import find_machine_credentials
from tasks.doors.registries.judging import PulledArtifact, judge_names, pull_artifact, write_module
from tasks.doors.registries.layout_folder import LayoutRepository
from tasks.doors.registries.publishing import copy_artifact, move_latest, push_blobs, push_version
from tasks.doors.registries.remote import RemoteRepository
from tasks.doors.registries.repository import ArtifactRepository, OpenContent
from tasks.doors.registries.schemes import access_to


def open_repository(
    destination: Destination,
    name: str,
    access: Access,
    credentials: Credentials | None,
    connection: Connection | None = None,
) -> ArtifactRepository:
    """Open the repository of plugin `name` in `destination`; nothing is asked of it yet.

    An empty `name` is the destination itself, as a reference from outside names it. Repositories of one host
    may share a `connection`. Raises ConfigurationError where the CA bundle of `access` is not there.
    """
    if destination.is_layout:
        below, _, own = name.rpartition("/")
        return LayoutRepository(destination.below(below), own, access)
    path = destination.artifact(name).repository if name else destination.namespace
    shared = connection or Connection(new_session(access.ca_bundle))
    return RemoteRepository(destination.host, path, access, credentials, shared)


def open_place(place: Destination, site: Site, *, plain_http: bool) -> ArtifactRepository:
    """Open what `place` itself names, by the settings and credentials that this machine has without Prefect."""
    access = access_to(place.host, site, plain_http=plain_http)
    credentials = None if place.is_layout else find_machine_credentials(place.host, os.environ)
    return open_repository(place, "", access, credentials)

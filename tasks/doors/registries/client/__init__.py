"""oras-py's client of a registry, with what it lacks: limits, tries, challenges, credentials for one origin only."""

from tasks.doors.registries.client.connection import SLOWEST, Connection
from tasks.doors.registries.client.registry import RegistryClient

"""OCI image layout folders."""

from tasks.doors.registries.layouts.folder import LayoutRepository

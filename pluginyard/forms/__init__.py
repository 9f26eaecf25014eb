"""The parameters of the flows, and so the forms in the UI."""

from __future__ import annotations

from pluginyard.forms.publish import PublishRequest
from pluginyard.forms.repository import RepositoryRequest
from pluginyard.forms.verify import VerifyRequest
from pluginyard.forms.watch import WatchRequest

__all__ = ["PublishRequest", "RepositoryRequest", "VerifyRequest", "WatchRequest"]

"""The site's settings as the Prefect server holds them."""

from __future__ import annotations

from collections.abc import Mapping

from pluginyard.settings import SITE_VARIABLE, check_site_variable
from tasks.steps import one_client


def find_site_variable() -> Mapping[str, object]:
    """Return the settings in the Prefect variable `pluginyard_site`, none where there is no such variable.

    Raises ConfigurationError for one that is not valid. Call it outside an event loop.
    """
    with one_client() as client:  # Variable.get is asynchronous in the threads of an asynchronous flow
        found = client.read_variable_by_name(SITE_VARIABLE)
    return check_site_variable(found.value) if found else {}

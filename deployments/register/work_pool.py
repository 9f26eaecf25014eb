"""The work pool that flow runs wait in."""

from __future__ import annotations

import asyncio

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from deployments.register.pool_templates import POOL, RUN_ENVIRONMENT, load_template
from pluginyard.errors import ConfigurationError


def register_pool(client: SyncPrefectClient, kind: str) -> str:
    """Create or update the pool, of `kind` workers; return a line. Raises ConfigurationError where it is of others."""
    own = asyncio.run(get_default_base_job_template_for_infrastructure_type(kind))
    if own is None:
        raise ConfigurationError(
            f"Prefect knows no {kind} work pool", subject=POOL, remedy=f"pip install prefect-{kind}"
        )
    template = load_template(kind, own, RUN_ENVIRONMENT)
    try:
        pool = client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type=kind, base_job_template=template))
        return f"work pool {POOL}: made, of {kind} workers"
    if pool.type != kind:
        raise ConfigurationError(
            f"the pool is of {pool.type} workers, not of {kind} workers (`make up` starts process workers)",
            subject=POOL,
            remedy=f"prefect work-pool delete {POOL}, then this again with --deploy: deployments go with their pool",
        )
    client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
    return f"work pool {POOL}: of {kind} workers"

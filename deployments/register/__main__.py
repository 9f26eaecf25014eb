"""Make a Prefect server ready: `python -m deployments.register`. Safe to repeat; it changes what differs.

Block types, the work pool, the limits of the site, the automations of automations.yaml; the notification if
PLUGINYARD_NOTIFY_URL is set, and away with it if that is empty. `--site FILE` stores a site's settings for all
workers, `--credentials NAME` the user and password of REGISTRY_USERNAME and REGISTRY_PASSWORD as a block, `--deploy`
makes the deployments.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.types import SecretDict
from prefect.variables import Variable
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type
from pydantic import SecretStr

from deployments.register.deploy import deploy
from deployments.register.work_pools import POOL, RUN_ENVIRONMENT, TYPES, load_template
from pluginyard.errors import ConfigurationError, PluginyardError
from pluginyard.settings import SITE_VARIABLE, Site, check_site_variable, load_site
from tasks.server import LIMIT_PREFIX, RegistryCredentials

AUTOMATIONS = Path(__file__).parent / "automations.yaml"
NOTIFY_BLOCK = "pluginyard-notify"
NOTIFY = "PLUGINYARD_NOTIFY_URL"


def register(environment: Mapping[str, str], kind: str = "process") -> list[str]:
    """Register everything that flow runs and deployments need; return a line for each part."""
    documents = yaml.safe_load(AUTOMATIONS.read_text())
    told = [_register_blocks()]
    with get_client(sync_client=True) as client:
        told.append(_register_pool(client, kind))
        told.append(_register_limits(client, load_site(environment, _site_variable(client))))
        for document in documents["recovery"]:
            told.append(_register_automation(client, document))
        if NOTIFY in environment:
            told += [
                _register_notification(client, document, environment[NOTIFY]) for document in documents["notification"]
            ]
    return told


def store_site(path: Path, *, keep: bool = False) -> str:
    """Store the settings of the file at `path` as the site's variable, in place of its own; with `keep` if it has none.

    Raises ConfigurationError for a bad file.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"cannot be read: {error}", subject=str(path), remedy="mend the file") from None
    settings = check_site_variable(document, str(path))
    if keep and Variable.get(SITE_VARIABLE) is not None:
        return f"variable {SITE_VARIABLE}: stays as it is"
    Variable.set(SITE_VARIABLE, dict(settings), overwrite=True)
    return f"variable {SITE_VARIABLE}: {', '.join(sorted(settings)) or 'nothing'}"


def store_credentials(name: str, host: str, environment: Mapping[str, str]) -> str:
    """Store the environment's user and password as the block `name`; raise ConfigurationError if they are missing."""
    username, password = environment.get("REGISTRY_USERNAME", ""), environment.get("REGISTRY_PASSWORD", "")
    if not username or not password:
        raise ConfigurationError(
            "no user or no password", subject=name, remedy="set REGISTRY_USERNAME and REGISTRY_PASSWORD"
        )
    block = RegistryCredentials(username=username, password=SecretStr(password), host=host)
    block.save(name, overwrite=True)
    return f"block {name}: {username} at {host or 'every registry'}"


def _register_blocks() -> str:
    RegistryCredentials.register_type_and_schema()
    return f"block type {RegistryCredentials._block_type_slug}"


def _register_pool(client: SyncPrefectClient, kind: str) -> str:
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


def _site_variable(client: SyncPrefectClient) -> Mapping[str, object]:
    found = client.read_variable_by_name(SITE_VARIABLE)
    return check_site_variable(found.value) if found else {}


def _register_limits(client: SyncPrefectClient, site: Site) -> str:
    for name, count in site.limits.items():
        client.upsert_global_concurrency_limit_by_name(f"{LIMIT_PREFIX}{name}", count)
    return "limits: " + (", ".join(f"{name}={count}" for name, count in sorted(site.limits.items())) or "none")


def _register_notification(client: SyncPrefectClient, document: dict[str, Any], url: str) -> str:
    if not url:
        for known in client.read_automations_by_name(document["name"]):
            client.delete_automation(known.id)
        return f"automation {document['name']}: none, {NOTIFY} is empty"
    headers = SecretDict({"Content-Type": "application/json"})
    saved = Webhook(url=SecretStr(url), headers=headers).save(NOTIFY_BLOCK, overwrite=True)
    actions = [{**action, "block_document_id": str(saved)} for action in document["actions"]]
    return _register_automation(client, {**document, "actions": actions})


def _register_automation(client: SyncPrefectClient, document: dict[str, Any]) -> str:
    """Create or update an automation by its name; whether it is enabled is left as the site has it."""
    known = client.read_automations_by_name(document["name"])
    for extra in known[1:]:
        client.delete_automation(extra.id)
    automation = AutomationCore.model_validate({**document, "enabled": known[0].enabled if known else True})
    if known:
        client.update_automation(known[0].id, automation)
    else:
        client.create_automation(automation)
    return f"automation {document['name']}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser("python -m deployments.register", description="Make a Prefect server ready")
    parser.add_argument("--work-pool", choices=TYPES, default="process", help="type of the workers (default: process)")
    parser.add_argument("--site", type=Path, metavar="FILE", help="store these settings (YAML or JSON) for all workers")
    parser.add_argument("--keep", action="store_true", help="with --site: only if the server has no settings yet")
    parser.add_argument("--credentials", metavar="NAME", help="store user and password of the environment as a block")
    parser.add_argument("--host", default="", help="registry that the credentials are for; default: every one")
    parser.add_argument("--deploy", action="store_true", help="make the deployments of prefect.yaml if they changed")
    arguments = parser.parse_args(argv)
    try:
        if not PREFECT_API_URL.value():
            raise ConfigurationError(
                "no Prefect server is named", subject="PREFECT_API_URL", remedy="set it, as http://127.0.0.1:4200/api"
            )
        told = [store_site(arguments.site, keep=arguments.keep)] if arguments.site else []
        told += register(os.environ, arguments.work_pool)
        if arguments.credentials:
            told.append(store_credentials(arguments.credentials, arguments.host, os.environ))
        if arguments.deploy:
            with get_client(sync_client=True) as client:
                told.append(deploy(client))
    except PluginyardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())

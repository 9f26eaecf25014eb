"""The automations of automations.yaml: what happens to lost runs, and the notification where one is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import AutomationCore
from prefect.types import SecretDict
from pydantic import SecretStr

AUTOMATIONS = Path(__file__).parent / "automations.yaml"
NOTIFY_BLOCK = "pluginyard-notify"
NOTIFY = "PLUGINYARD_NOTIFY_URL"


def register_automations(client: SyncPrefectClient, environment: Mapping[str, str]) -> list[str]:
    """Create or update all of them, the notification where `environment` has its address; return a line for each."""
    documents = yaml.safe_load(AUTOMATIONS.read_text())
    lines = [_register(client, document) for document in documents["recovery"]]
    if NOTIFY in environment:
        url = environment[NOTIFY]
        lines += [_register_notification(client, document, url) for document in documents["notification"]]
    return lines


def _register_notification(client: SyncPrefectClient, document: dict[str, Any], url: str) -> str:
    if not url:
        for known in client.read_automations_by_name(document["name"]):
            client.delete_automation(known.id)
        return f"automation {document['name']}: none, {NOTIFY} is empty"
    headers = SecretDict({"Content-Type": "application/json"})
    saved = Webhook(url=SecretStr(url), headers=headers).save(NOTIFY_BLOCK, overwrite=True)
    actions = [{**action, "block_document_id": str(saved)} for action in document["actions"]]
    return _register(client, {**document, "actions": actions})


def _register(client: SyncPrefectClient, document: dict[str, Any]) -> str:
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

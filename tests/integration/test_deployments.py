from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import prefect
import pytest
import yaml
from prefect.settings import Settings
from prefect.settings.legacy import _get_valid_setting_names

from deployments.register.pool_templates import RUN_ENVIRONMENT, TYPES, load_template
from pluginyard.errors import ConfigurationError
from tests.machine.deployed_server import PROJECT, DeployedServer, Listener, await_that, listen
from tests.machine.prefect_server import run_prefect_server

TAG = "wasm-go-request-block-v1.0.0"
DEPLOYMENTS = {
    f"{document['entrypoint'].rpartition(':')[2].replace('_', '-')}/{document['name']}": document
    for document in yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
}


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listen() as found:
        yield found


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> Iterator[DeployedServer]:
    home = tmp_path_factory.mktemp("server")
    with run_prefect_server(home) as server:
        found = DeployedServer(server.url, home)
        settings = {"PLUGINYARD_NOTIFY_URL": listener.url, "PLUGINYARD_LIMITS": "builder-go=2"}
        shown = found.command("deployments.register", **settings)
        settings |= {"REGISTRY_USERNAME": "robot", "REGISTRY_PASSWORD": "s3cret-of-the-registry"}
        shown += found.command("deployments.register", "--credentials", "acme", "--host", "r.example.com", **settings)
        assert "s3cret" not in shown
        shown = found.command("deployments.register", "--deploy", **settings)
        assert f"deployments: {len(DEPLOYMENTS)} made" in shown
        yield found


def test_deploy_all_makes_every_deployment_with_its_form(deployed: DeployedServer) -> None:
    assert {"publish-plugin/on-demand", "publish-plugin/on-tag"} <= set(DEPLOYMENTS)
    assert {"publish-plugins/on-demand", "publish-plugins/nightly"} <= set(DEPLOYMENTS)
    assert {"watch-tags/every-minutes", "verify-published/nightly"} <= set(DEPLOYMENTS)
    for name, document in DEPLOYMENTS.items():
        found = deployed.deployment(name)
        assert found["work_pool_name"] == "pluginyard"
        assert found["pull_steps"] == []
        assert "pluginyard" in found["tags"]
        assert len(found["description"]) > 80
        assert found["enforce_parameter_schema"] is True
        limit = document.get("concurrency_limit") or {}
        assert (found["global_concurrency_limit"] or {}).get("limit") == limit.get("limit")
        assert (found["concurrency_options"] or {}).get("collision_strategy") == limit.get("collision_strategy")
        (model,) = found["parameter_openapi_schema"]["definitions"].values()
        assert all(field["title"] and len(field["description"]) > 10 for field in model["properties"].values())


def test_schedules_are_the_files(deployed: DeployedServer) -> None:
    (nightly,) = deployed.deployment("publish-plugins/nightly")["schedules"]
    assert nightly["active"]
    assert (nightly["schedule"]["cron"], nightly["schedule"]["timezone"]) == ("0 3 * * *", "Europe/London")
    assert deployed.deployment("publish-plugins/nightly")["parameters"] == {"request": {"when_taken": "snapshot"}}
    (watch,) = deployed.deployment("watch-tags/every-minutes")["schedules"]
    assert not watch["active"]
    assert watch["schedule"]["interval"] == 300


def test_what_is_scheduled_is_put_on_the_list(deployed: DeployedServer) -> None:
    nightly = {deployed.deployment(f"{flow}/nightly")["id"] for flow in ("publish-plugins", "verify-published")}

    def planned() -> bool:
        runs = deployed.call("POST", "flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        return nightly == {run["deployment_id"] for run in runs if run["auto_scheduled"]}

    await_that(planned, "the next nights are on the list of runs, and nothing else", 180)


def test_the_form_refuses_what_is_no_request(deployed: DeployedServer) -> None:
    with pytest.raises(AssertionError, match=r"409 .*is not of type"):
        deployed.start("publish-plugin/on-demand", {"tag": 7})


@pytest.mark.parametrize("flow", ["publish-plugin", "publish-plugins"])
def test_the_form_refuses_an_address_with_a_password_before_anything_is_recorded(
    deployed: DeployedServer, flow: str
) -> None:
    address = "https://robot:tok3n-of-the-form@example.com/acme/plugins.git"
    with pytest.raises(AssertionError, match=r"409 .*does not match"):
        deployed.start(f"{flow}/on-demand", {"repository": address})
    assert "tok3n-of-the-form" not in str(deployed.call("POST", "flow_runs/filter", {}))


def test_an_event_that_asks_for_a_run_starts_one_and_one_that_tells_starts_none(deployed: DeployedServer) -> None:
    request = {"repository": "https://example.com/plugins.git", "tag": TAG}
    _emit(deployed, "github.push.tag", "github.repository.acme/plugins", payload={"request": request})
    wanted = {"pluginyard.run": "wanted"}
    _emit(deployed, "github.push.tag", "github.repository.acme/plugins", wanted, payload={"request": request})
    asked = {"deployments": {"id": {"any_": [deployed.deployment("publish-plugin/on-tag")["id"]]}}}
    await_that(lambda: deployed.call("POST", "flow_runs/filter", asked), "a run for the event", 180)
    (run,) = deployed.call("POST", "flow_runs/filter", asked)
    assert run["parameters"] == {"request": request}


def test_registering_twice_makes_one_of_each(deployed: DeployedServer) -> None:
    names = [item["name"] for item in deployed.call("POST", "automations/filter", {})]
    ours = [name for name in names if name.startswith("pluginyard, ")]
    assert len(ours) == len(set(ours)) == 4
    limits = {item["name"]: item["limit"] for item in deployed.call("POST", "v2/concurrency_limits/filter", {})}
    assert limits["pluginyard-builder-go"] == 2
    pool = deployed.call("GET", "work_pools/pluginyard")
    env = pool["base_job_template"]["variables"]["properties"]["env"]["default"]
    assert (pool["type"], env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) == ("process", "30")
    types = {item["slug"] for item in deployed.call("POST", "block_types/filter", {})}
    assert "pluginyard-registry-credentials" in types


@pytest.mark.parametrize("kind", TYPES)
def test_the_pool_of_each_type_is_prefects_own_template_with_our_defaults(deployed: DeployedServer, kind: str) -> None:
    own = _own_template(kind)
    template = load_template(kind, own, RUN_ENVIRONMENT)
    assert template["job_configuration"] == own["job_configuration"]
    assert list(template["variables"]["properties"]) == list(own["variables"]["properties"])
    defaults = {name: field.get("default") for name, field in template["variables"]["properties"].items()}
    environment = RUN_ENVIRONMENT | ({"PLUGINYARD_ENGINE": "container"} if kind == "docker" else {})
    assert defaults["env"] == environment
    assert kind == "process" or defaults["image"] == "pluginyard-run:latest"
    deployed.call("POST", "work_pools/", {"name": f"of-{kind}", "type": kind, "base_job_template": template})
    stored = deployed.call("GET", f"work_pools/of-{kind}")
    assert stored["base_job_template"]["variables"]["properties"]["env"]["default"] == environment


def test_a_default_that_prefect_does_not_know_is_refused() -> None:
    own = _own_template("docker")
    del own["variables"]["properties"]["image_pull_policy"]
    with pytest.raises(ConfigurationError, match="has no image_pull_policy"):
        load_template("docker", own, {})


def test_a_pool_of_another_type_is_left_as_it_is(deployed: DeployedServer) -> None:
    with pytest.raises(AssertionError, match="(?s)of process workers.*--deploy: deployments go with their pool"):
        deployed.command("deployments.register", "--work-pool", "docker")


def test_credentials_become_a_block_whose_password_no_one_is_shown(deployed: DeployedServer) -> None:
    slug = "pluginyard-registry-credentials"
    found = deployed.call("GET", f"block_types/slug/{slug}/block_documents/name/acme")
    assert found["data"]["host"] == "r.example.com"
    assert "s3cret" not in str(found)


def test_a_failed_run_is_told_to_the_webhook(deployed: DeployedServer, listener: Listener) -> None:
    run = deployed.start("publish-plugin/on-demand", {"repository": "/nowhere", "tag": TAG})
    message = 'the "registry" {{ is }} down\nsecond line'
    deployed.set_state(run["id"], "FAILED", name="Failed", message=message)
    shown = await_that(lambda: [item for item in listener.received if item["flow_run_id"] == run["id"]], "a call", 180)
    assert shown[0]["path"] == "/hook?token=s3cret-of-the-hook"
    assert shown[0]["type"] == "application/json"
    assert shown[0]["message"] == message
    assert shown[0]["deployment"] == "on-demand"
    assert shown[0]["url"] == f"{deployed.url.removesuffix('/api')}/runs/flow-run/{run['id']}"
    assert message in shown[0]["text"]


def test_a_crashed_run_begins_again(deployed: DeployedServer) -> None:
    run = deployed.start("publish-plugin/on-demand", {"repository": "/nowhere", "tag": TAG})
    deployed.set_state(run["id"], "CRASHED", name="Crashed")
    await_that(lambda: deployed.run(run["id"])["state_name"] == "AwaitingRetry", "AwaitingRetry", 180)


def test_runs_whose_worker_died_begin_again(deployed: DeployedServer) -> None:
    for automation in deployed.call("POST", "automations/filter", {}):
        if automation["trigger"].get("posture") == "Proactive":  # the same, in less than minutes
            shorter = {name: value for name, value in automation.items() if name not in ("id", "created", "updated")}
            shorter["trigger"]["within"] = 10
            deployed.call("PUT", f"automations/{automation['id']}", shorter)
    request = {"repository": "/", "tag": TAG}
    stuck, mute, silent, done = (deployed.start("publish-plugin/on-demand", request)["id"] for _ in range(4))
    deployed.set_state(stuck, "PENDING")
    for run in (silent, done):  # its first heartbeat may come before its state's own event
        _emit(deployed, "prefect.flow-run.heartbeat", f"prefect.flow-run.{run}", related=["prefect.tag.pluginyard"])
    for run in (mute, silent, done):
        deployed.set_state(run, "RUNNING")
    deployed.set_state(done, "COMPLETED")
    for run, through in ((stuck, ["Pending"]), (mute, ["Running", "Crashed"]), (silent, ["Running", "Crashed"])):
        await_that(lambda run=run: deployed.run(run)["state_name"] == "AwaitingRetry", f"{through}, AwaitingRetry", 180)
        # On a busy machine two heartbeats may be missed, so each state is set twice: what counts is their order.
        assert list(dict.fromkeys(deployed.states(run)[1:])) == [*through, "AwaitingRetry"]
    assert deployed.run(done)["state_name"] == "Completed"


def test_runs_of_others_are_left_alone(deployed: DeployedServer) -> None:
    flow = deployed.call("POST", "flows/", {"name": "of-others"})["id"]
    run = deployed.call("POST", "flow_runs/", {"flow_id": flow, "state": {"type": "PENDING"}})["id"]
    ours = deployed.start("publish-plugin/on-demand", {"repository": "/nowhere", "tag": TAG})["id"]
    for each in (run, ours):
        deployed.set_state(each, "CRASHED", name="Crashed")
    await_that(lambda: deployed.run(ours)["state_name"] == "AwaitingRetry", "AwaitingRetry", 180)
    assert deployed.run(run)["state_name"] == "Crashed"


def test_a_run_that_crashed_three_times_fails_with_a_reason(deployed: DeployedServer, tmp_path: Path) -> None:
    run = deployed.start("publish-plugin/on-demand", {"repository": "/nowhere", "tag": TAG})["id"]
    for _ in range(3):
        deployed.set_state(run, "RUNNING")
        deployed.set_state(run, "SCHEDULED", name="AwaitingRetry")
    deployed.set_state(run, "PENDING")
    deployed.command("prefect.engine", run, PLUGINYARD_CACHE=str(tmp_path))
    found = deployed.run(run)
    assert (found["state_name"], found["run_count"]) == ("Failed", 4)
    assert "RepeatedCrashError" in found["state"]["message"]
    assert "started 3 times already" in found["state"]["message"]


def test_what_was_switched_stays_until_the_deployments_change(deployed: DeployedServer) -> None:
    def switched_off() -> bool:
        (schedule,) = deployed.deployment("publish-plugins/nightly")["schedules"]
        return schedule["active"] is False

    found = deployed.deployment("publish-plugins/nightly")
    path = f"deployments/{found['id']}/schedules/{found['schedules'][0]['id']}"
    deployed.call("PATCH", path, {"active": False})
    assert "nothing changed" in deployed.command("deployments.register", "--deploy")
    assert switched_off()
    deployed.call("DELETE", "work_pools/pluginyard")
    assert f"{len(DEPLOYMENTS)} made" in deployed.command("deployments.register", "--deploy")
    assert {deployed.deployment(name)["work_pool_name"] for name in DEPLOYMENTS} == {"pluginyard"}
    assert not switched_off()


def test_the_settings_of_a_fresh_site_are_kept_from_then_on(deployed: DeployedServer) -> None:
    site = str(PROJECT / "deployments" / "site.yaml")

    def stored() -> Any:
        return deployed.call("GET", "variables/name/pluginyard_site")["value"]

    deployed.command("deployments.register", "--site", site, "--keep")
    assert stored() == {"registries": ["registry:5000/plugins"], "plain_http": True}
    own = {"registries": ["r.example.com/plugins"]}
    deployed.call("PATCH", "variables/name/pluginyard_site", {"value": own})
    assert "stays as it is" in deployed.command("deployments.register", "--site", site, "--keep")
    assert stored() == own


def test_every_prefect_setting_of_ours_is_one_of_the_locked_prefect() -> None:
    files = ("compose.yaml", "Dockerfile", "local/services.py", "register/pool_templates.py")
    texts = [(PROJECT / "deployments" / name).read_text() for name in files]
    texts += [(PROJECT / name).read_text() for name in ("pluginyard/settings/local.py", "docs/operate.md")]
    named = {name.rstrip("_") for text in texts for name in re.findall(r"PREFECT_[A-Z0-9_]+", text)}
    assert len(named) > 20
    known = _get_valid_setting_names(Settings) | {"PREFECT_HOME", "PREFECT_PROFILE"}
    assert sorted(named - known) == []


def _own_template(kind: str) -> dict[str, Any]:
    data = Path(prefect.__file__).parent / "server" / "api" / "collections_data" / "views"
    path = data / "aggregate-worker-metadata.json"
    types = {name: item for kinds in json.loads(path.read_text()).values() for name, item in kinds.items()}
    template: dict[str, Any] = types[kind]["default_base_job_configuration"]
    return template


def _emit(
    server: DeployedServer,
    event: str,
    resource: str,
    labels: dict[str, str] | None = None,
    *,
    payload: dict[str, Any] | None = None,
    related: list[str] | None = None,
) -> None:
    when = datetime.now(UTC)
    roles = [{"prefect.resource.id": item, "prefect.resource.role": "tag"} for item in related or []]
    document = {
        "occurred": when.isoformat(),
        "event": event,
        "resource": {"prefect.resource.id": resource, **(labels or {})},
        "related": roles,
        "payload": payload or {},
        "id": str(uuid.uuid4()),
    }
    server.call("POST", "events", [document])

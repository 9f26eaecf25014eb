from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from pluginyard.forms import RepositoryRequest

PROJECT = Path(__file__).parents[3]
GUIDE = (PROJECT / "docs" / "nightly.md").read_text(encoding="utf-8")
DEPLOYMENTS = {
    f"{each['entrypoint'].rpartition(':')[2].replace('_', '-')}/{each['name']}": each
    for each in yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
}


def test_every_request_of_the_guide_is_one_that_the_form_takes() -> None:
    requests = re.findall(r"\| `(\{.*\})` \|", GUIDE) + re.findall(r"'request=(\{.*\})'", GUIDE)
    assert len(requests) == 6
    for text in requests:
        RepositoryRequest.model_validate(json.loads(text))


def test_every_deployment_of_the_guide_is_shipped_at_the_hour_it_says() -> None:
    assert set(re.findall(r"(?:publish|verify)-[a-z]+/[a-z-]+", GUIDE)) <= set(DEPLOYMENTS)
    hours = re.findall(r"^\| `(\S+/\S+)` \| 0(\d):00 (\S+) \|", GUIDE, re.MULTILINE)
    assert len(hours) == 2
    for name, hour, zone in hours:
        (schedule,) = DEPLOYMENTS[name]["schedules"]
        assert (schedule["cron"], schedule["timezone"]) == (f"0 {hour} * * *", zone)

from __future__ import annotations

import pytest

from pluginyard.errors import RequestError
from pluginyard.forms import choose_arguments, choose_environment
from tests.machine.action_runner import HOSTILE


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_one_argument_that_is_no_option(value: str) -> None:
    arguments = choose_arguments({"INPUT_PLUGIN_NAME": value, "INPUT_VERSION": value, "GITHUB_WORKSPACE": "/w"})
    assert arguments == ["--repository=/w", f"--plugin={value}", "--language=go", f"--version={value}"]
    assert choose_arguments({"GITHUB_REF": f"refs/tags/{value}"}) == ["--repository=.", f"--tag={value}"]


def test_inputs_are_over_the_environment_and_not_handed_on() -> None:
    given = {"INPUT_REGISTRY_PASSWORD": "new", "REGISTRY_PASSWORD": "old", "IMAGE_REGISTRY": "r.example.com"}
    assert choose_environment(given) == {"REGISTRY_PASSWORD": "new", "IMAGE_REGISTRY": "r.example.com"}
    assert choose_environment({})["IMAGE_REGISTRY_SERVICE"].startswith("higress-registry.")


def test_a_typed_version_may_have_the_leading_v() -> None:
    assert "--version=1.2.3" in choose_arguments({"INPUT_PLUGIN_NAME": "x", "INPUT_VERSION": "v1.2.3"})
    with pytest.raises(RequestError, match="neither"):
        choose_arguments({"GITHUB_REF": "refs/heads/main"})

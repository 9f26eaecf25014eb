from __future__ import annotations

import pytest
from pydantic import ValidationError

from pluginyard.forms import PublishRequest, RepositoryRequest, VerifyRequest, WatchRequest
from pluginyard.forms.destinations import DestinationRequest

FORMS = (PublishRequest, RepositoryRequest, VerifyRequest, WatchRequest)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_asks_first_what_and_then_where(form: type[DestinationRequest]) -> None:
    fields = list(form.model_fields)
    assert fields[0] in ("repository", "repositories")
    where = fields.index("registries")
    assert where > 1, "what to publish comes first"
    assert fields[where + 1] == "plain_http"


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_ask_for_registries_in_the_same_words(form: type[DestinationRequest]) -> None:
    own, shared = (model.model_json_schema()["properties"]["registries"] for model in (form, PublishRequest))
    assert shared["description"].startswith(own.pop("description")), "a flow may say less, nothing else"
    assert own.items() <= shared.items()


@pytest.mark.parametrize("form", FORMS)
def test_a_form_refuses_a_field_it_does_not_have(form: type[DestinationRequest]) -> None:
    given = {"tag": "wasm-go-a-v1.0.0"} if form is PublishRequest else {}
    with pytest.raises(ValidationError, match="registry\n.*not permitted"):
        form.model_validate({"registry": "r.example.com/p", **given})

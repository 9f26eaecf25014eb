"""What a run leaves for the next one, kept by the Prefect server: read-records, post-drift."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from pluginyard.audits import Drift, Record, parse_record, record_key
from pluginyard.forms import VerifyRequest
from pluginyard.oci import Destination
from pluginyard.printable import printable, printable_values
from pluginyard.reports import render_drift
from tasks.steps import log, step


@step("read-records", "for {request.title}", seconds=300, retries=3)
def read_records(request: VerifyRequest, places: Iterable[Destination]) -> dict[Destination, Record]:
    """Return what the last run saw in each destination; an empty record where there was none."""
    found = {place: _read(place) for place in places}
    log("; ".join(f"{place}: {len(record.versions)} versions recorded" for place, record in found.items()))
    return found


@step("post-drift", "{drift.summary}", seconds=300, retries=3)
def post_drift(request: VerifyRequest, drift: Drift, before: Mapping[Destination, Record]) -> None:
    """Keep what the next run compares with, where it changed, and post the findings and a summary."""
    for place, record in drift.records.items():
        if record != before[place]:
            create_table_artifact(record.rows(), key=record_key(place), description=f"What is published in {place}")
    description = f"{request.title}: {drift.summary}"
    show_table("drift", [each.to_json() for each in drift.findings], description)
    show_markdown("verified-plugins", render_drift(drift, request.title), description)
    log(drift.summary)


def show_table(key: str, rows: Sequence[Mapping[str, str]], description: str) -> None:
    """Post a table for people: what comes from outside is printable in it."""
    create_table_artifact(printable_values(rows, lines=True), key=key, description=printable(description))


def show_markdown(key: str, text: str, description: str) -> None:
    """Post a page for people: what comes from outside is printable in it."""
    create_markdown_artifact(printable(text, lines=True), key=key, description=printable(description))


def _read(place: Destination) -> Record:
    chosen = ArtifactFilter(key=ArtifactFilterKey(any_=[record_key(place)]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=chosen, sort=ArtifactSort.CREATED_DESC, limit=1)
    data = found[0].data if found else None
    return parse_record(json.loads(data) if isinstance(data, str) else data)

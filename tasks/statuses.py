"""Report to the forge how the release of a commit goes: post-status, where a token is configured, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from pluginyard.errors import PluginyardError
from pluginyard.releases import Release
from pluginyard.sources import Source
from pluginyard.webhooks import CommitState, find_status_apis, plan_status
from tasks.doors import statuses
from tasks.steps import log, step


@contextmanager
def commit_status(source: Source, release: Release) -> Iterator[None]:
    """Set the commit's status to pending, and to how the block ends; a forge that refuses it fails nothing.

    The context is the plugin's, so that two plugins released at one commit have a status each.
    """
    apis = find_status_apis(os.environ)
    api, name = next(((api, name) for api in apis if (name := api.name_of(source.repository))), (None, ""))
    if api is None:
        yield
        return

    def post(state: CommitState, description: str) -> None:
        page = (url_for("flow-run", obj_id=flow_run.id) if flow_run.id else None) or ""
        context = f"pluginyard/{release.name}"
        request = plan_status(api, name, source.commit, state, description, target_url=page, context=context)
        statuses.post_status(request, api.token)
        log(f"{request.subject}: {state}")

    def try_to(act: Callable[[CommitState, str], object], state: CommitState, description: str) -> None:
        try:
            act(state, description)
        except PluginyardError as error:
            log(f"no status at {source.commit[:12]}: {error}")

    post_status = step("post-status", "{state}", seconds=120)(post)
    try_to(post_status, "pending", f"publishing {release}")
    try:
        yield
    except Exception as error:
        said = error.headline if isinstance(error, PluginyardError) else "a fault of pluginyard: see the run"
        try_to(post_status, "failure", f"{release}: {said}")
        raise
    except BaseException:  # cancelled: no task begins any more
        try_to(post, "error", f"{release}: the run was ended")
        raise
    try_to(post_status, "success", f"published {release}")

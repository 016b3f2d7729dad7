"""The state that a run defers to: what another run has left, for `--defer` and `state:modified`."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.runs.ci_runs import is_ci
from local_dbt_cloud.runs.run_folder import RunFolder
from local_dbt_cloud.store.store import Run, Store


MANIFEST = "manifest.json"
# `result:` and `source_status:` select by the other two.
STATE = (MANIFEST, "run_results.json", "sources.json")
# A run that has none is passed over; one that is older than this many is not looked for.
MOST_RUNS = 50


def find_deferred_run(run: Run, job: Mapping[str, Any], store: Store, runs: Path) -> Run | None:
    """
    The latest successful run with a manifest, of the job or else of the environment to defer to.

    None when the job defers to nothing, or nothing has succeeded there yet.
    """
    filters: dict[str, Any]
    of_job = bool(job["deferring_job_definition_id"])
    if of_job:
        filters = {"job_id": job["deferring_job_definition_id"]}
    elif job["deferring_environment_id"]:
        filters = {"environment_id": job["deferring_environment_id"]}
    else:
        return None
    filters["status"] = RunStatus.SUCCESS
    candidates, _ = store.list_runs(filters, "-id", MOST_RUNS, 0)
    for candidate in candidates:
        if is_ci(candidate) and not of_job:
            continue  # a pull request is not what the environment has
        folder = RunFolder(runs / str(candidate.id))
        if candidate.id != run.id and folder.find_artifact(MANIFEST, None):
            return candidate
    return None


def copy_state(deferred: Run, runs: Path, into: Path) -> None:
    """Copied, so that nobody who removes old runs takes it from a run in progress."""
    into.mkdir(parents=True, exist_ok=True)
    for name in STATE:
        found = RunFolder(runs / str(deferred.id)).find_artifact(name, None)
        if found is not None:
            shutil.copy2(found, into)


def deferral_process_env(state: Path, *, resumes: bool) -> dict[str, str]:
    """
    Dbt takes these for the options of every command that has them.

    A resumed command has its own state, the failed run; dbt then takes --defer from there.
    """
    own = {"DBT_DEFER_STATE": str(state)}
    return own if resumes else {**own, "DBT_STATE": str(state), "DBT_DEFER": "true"}

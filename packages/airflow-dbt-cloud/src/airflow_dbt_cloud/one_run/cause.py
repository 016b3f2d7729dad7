"""
The `cause` of a dbt Cloud run: a key that names the task instance, then words for people.

dbt Cloud shows the cause, gives it back with every run, and keeps no more than 255 characters of
it. The key stands first, so that whatever is cut off, and by whomever, it is words.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from airflow.providers.dbt.cloud.utils.openlineage import (
    inject_parent_job_information_into_dbt_cloud_cause,
)


MAX_LENGTH = 255
KEY_FIELD = "airflow_key"


@dataclass(frozen=True, slots=True)
class RunKey:
    """
    Which task instance a run belongs to, and which generation of it.

    All automatic retries of a task instance are one generation; a Clear begins the next.
    """

    task_instance: str
    generation: int

    def __str__(self) -> str:
        return f"airflow:{self.task_instance}.{self.generation}"

    def is_or_was_in(self, cause: str) -> bool:
        """Whether a run with this cause is this generation's or an earlier one's."""
        found = re.search(rf'["\[]airflow:{self.task_instance}\.(\d+)["\]]', cause)
        return found is not None and int(found[1]) <= self.generation

    def is_in(self, cause: str | None) -> bool:
        """Whether a run with this cause is this generation's; `….1` is not in `….12`."""
        return any(quoted in (cause or "") for quoted in (f"[{self}]", f'"{self}"'))


def name_task_instance(nonce: str, *identity: object) -> str:
    """
    Shorten the identity of a task instance to what always fits into a cause.

    The nonce, a random number, tells two Airflows apart that run the same DAG at the same hour.
    """
    return hashlib.sha256(json.dumps([nonce, *identity]).encode()).hexdigest()[:16]


def cause_of(key: RunKey, words: str) -> str:
    """Put the key before the words, and cut the words to what dbt Cloud keeps."""
    return f"[{key}] {' '.join(words.split())}"[:MAX_LENGTH]


def lineage_cause_of(key: RunKey, lineage: str, words: str) -> str:
    """
    Put the key into OpenLineage's parent information, which is JSON that others parse.

    What is too long loses OpenLineage's `root` first; if that is not enough, or `lineage` is no
    JSON, the cause is the plain one.
    """
    parent = _json_object(lineage)
    root = {"root": parent["root"]} if "root" in parent else {}
    for optional in (root, {}):
        whole = {KEY_FIELD: str(key), "parent": parent.get("parent"), **optional}
        cause = json.dumps(whole, separators=(",", ":"))
        if parent and len(cause) <= MAX_LENGTH:
            return cause
    return cause_of(key, words)


def _json_object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def cause_for(ti: Any, key: RunKey, reason: str | None, *, with_lineage: bool) -> str:
    """Write the cause of a new run: the key, and words of the DAG's author or of our own."""
    # Rendered as a native object, a template such as {{ ds_nodash }} gives a number.
    words = (
        str(reason)
        if reason
        else (
            f"Airflow: dag {ti.dag_id}, task {ti.task_id}, dag_run {ti.run_id}, try {ti.try_number}"
        )
    )
    if not with_lineage:
        return cause_of(key, words)
    lineage = inject_parent_job_information_into_dbt_cloud_cause(words, ti)
    return lineage_cause_of(key, lineage or "", words)

"""The server's models of a job say what `dbt_cloud_api` says of one."""

from dbt_cloud_api.job_model import (
    CHOSEN_TYPES,
    EXECUTION,
    FRESH,
    LONGEST_DESCRIPTION,
    MOST_THREADS,
    REQUIRED,
    SETTINGS,
    TRIGGERS,
)
from local_dbt_cloud.declared.job_request import Execution, JobBody, JobSettings, Triggers
from local_dbt_cloud.declared.jobs_file import DeclaredJob
from local_dbt_cloud.store.resource_defaults import JOB


PLACE = {"linked_id", "account_id", "project_id", "environment_id", "name"}


def test_defaults_of_the_parts():
    """Settings, execution and triggers of which nothing is said are those of a fresh job."""
    assert JobSettings().model_dump() == SETTINGS
    assert Execution().model_dump() == EXECUTION
    assert Triggers().model_dump() == TRIGGERS


def test_keys():
    """A request and the file can say all that a fresh job has; the store adds what is not said."""
    assert FRESH.keys() <= JobBody.model_fields.keys()
    assert FRESH.keys() <= DeclaredJob.model_fields.keys()
    assert FRESH.items() <= JOB.items()


def test_what_the_file_must_say():
    """Its place and the required keys, and nothing else."""
    required = {name for name, field in DeclaredJob.model_fields.items() if field.is_required()}

    assert required - PLACE == set(REQUIRED)


def test_limits():
    """The limits are part of the schema that editors read."""
    schema = DeclaredJob.model_json_schema()
    description, settings = schema["properties"]["description"], schema["$defs"]["DeclaredSettings"]

    assert description["anyOf"][0]["maxLength"] == LONGEST_DESCRIPTION
    assert settings["properties"]["threads"]["maximum"] == MOST_THREADS


def test_types():
    """Every type that is the client's to choose may be sent."""
    sent = JobBody.model_json_schema()["properties"]["job_type"]["anyOf"][0]["enum"]

    assert set(sent) == CHOSEN_TYPES | {"scheduled", "other"}

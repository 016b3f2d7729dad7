"""What `dbt_cloud_jobs.yml` may say."""

import pytest
import yaml

from local_dbt_cloud.declared_jobs import read_declared_jobs
from local_dbt_cloud.user_error import UserError
from tests.local_dbt_cloud.server_process import JOB, OTHER_JOB, REPOSITORY, declare, job


@pytest.fixture
def write(tmp_path):
    """Write a declaration, as data or as text; answer its path."""

    def write(content):
        path = tmp_path / "dbt_cloud_jobs.yml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def test_the_repository_s_own_file():
    """Two jobs with 64-bit ids, and nothing that starts them but Airflow."""
    declared = read_declared_jobs(REPOSITORY / "dbt_cloud_jobs.yml")
    jobs = {each.linked_id: each for each in declared.jobs.values()}

    assert {identifier: each.name for identifier, each in jobs.items()} == {
        JOB: "Build flights",
        OTHER_JOB: "Build one month",
    }
    assert min(jobs) > 2**32
    assert not any(any(each.triggers.model_dump().values()) for each in jobs.values())


@pytest.mark.parametrize(
    ("jobs", "named"),
    [
        ([job(JOB, "a", "rm -rf /")], "execute_steps.0: 'rm -rf /' is not a dbt command"),
        ([job(JOB, "a")], "execute_steps: Tuple should have at least 1 item"),
        ([job(JOB, "a", "dbt run", environment_id=7)], "has no environment 7"),
        ([job(JOB, "a", "dbt run", account_id=7)], "account_id: 7 is not the account's id"),
        ([job("x", "a", "dbt run")], "linked_id: Input should be a valid integer"),
        ([job(JOB, "a", "dbt run", schedule={"cron": "daily"})], "schedule.cron"),
        ([job(JOB, "a", "dbt run", triggers={"cron": True})], "triggers.cron: Extra inputs"),
        ([job(JOB, "a", "dbt run", settings={"threads": 0})], "settings.threads"),
    ],
)
def test_each_mistake_is_named(write, jobs, named):
    """The message has the place in the file, what is wrong there, and what to type."""
    with pytest.raises(UserError) as caught:
        read_declared_jobs(write(declare(*jobs)))

    assert named in str(caught.value)
    assert "→ " in str(caught.value)


def test_the_same_id_twice(write):
    """Two jobs cannot share an id."""
    declared = declare(job(JOB, "a", "dbt run"), job(OTHER_JOB, "b", "dbt run"))
    declared["jobs"][f"job_{OTHER_JOB}"]["linked_id"] = JOB

    with pytest.raises(UserError, match=f"id {JOB} is given to two jobs"):
        read_declared_jobs(write(declared))


@pytest.mark.parametrize("content", ["", "jobs: [", "jobs:\n\tx: 1", "[]", "jobs: {}"])
def test_no_declaration_at_all(write, content):
    """An empty file, broken YAML and the wrong shape are told like any other mistake."""
    with pytest.raises(UserError, match="does not declare a dbt Cloud account"):
        read_declared_jobs(write(content))

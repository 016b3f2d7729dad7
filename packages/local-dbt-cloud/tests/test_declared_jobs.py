"""What `dbt_cloud_jobs.yml` may say."""

import re

import pytest
import yaml
from server_process import (
    JOB,
    OTHER_JOB,
    REPOSITORY,
    THIRD_JOB,
    declare,
    job,
)

from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.declared.jobs_file import read_jobs_file


@pytest.fixture
def write(tmp_path):
    """Write a declaration, as data or as text; answer its path."""

    def write(content):
        path = tmp_path / "dbt_cloud_jobs.yml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def test_the_repository_s_own_file():
    """Three jobs with 64-bit ids, and nothing that starts them but Airflow."""
    declared = read_jobs_file(REPOSITORY / "dbt_cloud_jobs.yml")
    jobs = {each.linked_id: each for each in declared.jobs.values()}

    assert {identifier: each.name for identifier, each in jobs.items()} == {
        JOB: "Build flights",
        OTHER_JOB: "Build one month",
        THIRD_JOB: "Check source freshness",
    }
    assert min(jobs) > 2**32
    assert not any(any(each.triggers.model_dump().values()) for each in jobs.values())


@pytest.mark.parametrize(
    ("jobs", "named"),
    [
        ([job(JOB, "a", "rm -rf /")], "execute_steps.0: 'rm -rf /' is not a dbt command"),
        ([job(JOB, "a")], "execute_steps: List should have at least 1 item"),
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
        read_jobs_file(write(declare(*jobs)))

    assert named in str(caught.value)
    assert "→ " in str(caught.value)


def test_the_same_id_twice(write):
    """Two jobs cannot share an id."""
    declared = declare(job(JOB, "a", "dbt run"), job(OTHER_JOB, "b", "dbt run"))
    declared["jobs"][f"job_{OTHER_JOB}"]["linked_id"] = JOB

    with pytest.raises(UserError, match=f"id {JOB} is given to two jobs"):
        read_jobs_file(write(declared))


@pytest.mark.parametrize("content", ["", "jobs: [", "jobs:\n\tx: 1", "[]", "jobs: {}"])
def test_no_declaration_at_all(write, content):
    """An empty file, broken YAML and the wrong shape are told like any other mistake."""
    with pytest.raises(UserError, match="does not declare a dbt Cloud account"):
        read_jobs_file(write(content))


DUCKDB = {"type": "duckdb", "adapter": "dbt-duckdb==1.10.0", "profile": {"path": "x.duckdb"}}


@pytest.mark.parametrize(
    ("connection", "named"),
    [
        ({**DUCKDB, "adapter": "dbt-duckdb"}, "is no dbt adapter with a version, such as"),
        (
            {**DUCKDB, "adapter": "dbt-duckdb==1.0 --index-url x"},
            "is no dbt adapter with a version, such as",
        ),
        (
            {**DUCKDB, "adapter": None},
            "type duckdb needs its adapter, with a version: dbt-duckdb==",
        ),
        ({**DUCKDB, "profile": None}, "type duckdb needs a profile"),
        ({**DUCKDB, "type": "../x"}, "type: String should match"),
        ({"profile": {"threads": 8}}, "threads does not belong here: it is the job's settings"),
        ({"profile": {"schema": "x"}}, "schema does not belong here: it is the environment's"),
        (
            {"profile": {"password": "hunter2"}},
            "would be a secret in a file: write \"{{ env_var('DBT_ENV_SECRET_PASSWORD') }}\"",
        ),
        ({"hostname": "x"}, "hostname: Extra inputs are not permitted"),
    ],
)
def test_connections_that_cannot_be(write, connection, named):
    """An adapter without version, a secret in the file, what comes from elsewhere: each named."""
    declared = declare(job(JOB, "a", "dbt run"))
    declared["local_dbt_cloud"]["connections"] = [{"id": 31, "name": "Warehouse", **connection}]

    with pytest.raises(UserError) as caught:
        read_jobs_file(write(declared))

    assert "local_dbt_cloud.connections.0" in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("project", "named"),
    [
        ({"folder": None}, "a project has either a folder or a git_url"),
        ({"git_url": "https://x/y.git"}, "a project has either a folder or a git_url"),
        ({"folder": None, "git_url": "ext::sh -c id"}, "is no URL of a git repository"),
        ({"folder": None, "git_url": "--upload-pack=id"}, "is no URL of a git repository"),
        ({"git_branch": "main"}, "git_branch and subdirectory go with a git_url"),
        (
            {"folder": None, "git_url": "file:///x", "subdirectory": "../y"},
            "leads out of the repository",
        ),
        ({"folder": None, "git_url": "file:///x", "git_branch": "-x"}, "git_branch: String should"),
    ],
)
def test_projects_that_cannot_be(write, project, named):
    """A project is a folder or a repository, and stays in it."""
    declared = declare(job(JOB, "a", "dbt run"))
    declared["local_dbt_cloud"]["projects"][0] |= project

    with pytest.raises(UserError) as caught:
        read_jobs_file(write(declared))

    assert "local_dbt_cloud.projects.0" in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://host/team/dbt.git", "git@host:team/dbt.git", "ssh://git@host/x", "file:///x"]
)
def test_urls_of_repositories(write, url):
    """Every usual form of a git URL can be declared."""
    declared = declare(job(JOB, "a", "dbt run"))
    declared["local_dbt_cloud"]["projects"][0] |= {"folder": None, "git_url": url}

    assert read_jobs_file(write(declared)).local_dbt_cloud.projects[0].git_url == url


@pytest.mark.parametrize("cron", ["0 6 * * * *", "0 6 * *", "60 6 * * *", "0 6 * * MOO"])
def test_cron_expressions_that_cannot_be(write, cron):
    """Five fields, each in its range; the message has the expression."""
    declared = declare(job(JOB, "a", "dbt run", schedule={"cron": cron}))

    with pytest.raises(UserError) as caught:
        read_jobs_file(write(declared))

    assert f"schedule.cron: '{cron}'" in str(caught.value)


def test_the_example_of_the_documentation(tmp_path):
    """What docs/your_own_jobs.md shows can be copied: every key is known."""
    page = (REPOSITORY / "docs/your_own_jobs.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "dbt_cloud_jobs.yml"
    path.write_text(example)
    declared = read_jobs_file(path)

    assert [job.name for job in declared.jobs.values()] == ["Nightly"]
    assert declared.local_dbt_cloud.connections[0].adapter == "dbt-duckdb==1.10.0"

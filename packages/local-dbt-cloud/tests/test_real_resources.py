"""Real dbt in a real warehouse, with everything that it runs made over the API."""

import shutil
import subprocess

import pytest
from server_process import JOB, REAL_DBT, declare, job


def commit(folder, branch):
    """Make a branch that holds what is in the folder now."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    git = [shutil.which("git"), "-C", folder, *identity]
    for command in (["init", "-q", "-b", branch], ["add", "project"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, timeout=30)


@pytest.fixture(scope="module")
def server(make_server):
    """A server that knows of no warehouse."""
    server = make_server(declare(job(JOB, "Unused", "dbt build")), dbt=REAL_DBT).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def made(server, warehouse):
    """A job in an environment in a project, with repository, connection and credentials."""
    model = server.folder / "project/models/variable.sql"
    model.write_text("select '{{ env_var(\"DBT_WORD\") }}' as word\n")
    commit(server.folder, "of-the-environment")
    model.write_text("select broken\n")

    def make(path, **body):
        return server.send("POST", path, body, 201)["id"]

    project = make("v3/projects/", name="Of the API")
    below = f"v3/projects/{project}"
    repository = make(f"{below}/repositories/", remote_url=server.folder.as_uri())
    server.send(
        "POST",
        f"{below}/",
        {
            "name": "Of the API",
            "repository_id": repository,
            "dbt_project_subdirectory": "project",
        },
    )
    config = {"hostname": warehouse.host, "port": warehouse.port, "dbname": warehouse.database}
    connection = make(f"{below}/connections/", name="API", type="postgres", details=config)
    login = {"username": warehouse.user, "password": warehouse.password}
    credentials = make(
        f"{below}/credentials/", type="postgres", default_schema="of_the_api", **login
    )
    environment = make(
        f"{below}/environments/",
        name="Of the API",
        connection_id=connection,
        credentials_id=credentials,
        use_custom_branch=True,
        custom_branch="of-the-environment",
    )
    job = make(
        "v2/jobs/",
        name="Of the API",
        project_id=project,
        environment_id=environment,
        execute_steps=["dbt build"],
    )
    variables = f"{below}/environment-variables/"
    make(variables, name="DBT_WORD", type="project", raw_value="of the project")
    make(variables, name="DBT_ENV_SECRET_WORD", type="project", raw_value="never-shown")
    make(
        variables,
        name="DBT_WORD",
        type="job",
        job_definition_id=job,
        raw_value="of the job",
    )
    return job


def test_runs_with_nothing_of_the_file(server, made, warehouse):
    """Branch, login, schema and variables are those that the API was given."""
    run = server.finish(server.trigger(made)["id"])

    assert run["status"] == 10, run["status_message"]
    assert run["git_branch"] == "of-the-environment"
    assert warehouse.rows("select word from of_the_api.variable") == [("of the job",)]
    assert warehouse.password not in str(run)
    assert "never-shown" not in str(run)

"""The file and the API: which of them counts after a restart."""

import pytest
import yaml
from server_process import (
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    PROJECT,
    declare,
    job,
)


@pytest.fixture
def restart(make_server):
    """Start a server; a call with a new declaration restarts it with that in its file."""
    server = make_server(declare(job(JOB, "Build", "dbt build")))

    def restart(declared=None):
        if server.process is not None:
            server.stop()
        if declared is not None:
            (server.folder / "dbt_cloud_jobs.yml").write_text(yaml.safe_dump(declared))
        return server.start()

    yield restart
    if server.process is not None:
        server.stop()


def replace_job(server, name):
    job = server.get(f"v2/jobs/{JOB}/")
    return server.send("POST", f"v2/jobs/{JOB}/", {**job, "name": name})


def test_what_the_api_changed_stays(restart):
    """A restart alone loses nothing: neither what was changed, nor made, nor deleted."""
    server = restart()
    replace_job(server, "Changed")
    made = server.send(
        "POST",
        "v2/jobs/",
        {"project_id": PROJECT, "environment_id": ENVIRONMENT, "name": "Made"},
        201,
    )
    server.send("DELETE", f"v3/projects/{PROJECT}/connections/31/")
    server = restart()

    assert server.get(f"v2/jobs/{JOB}/")["name"] == "Changed"
    assert server.get(f"v2/jobs/{made['id']}/") == made
    assert server.get("v3/connections/") == []


def test_what_the_file_says_anew_wins(restart):
    """A change in the file is applied to the resource that it is about, and to no other."""
    server = restart()
    replace_job(server, "Changed by the API")
    environment = f"v3/projects/{PROJECT}/environments/{ENVIRONMENT}/"
    server.send("POST", environment, {"name": "Changed by the API"})
    server = restart(declare(job(JOB, "Changed in the file", "dbt run")))

    assert server.get(f"v2/jobs/{JOB}/")["name"] == "Changed in the file"
    assert server.get(f"v2/jobs/{JOB}/")["execute_steps"] == ["dbt run"]
    assert server.get(environment)["name"] == "Changed by the API"


def test_what_the_file_drops_is_deleted(restart):
    """And comes back with its id once the file has it again, even unchanged."""
    both = declare(job(JOB, "Build", "dbt build"), job(OTHER_JOB, "Second", "dbt run"))
    path = f"v2/jobs/{OTHER_JOB}/"
    assert restart(both).request("GET", path).status_code == 200
    assert restart(declare(job(JOB, "Build", "dbt build"))).request("GET", path).status_code == 404
    assert restart(both).get(path)["name"] == "Second"


def test_an_id_that_the_api_has_given_away(restart, capfd):
    """The start is refused with the id and what to do, instead of replacing what is there."""
    server = restart()
    body = {"project_id": PROJECT, "environment_id": ENVIRONMENT, "name": "Made"}
    made = server.send("POST", "v2/jobs/", body, 201)["id"]
    server.stop()
    declared = declare(job(JOB, "Build", "dbt build"), job(made, "Taken", "dbt run"))
    (server.folder / "dbt_cloud_jobs.yml").write_text(yaml.safe_dump(declared))

    with pytest.raises(pytest.fail.Exception):
        server.start()
    assert f"the id {made} is taken among the jobs" in server.log
    assert "Traceback" not in server.log
    server.process = None


def test_variables_of_the_file(restart):
    """Projects, environments and jobs declare variables; a job does as dbt-jobs-as-code has it."""
    own = [{"DBT_SIZE": "large"}, {"DBT_FAST": True}]
    declared = declare(job(JOB, "Build", "dbt build", custom_environment_variables=own))
    project = declared["local_dbt_cloud"]["projects"][0]
    project["environment_variables"] = {"DBT_SIZE": "small", "DBT_MONTHS": 3}
    project["environments"][0]["environment_variables"] = {"DBT_SIZE": "medium"}
    server = restart(declared)
    path = f"v3/projects/{PROJECT}/environment-variables/job/"

    def values():
        return {
            name: {scope: value["value"] for scope, value in scopes.items()}
            for name, scopes in server.get(path, job_definition_id=JOB).items()
        }

    assert values() == {
        "DBT_FAST": {"job": "true"},
        "DBT_MONTHS": {"project": "3"},
        "DBT_SIZE": {"project": "small", "environment": "medium", "job": "large"},
    }
    server = restart(declare(job(JOB, "Build", "dbt build", custom_environment_variables=own[:1])))
    assert values() == {"DBT_SIZE": {"job": "large"}}

"""What dbt finds in its process environment, in the words that macros compare with."""

import json

import pytest
from server_process import (
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    PROJECT,
    job,
)


TELL = "dbt build --select tell"
PREFIX = "DBT_CLOUD_"


@pytest.fixture
def seen(fresh_server):
    """The DBT_CLOUD_* variables of a run that is triggered so."""
    server = fresh_server(job(JOB, "Tell", TELL), job(OTHER_JOB, "CI", TELL, job_type="ci"))

    def trigger(job_id=JOB, **overrides):
        run = server.finish(server.trigger(job_id, **overrides)["id"])
        env = server.request("GET", f"v2/runs/{run['id']}/artifacts/process_env.json").json()
        return {name.removeprefix(PREFIX): env[name] for name in env if name.startswith(PREFIX)}

    trigger.server = server
    return trigger


def test_proxies_are_for_packages(fresh_server):
    """Of a proxy, in whose address a login may stand, only the step knows that fetches packages."""
    address = "http://me:secret@proxy.example.com:3128"
    shell = {"HTTPS_PROXY": address, "HTTP_PROXY": "socks5://proxy.example.com:1080"}
    server = fresh_server(job(JOB, "Tell", TELL), **shell)

    run = server.finish(server.trigger()["id"])

    found = json.loads((server.folder / "env_of_deps.json").read_text())
    assert found["HTTPS_PROXY"] == address
    assert "HTTP_PROXY" not in found
    env = server.request("GET", f"v2/runs/{run['id']}/artifacts/process_env.json").json()
    assert "HTTPS_PROXY" not in env


def test_a_triggered_run(seen):
    """It is of category `other` in a production environment, and knows no pull request."""
    env = seen()

    assert env["RUN_REASON"] == "a test"
    assert env["RUN_REASON_CATEGORY"] == "other"
    assert env["RUN_TRIGGER_CATEGORY"] == "RUN_REASON_CATEGORY_API"
    assert env["ENVIRONMENT_TYPE"] == env["INVOCATION_CONTEXT"] == "prod"
    assert not {"PR_ID", "GIT_SHA"} & env.keys()


@pytest.mark.parametrize(
    ("key", "category"),
    [
        ("github_pull_request_id", "github_pull_request"),
        ("gitlab_merge_request_id", "gitlab_merge_request"),
        ("azure_pull_request_id", "azure_pull_request"),
        ("non_native_pull_request_id", "other"),
    ],
)
def test_a_run_of_a_pull_request(seen, key, category):
    """Whoever hosts the repository: the number is there, and the context is `ci`."""
    env = seen(OTHER_JOB, **{key: 7})

    assert env["RUN_REASON_CATEGORY"] == category
    assert env["INVOCATION_CONTEXT"] == "ci"
    assert env["PR_ID"] == "7"


@pytest.mark.parametrize(
    ("deployment_type", "kind", "context"), [("staging", "staging", "staging"), (None, "", "prod")]
)
def test_kinds_of_environments(seen, deployment_type, kind, context):
    """Staging says so; an environment of no type has an empty word, as documented."""
    path = f"v3/projects/{PROJECT}/environments/{ENVIRONMENT}/"
    environment = seen.server.get(path)
    seen.server.send("POST", path, environment | {"deployment_type": deployment_type})

    env = seen()
    assert (env["ENVIRONMENT_TYPE"], env["INVOCATION_CONTEXT"]) == (kind, context)

"""Commands, variables and repositories that want to write, read, listen or start elsewhere."""

import subprocess

import pytest
import yaml
from server_process import ENVIRONMENT, JOB, PROJECT, REAL_DBT, declare, job

from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.account.run_variables import KEPT_FROM_DBT
from local_dbt_cloud.declared.jobs_file import read_jobs_file


COMMANDS = [
    "dbt source freshness -o {outside}",
    "dbt source freshness -o={outside}",
    "dbt --record-timing-info {outside} build",
    "dbt build -xr{outside}",
    "dbt --partial-parse-file-path {outside} build",
    "dbt debug --config-dir",
    "dbt -t ls docs serve",
    "dbt build --option-of-tomorrow {outside}",
    "dbt build -- --target-path {outside}",
    "dbt build && touch {outside}",
]
URLS = [
    "ext::sh -c 'touch {outside}'",
    "--upload-pack=touch {outside}",
    "-oProxyCommand=touch@host:x",
    "ssh://-oProxyCommand=touch {outside}",
    "/etc",
    "git@host:x\n",
    "",
]


def by_override(server, command):
    body = {"cause": "a test", "steps_override": [command]}
    return server.request("POST", f"v2/jobs/{JOB}/run/", json=body)


def by_new_job(server, command):
    place = {"project_id": PROJECT, "environment_id": ENVIRONMENT}
    body = {"name": "Hostile", "execute_steps": [command], **place}
    return server.request("POST", "v2/jobs/", json=body)


@pytest.mark.parametrize("send", [by_override, by_new_job])
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_over_the_api(shared_server, tmp_path, send, command):
    """Refused before anything runs; the answer names the command."""
    command = command.format(outside=tmp_path / "outside")
    answer = send(shared_server, command)

    assert answer.status_code == 400
    assert command.split()[-1] in str(answer.json()["data"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_in_the_jobs_file(tmp_path, command):
    """The file is held to the same: the server does not start with it."""
    path = tmp_path / "dbt_cloud_jobs.yml"
    hostile = job(JOB, "Hostile", command.format(outside=tmp_path / "outside"))
    path.write_text(yaml.safe_dump(declare(hostile)))
    with pytest.raises(UserError) as refused:
        read_jobs_file(path)

    assert f"jobs.job_{JOB}.execute_steps.0" in refused.value.cause


def test_no_variable_steers_dbt(shared_server, tmp_path):
    """What dbt would take for a path of its own is shown and not handed to it, in either form."""
    path = f"v3/projects/{PROJECT}/environment-variables/"
    names = [*KEPT_FROM_DBT, *(name.replace("DBT_", "DBT_ENGINE_", 1) for name in KEPT_FROM_DBT)]
    stolen = str(tmp_path / "stolen")
    bodies = [{"name": name, "type": "project", "raw_value": stolen} for name in names]
    made = [shared_server.send("POST", path, body, 201) for body in bodies]
    run = shared_server.finish(
        shared_server.trigger(steps_override=["dbt build --select tell"])["id"]
    )
    for variable in made:
        shared_server.send("DELETE", f"{path}{variable['id']}/")
    seen = shared_server.request("GET", f"v2/runs/{run['id']}/artifacts/process_env.json").json()

    assert run["status"] == 10
    assert stolen not in seen.values()


def test_every_variable_of_dbt_is_known():
    """Each that the installed dbt takes for an option which names a path is kept from it."""
    ask = """
import click
from dbt.cli.main import cli
def variables(command):
    for each in command.params:
        if each.type.name in ("path", "file", "directory"):
            yield from [each.envvar] if isinstance(each.envvar, str) else each.envvar or ()
    for inner in getattr(command, "commands", {}).values():
        yield from variables(inner)
print(" ".join(variables(cli)))
"""
    python = REAL_DBT.with_name("python")
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    names = {name.replace("DBT_ENGINE_", "DBT_") for name in done.stdout.split()}

    assert names - KEPT_FROM_DBT == set()
    assert "DBT_PARTIAL_PARSE_FILE_PATH" in names


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("path", [f"v3/projects/{PROJECT}/repositories/", "v2/repositories/"])
def test_repositories(shared_server, path, url):
    """The API takes the URLs that the jobs file takes: no option, no command, no bare path."""
    body = {"remote_url": url, "project_id": PROJECT}
    answer = shared_server.request("POST", path, json=body)

    assert answer.status_code == 400
    assert list(answer.json()["data"]) == ["remote_url"]

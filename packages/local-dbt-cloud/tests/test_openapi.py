"""The server's own OpenAPI document, and what schemathesis finds when it follows it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_dbt_cloud.app import list_routes
from local_dbt_cloud.routes.openapi_document import describe_api, operations
from local_dbt_cloud.wire.evidence import KEY


SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "allow_header_conformance",
)
# 501 names an endpoint that dbt Cloud has and this server has not: an answer, not a failure.
CONFIG = '[checks]\nnot_a_server_error.expected-statuses = ["2xx", "4xx", 501]\n'
# They would take away the token, the runs or the pace from the rest of the examination.
DISRUPTIVE = "^/_local/(reset|token|runs/next|pace)"


@pytest.fixture
def document(dbt_cloud):
    return dbt_cloud.server.ask("GET", "/_local/openapi.json")


def start_runs(dbt_cloud):
    """Three runs, so that ids lead to something; answer the first one's."""
    connection = dbt_cloud.connection
    path = f"/api/v2/accounts/{connection.account_id}/jobs/{connection.job_id}/run/"
    for _ in range(3):
        dbt_cloud.server.ask("POST", path, {"cause": "a test"})
    return dbt_cloud.runs[0].id


def find_ids(dbt_cloud):
    """An id of everything that the account holds after a run, by the name that paths give it."""
    account_id = dbt_cloud.connection.account_id
    run_id = start_runs(dbt_cloud)
    v3 = f"/api/v3/accounts/{account_id}"

    def first(path):
        return dbt_cloud.server.ask("GET", path)["data"][0]["id"]

    project_id = first(f"{v3}/projects/")
    deadline = time.monotonic() + 120
    while not dbt_cloud.runs[0].details["run_steps"] and time.monotonic() < deadline:
        time.sleep(0.05)
    return {
        "account_id": account_id,
        "job_id": dbt_cloud.connection.job_id,
        "project_id": project_id,
        "environment_id": first(f"{v3}/projects/{project_id}/environments/"),
        "connection_id": first(f"{v3}/connections/"),
        "credentials_id": first(f"{v3}/projects/{project_id}/credentials/"),
        "repository_id": first(f"{v3}/projects/{project_id}/repositories/"),
        "user_id": first(f"{v3}/users/"),
        "run_id": run_id,
        "step_id": dbt_cloud.runs[0].details["run_steps"][0]["id"],
    }


def with_ids(document, ids):
    """The same document, in which the ids in paths can only be those that exist, and stay."""
    for _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"] in ids:
                parameter["schema"] = {"enum": [ids[parameter["name"]]]}
        for body in operation.get("requestBody", {}).get("content", {}).values():
            properties = body["schema"].get("properties", {})
            if "state" in properties:
                properties["state"] = {"enum": [1]}  # 2 deletes
    return document


def without_deliveries(document):
    """Options that leave out what makes the server send requests to made-up addresses."""
    return [
        option
        for path, operation in operations(document)
        if "/webhooks/subscription" in path and "requestBody" in operation
        for option in ("--exclude-operation-id", operation["operationId"])
    ]


def examine(dbt_cloud, document, folder, *options, examples=5):
    """Let schemathesis send thousands of requests, always the same ones; it must find nothing."""
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "schemathesis.toml").write_text(CONFIG)
    connection, before = dbt_cloud.connection, len(dbt_cloud.server.log)
    done = subprocess.run(
        [
            *(SCHEMATHESIS, "--config-file", folder / "schemathesis.toml"),
            *("run", folder / "openapi.json", "--url", f"https://{connection.host}"),
            *("--header", f"Authorization: Token {connection.token}"),
            *("--tls-verify", connection.ca_bundle, "--request-timeout", "30"),
            *("--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing"),
            *("--max-examples", str(examples), "--generation-deterministic", "--no-color"),
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in dbt_cloud.server.log[before:]


class TestDocument:
    def test_every_endpoint_once(self, document):
        """Each path of the API in its one documented form, with grade, source and answers."""
        api = [(path, each) for path, each in operations(document) if path.startswith("/api/")]
        paths = set(document["paths"])

        assert len(api) >= 14
        assert [path for path in paths if f"{path}/" in paths] == []
        assert [path for path, each in api if KEY not in each] == []
        assert [path for path, each in api if not {"401", "404"} <= set(each["responses"])] == []

    def test_is_the_server_s_own(self, document):
        """It is made from the routes and says the same in this process."""
        assert set(document["paths"]) == set(describe_api(list_routes())["paths"])

    def test_what_a_trigger_takes(self, document):
        """The body that a route reads by itself is described."""
        path = "/api/v2/accounts/{account_id}/jobs/{job_id}/run/"
        body = document["paths"][path]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]

        assert "steps_override" in schema["properties"]

    def test_what_a_list_takes(self, document):
        """So are filters, limit, offset and order."""
        parameters = document["paths"]["/api/v2/accounts/{account_id}/runs/"]["get"]["parameters"]
        names = {each["name"] for each in parameters}

        assert {"account_id", "limit", "offset", "order_by", "status__in"} <= names


class TestSchemathesis:
    def test_any_ids(self, dbt_cloud, document, tmp_path):
        """Whatever is in paths, queries and bodies: no 500, and every answer as documented."""
        start_runs(dbt_cloud)
        options = ("--exclude-path-regex", "^/_local/", *without_deliveries(document))

        # Behind ids that do not exist, the edges of every parameter are all the same.
        examine(dbt_cloud, document, tmp_path, "--phases", "fuzzing", *options)

    def test_ids_that_exist(self, dbt_cloud, document, tmp_path):
        """The same behind ids that lead to something."""
        ids = find_ids(dbt_cloud)
        options = ("--exclude-path-regex", "^/_local/", "--exclude-method", "DELETE")
        described = with_ids(document, ids)
        # What is triggered need not run as well.
        dbt_cloud.hold("queued")

        examine(dbt_cloud, described, tmp_path, *options, *without_deliveries(document))
        assert dbt_cloud.server.ask("GET", f"/api/v2/accounts/{ids['account_id']}/jobs/")["data"]

    def test_the_local_controls(self, dbt_cloud, document, tmp_path):
        """They are held to the same."""
        run_id = start_runs(dbt_cloud)
        described = with_ids(document, {"run_id": run_id})
        options = ("--include-path-regex", "^/_local/", "--exclude-path-regex", DISRUPTIVE)

        examine(dbt_cloud, described, tmp_path, *options)

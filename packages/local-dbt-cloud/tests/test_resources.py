"""Projects, environments, connections, credentials and repositories: made, changed, deleted."""

import re

import pytest
from server_process import ACCOUNT, ENVIRONMENT, JOB, PROJECT


ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SPACED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00")


@pytest.fixture
def server(shared_server):
    """The server that the modules about resources share."""
    return shared_server


@pytest.fixture
def project(server):
    """A project of the test's own."""
    made = server.send("POST", "v3/projects/", {"account_id": ACCOUNT, "name": "Made"}, 201)
    yield made
    server.request("DELETE", f"v3/projects/{made['id']}/")


def in_project(project, path):
    return f"v3/projects/{project['id']}/{path}"


class TestProjects:
    def test_lifecycle(self, server):
        """Created with 201, replaced, deleted with state 2, and 404 from then on."""
        body = {"name": "One", "description": "first", "dbt_project_subdirectory": "dbt/"}
        made = server.send("POST", "v3/projects", body, 201)
        path = f"v3/projects/{made['id']}/"
        read = server.get(path)
        replaced = server.send("POST", path, {"name": "Two"})
        deleted = server.send("DELETE", path)

        assert made == read
        assert (made["name"], made["description"], made["state"]) == ("One", "first", 1)
        assert made["dbt_project_subdirectory"] == "dbt/"
        assert made["connection"] is None
        assert (replaced["name"], replaced["dbt_project_subdirectory"]) == ("Two", None)
        assert (deleted["id"], deleted["state"]) == (made["id"], 2)
        assert server.request("GET", path).status_code == 404
        assert server.request("DELETE", path).status_code == 404

    def test_ids_need_64_bits(self, project):
        """What the API creates has ids of fourteen digits, like what the file declares."""
        assert len(str(project["id"])) == 14

    @pytest.mark.parametrize("version", ["v2", "v3"])
    def test_both_versions_show_the_same(self, server, version):
        """The older paths answer what the newer ones answer, and say which state they list."""
        declared = server.get(f"{version}/projects/{PROJECT}")
        listed = server.request("GET", f"{version}/projects/", params={"pk": PROJECT}).json()

        assert declared["name"] == "Tiny"
        assert listed["data"] == [declared]
        assert ("state" in listed["extra"]["filters"]) is (version == "v2")

    def test_states_in_a_list(self, server, project):
        """A deleted project is in no list but those that ask for it."""
        server.send("DELETE", f"v3/projects/{project['id']}/")

        def ids(**params):
            return [each["id"] for each in server.get("v3/projects/", **params)]

        assert project["id"] not in ids()
        assert project["id"] in ids(state=2)
        assert project["id"] in ids(state="deleted")
        assert {PROJECT, project["id"]} <= set(ids(state="all"))

    @pytest.mark.parametrize(
        ("body", "field", "says"),
        [
            ({}, "name", "required key not provided"),
            ({"name": ""}, "name", "at least 1 character"),
            ({"name": 7}, "name", "valid string"),
            ({"name": "x", "account_id": 1}, "account_id", "not this account"),
            ({"name": "x", "connection_id": 5}, "connection_id", "does not exist"),
            (
                {"name": "x", "dbt_project_subdirectory": "../etc"},
                "dbt_project_subdirectory",
                "not",
            ),
            ({"name": "x", "dbt_project_subdirectory": "/etc"}, "dbt_project_subdirectory", "not"),
            ({"name": "x", "type": 2}, "type", "less than or equal"),
            ({"name": "x", "state": 3}, "state", "1 or 2"),
        ],
    )
    def test_bad_body(self, server, body, field, says):
        """A 400 in dbt Cloud's words, which names the field."""
        answer = server.request("POST", "v3/projects/", json=body)

        assert answer.status_code == 400
        assert says in answer.json()["data"][field]

    def test_filters_and_paging(self, server):
        """By name, by id, a page at a time, in the order that is asked for."""
        names = [f"Listed {letter}" for letter in "abc"]
        made = [server.send("POST", "v3/projects/", {"name": name}, 201) for name in names]

        def listed(**params):
            answer = server.request("GET", "v3/projects/", params=params).json()
            return [each["name"] for each in answer["data"]], answer["extra"]["pagination"]

        assert listed(name__icontains="listed", order_by="-name", limit=2) == (
            ["Listed c", "Listed b"],
            {"count": 2, "total_count": 3},
        )
        assert listed(name__icontains="listed", offset=2)[0] == ["Listed c"]
        assert listed(pk__in=f"[{made[0]['id']}, {made[2]['id']}]")[0] == ["Listed a", "Listed c"]
        assert listed(pk__gt=made[1]["id"], name__icontains="listed")[0] == ["Listed c"]

    def test_environments_on_request(self, server):
        """A project shows its environments to who asks for them."""
        asked = server.get("v3/projects/", include_related="['environments','repository']")
        silent = server.get(f"v3/projects/{PROJECT}/")
        found = {each["id"]: each["environments"] for each in asked}[PROJECT]

        # Other tests may have made more of them.
        assert found[0]["id"] == ENVIRONMENT
        assert {each["project_id"] for each in found} == {PROJECT}
        assert silent["environments"] is None

    def test_deleting_takes_everything_along(self, server, project):
        """What is in a project cannot be found any more once the project is deleted."""
        environment = server.send(
            "POST", in_project(project, "environments/"), {"name": "Prod"}, 201
        )
        job = server.send(
            "POST",
            "v2/jobs/",
            {"project_id": project["id"], "environment_id": environment["id"], "name": "Job"},
            201,
        )
        server.send("DELETE", f"v3/projects/{project['id']}/")

        assert server.request("GET", f"v2/environments/{environment['id']}/").status_code == 404
        assert server.request("GET", f"v2/jobs/{job['id']}/").status_code == 404


class TestEnvironments:
    def test_lifecycle(self, server, project):
        """As recorded: a new environment has its project in it, and not yet when it was created."""
        path = in_project(project, "environments/")
        body = {"name": "Prod", "type": "deployment", "dbt_version": "versionless"}
        made = server.send("POST", path, {**body, "deployment_type": "production"}, 201)
        read = server.get(f"{path}{made['id']}/")
        replaced = server.send("POST", f"{path}{made['id']}/", {"name": "Prod 2"})
        deleted = server.send("DELETE", f"{path}{made['id']}")

        assert made["created_at"] is None
        assert made["project"]["id"] == project["id"]
        assert SPACED.fullmatch(read["created_at"])
        assert read["project"] is None
        assert (read["raw_dbt_version"], read["deployment_type"]) == ("versionless", "production")
        # A full replacement, as documented: what was left out is reset.
        assert (replaced["name"], replaced["deployment_type"]) == ("Prod 2", None)
        assert deleted["state"] == 2
        assert server.request("GET", f"{path}{made['id']}/").status_code == 404

    def test_v2_is_flat_and_has_other_dates(self, server):
        """The connection of an environment has its details beside its name in v2."""
        shown = server.get(
            f"v2/environments/{ENVIRONMENT}", include_related="['repository','connection']"
        )

        assert ISO.fullmatch(shown["created_at"])
        assert shown["connection"]["hostname"] == "127.0.0.1"
        assert shown["connection"]["dbt_project_id"] == PROJECT
        assert shown["repository"]["remote_url"].startswith("file://")
        assert server.get(f"v2/environments/{ENVIRONMENT}")["connection"] is None

    def test_v2_lifecycle(self, server, project):
        """The deprecated paths create, replace and delete too; the project is in the body."""
        body = {"name": "Old", "project_id": project["id"]}
        made = server.send("POST", "v2/environments/", body, 201)
        server.send("POST", f"v2/environments/{made['id']}/", {"name": "Older"})

        assert server.get("v2/environments/", project_id=project["id"])[0]["name"] == "Older"
        assert server.send("DELETE", f"v2/environments/{made['id']}/")["state"] == 2
        assert server.request("POST", "v2/environments/", json={"name": "x"}).status_code == 400

    def test_of_the_account(self, server, project):
        """The list that dbt-jobs-as-code asks for: all projects, or the one that is named."""
        made = server.send("POST", in_project(project, "environments/"), {"name": "Mine"}, 201)

        everything = {each["id"] for each in server.get("v3/environments/")}
        mine = server.get("v3/environments/", project_id=project["id"])
        assert {ENVIRONMENT, made["id"]} <= everything
        assert [each["id"] for each in mine] == [made["id"]]
        assert server.send("DELETE", f"v3/environments/{made['id']}/")["state"] == 2

    def test_filters(self, server, project):
        """By type, kind of deployment, version and name, together."""
        path = in_project(project, "environments/")
        server.send("POST", path, {"name": "Dev", "type": "development"}, 201)
        server.send("POST", path, {"name": "Stage", "deployment_type": "staging"}, 201)

        def names(**params):
            return [each["name"] for each in server.get(path, **params)]

        assert names(type="development") == ["Dev"]
        assert names(type="deployment") == ["Stage"]
        assert names(deployment_type__in="['production', 'staging']") == ["Stage"]
        assert names(dbt_version__in="1.11.0-latest", name="Dev") == ["Dev"]
        assert names(dbt_version="1.0.0") == []

    def test_related(self, server):
        """What is asked for comes along; the other objects stay null or away."""
        path = f"v3/projects/{PROJECT}/environments/{ENVIRONMENT}/"
        names = "project,connection,credentials,repository"
        shown = server.get(path, include_related=names)

        assert shown["project"]["id"] == PROJECT
        assert shown["connection"]["details"]["hostname"] == "127.0.0.1"
        assert shown["credentials"]["default_schema"] == "tiny"
        assert "password" not in shown["credentials"]
        assert shown["repository"]["project_id"] == PROJECT
        assert "connection" not in server.get(path)

    def test_another_project_has_it_not(self, server, project):
        """An environment is found only below its own project."""
        for method in ("GET", "POST", "DELETE"):
            path = in_project(project, f"environments/{ENVIRONMENT}/")
            assert server.request(method, path, json={"name": "x"}).status_code == 404

    def test_deleting_takes_its_jobs_along(self, server, project):
        """As the docs say, the jobs of an environment go with it."""
        made = server.send("POST", in_project(project, "environments/"), {"name": "Gone"}, 201)
        body = {"project_id": project["id"], "environment_id": made["id"], "name": "Gone too"}
        job = server.send("POST", "v2/jobs/", body, 201)
        server.send("DELETE", in_project(project, f"environments/{made['id']}/"))

        assert server.request("GET", f"v2/jobs/{job['id']}/").status_code == 404

    def test_references_of_other_projects(self, server, project):
        """Credentials of one project cannot be used in another."""
        credentials = server.get(f"v3/projects/{PROJECT}/credentials/")[0]["id"]
        body = {"name": "Bad", "credentials_id": credentials}
        answer = server.request("POST", in_project(project, "environments/"), json=body)

        assert answer.status_code == 400
        assert answer.json()["data"] == {"credentials_id": f"'{credentials}' does not exist"}


class TestConnections:
    def test_lifecycle_in_a_project(self, server, project):
        """The recorded shape, with the details nested; secrets do not come back."""
        path = in_project(project, "connections/")
        details = {"hostname": "db", "dbname": "wh", "port": 5433, "password": "secret"}
        body = {"name": "Warehouse", "type": "postgres", "details": details}
        made = server.send("POST", path, body, 201)
        listed = server.get(path)
        replaced = server.send("POST", f"{path}{made['id']}/", {**body, "name": "Other"})
        deleted = server.send("DELETE", f"{path}{made['id']}")

        assert made["details"] == {
            "hostname": "db",
            "host": "db",
            "dbname": "wh",
            "port": 5433,
            "tunnel_enabled": False,
        }
        assert (made["project_id"], made["adapter_version"]) == (project["id"], "postgres_v0")
        assert listed == [made]
        assert replaced["name"] == "Other"
        assert deleted["state"] == 2
        assert server.get(path) == []
        assert server.get(path, state="deleted") == [deleted]

    def test_project_lists_what_it_uses(self, server):
        """A connection of the account is among those of the project that uses it."""
        listed = server.get(f"v3/projects/{PROJECT}/connections/")

        assert (31, PROJECT) in [(each["id"], each["project_id"]) for each in listed]

    def test_lifecycle_in_the_account(self, server):
        """Created whole, changed in part, counted by the environments that use it."""
        config = {"hostname": "db", "dbname": "wh"}
        body = {"account_id": ACCOUNT, "name": "Shared", "adapter_version": "postgres_v0"}
        made = server.send("POST", "v3/connections/", {**body, "config": config}, 201)
        path = f"v3/connections/{made['id']}/"
        changed = server.send("PATCH", path, {"config": {"port": 6000}})
        listed = {each["id"]: each for each in server.get("v3/connections/")}

        assert made["config"] == {"hostname": "db", "dbname": "wh", "port": 5432}
        assert changed["config"] == {"hostname": "db", "dbname": "wh", "port": 6000}
        assert changed["name"] == "Shared"
        assert listed[made["id"]]["environment__count"] == 0
        assert listed[31]["environment__count"] >= 1
        assert server.send("DELETE", path)["id"] == made["id"]
        assert server.request("GET", path).status_code == 404

    def test_null_takes_away_only_what_can_be_away(self, server):
        """Terraform sends null to take away an endpoint; a name or a config stays."""
        config = {"hostname": "db", "dbname": "wh"}
        body = {"account_id": ACCOUNT, "name": "Nulls", "adapter_version": "postgres_v0"}
        body |= {"config": config, "private_link_endpoint_id": "vpc"}
        made = server.send("POST", "v3/connections/", body, 201)
        nulls = {"name": None, "config": None, "private_link_endpoint_id": None}
        changed = server.send("PATCH", f"v3/connections/{made['id']}/", nulls)
        server.send("DELETE", f"v3/connections/{made['id']}/")

        different = {key for key in made if made[key] != changed[key]}
        assert different == {"private_link_endpoint_id", "updated_at"}

    def test_errors_in_the_account(self, server):
        """As recorded: the validator's text, for developers."""
        answer = server.request("POST", "v3/connections/", json={"account_id": ACCOUNT})

        assert answer.status_code == 400
        text = answer.json()["status"]["developer_message"]
        assert text.startswith("Invalid request data: 3 validation errors for ")
        assert "Field required" in text

    def test_switches_that_are_off(self, server):
        """A filter on what no connection here has finds all or none."""
        assert server.get("v3/connections/", has_cost_insights_enabled="true") == []
        assert server.get("v3/connections/", has_cost_insights_enabled="false") != []


class TestCredentials:
    def test_lifecycle(self, server, project):
        """A password goes in and never comes out; it stays when an update does not name it."""
        path = in_project(project, "credentials/")
        body = {
            "account_id": ACCOUNT,
            "project_id": project["id"],
            "type": "postgres",
            "state": 1,
            "threads": 4,
            "username": "user",
            "password": "secret",
            "default_schema": "analytics",
            "target_name": "default",
        }
        made = server.send("POST", path, body, 201)
        changed = server.send("PATCH", f"{path}{made['id']}/", {"default_schema": "other"})
        replaced = server.send("POST", f"{path}{made['id']}/", {**body, "username": "second"})

        assert "password" not in made
        assert (made["username"], made["default_schema"]) == ("user", "analytics")
        assert (changed["username"], changed["default_schema"]) == ("user", "other")
        assert (replaced["username"], replaced["default_schema"]) == ("second", "analytics")
        assert [each["id"] for each in server.get(path)] == [made["id"]]
        assert server.send("DELETE", f"{path}{made['id']}/")["state"] == 2
        assert "secret" not in server.log

    def test_schema_is_a_name(self, server, project):
        """A schema becomes part of SQL, so it is a plain name."""
        body = {"type": "postgres", "default_schema": 'a"; drop'}
        answer = server.request("POST", in_project(project, "credentials/"), json=body)

        assert answer.status_code == 400
        assert "match pattern" in answer.json()["data"]["default_schema"]


class TestRepositories:
    def test_lifecycle(self, server, project):
        """Its name is the last part of its URL, unless another is given."""
        path = in_project(project, "repositories/")
        body = {"remote_url": "git@github.com:owner/jaffle.git", "git_clone_strategy": "deploy_key"}
        made = server.send("POST", path, body, 201)
        v2 = server.get(f"v2/repositories/{made['id']}/")
        replaced = server.send(
            "POST", f"{path}{made['id']}/", {**body, "pull_request_url_template": "https://x"}
        )

        assert (made["name"], made["project_id"]) == ("jaffle", project["id"])
        assert SPACED.fullmatch(made["created_at"])
        assert ISO.fullmatch(v2["created_at"])
        assert replaced["pull_request_url_template"] == "https://x"
        assert server.send("DELETE", f"{path}{made['id']}")["state"] == 2
        assert server.get(path) == []

    def test_v2(self, server, project):
        """The deprecated paths list by project and create with the project in the body."""
        body = {"remote_url": "https://host/a.git", "project_id": project["id"]}
        made = server.send("POST", "v2/repositories/", body, 201)

        assert server.get("v2/repositories/", project_id=project["id"]) == [made]
        assert server.send("DELETE", f"v2/repositories/{made['id']}/")["state"] == 2


class TestAdapters:
    def test_lifecycle(self, server, project):
        """Kept as they are sent."""
        path = in_project(project, "adapters/")
        body = {"adapter_version": "databricks_v0", "metadata_json": {"title": "Databricks"}}
        made = server.send("POST", path, body, 201)
        replaced = server.send("POST", f"{path}{made['id']}/", {"adapter_version": "trino_v0"})

        assert made["metadata_json"] == {"title": "Databricks"}
        assert replaced["adapter_version"] == "trino_v0"
        assert server.get(f"{path}{made['id']}")["adapter_version"] == "trino_v0"
        assert server.send("DELETE", f"{path}{made['id']}/")["state"] == 2


class TestAccountsAndUsers:
    @pytest.mark.parametrize("version", ["v2", "v3"])
    def test_list_of_accounts(self, server, version):
        """As recorded: one account, filtered by its id, without a limit."""
        answer = server.client.get(f"/api/{version}/accounts/").json()

        assert [each["id"] for each in answer["data"]] == [ACCOUNT]
        assert answer["extra"] == {
            "filters": {"pk__in": [ACCOUNT]},
            "order_by": None,
            "pagination": {"count": 1, "total_count": 1},
        }

    def test_one_user(self, server):
        """Whoever has the token is the one user, under every path that shows users."""
        who = server.client.get("/api/v2/whoami/").json()["data"]["user"]
        path = f"/api/v2/users/{who['id']}/"

        assert isinstance(who["id"], int)
        assert server.client.get(path).json()["data"] == who
        assert server.get(f"v2/users/{who['id']}") == who
        assert server.get("v2/users/", order_by="email") == server.get("v3/users") == [who]
        assert server.get(f"v3/users/{who['id']}/")["email"] == who["email"]
        assert server.client.get(f"/api/v3/users/{who['id']}/credentials/").json()["data"] == []

    @pytest.mark.parametrize("path", ["v2/users/1/", "v3/users/1/credentials/"])
    def test_nobody_else(self, server, path):
        """Another user's id is found nowhere."""
        assert server.client.get(f"/api/{path}").status_code == 404


class TestBadInput:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[]",
            b'"text"',
            b'{"name": NaN}',
            b'{"name": "\\ud800"}',
            b'{"name": ' + b"[" * 500 + b"]" * 500 + b"}",
            b'{"name": "x", "connection_id": 1e400}',
            b'{"name": "x", "connection_id": 99999999999999999999}',
            b"\xff\xfe",
            b'{"name": "' + b"x" * 2_000_000 + b'"}',
        ],
    )
    @pytest.mark.parametrize(
        "path", ["v3/projects/", "v2/jobs/", "v3/connections/", "v3/webhooks/subscriptions"]
    )
    def test_every_body_gets_an_answer(self, server, path, body):
        """Whatever is sent, the answer is a 400 in the envelope."""
        headers = {"Content-Type": "application/json"}
        answer = server.request("POST", path, content=body, headers=headers)

        assert answer.status_code == 400
        assert answer.json()["status"]["is_success"] is False

    @pytest.mark.parametrize("identifier", ["0", "-1", "x", "99999999999999999999", "1.5", "%00"])
    @pytest.mark.parametrize(
        "path",
        [
            "v3/projects/{}/",
            f"v3/projects/{PROJECT}/environments/{{}}/",
            "v2/jobs/{}/",
            "v3/connections/{}/",
            "v2/steps/{}/",
            "v3/webhooks/subscription/{}",
        ],
    )
    def test_every_id_gets_an_answer(self, server, path, identifier):
        """An id that cannot be is not found."""
        assert server.request("GET", path.format(identifier)).status_code == 404

    @pytest.mark.parametrize(
        ("path", "params"),
        [
            ("v3/projects/", {"name__icontains": "x" * 60_000}),
            ("v2/jobs/", {"name__icontains": "%" * 20_000}),
            ("v3/projects/", {"pk__in": "1," * 15_000}),
            (f"v3/projects/{PROJECT}/credentials/", {"order_by": "id"}),
        ],
    )
    def test_long_filters_get_an_answer(self, server, path, params):
        """A filter of any length is answered; nothing that long is here."""
        assert server.request("GET", path, params=params).status_code == 200

    @pytest.mark.parametrize(
        ("path", "order"),
        [
            (f"v3/projects/{PROJECT}/credentials/", "name"),
            ("v2/repositories/", "name"),
            ("v3/projects/", "definition"),
            ("v3/environments/", "__class__"),
        ],
    )
    def test_orders_that_are_none(self, server, path, order):
        """What a list cannot be sorted by is a 400 that says so."""
        answer = server.request("GET", path, params={"order_by": order})

        assert answer.status_code == 400
        assert list(answer.json()["data"]) == ["order_by"]

    def test_names_are_kept_as_they_are(self, server, project):
        """Nothing in a name means anything to the database."""
        name = "x'; drop table projects; -- \N{SNOWMAN} %_\\"
        server.send("POST", f"v3/projects/{project['id']}/", {"name": name})

        assert server.get(f"v3/projects/{project['id']}/")["name"] == name
        assert server.get("v3/projects/", name__icontains="%_\\")[0]["name"] == name
        assert server.get(f"v2/jobs/{JOB}/")["id"] == JOB

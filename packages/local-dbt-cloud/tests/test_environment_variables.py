"""Environment variables: where they can be set, which one wins, and what dbt gets of them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from server_process import ACCOUNT, PROJECT


MASK = "**********"


@pytest.fixture
def server(shared_server):
    """The server that the modules about resources share."""
    return shared_server


@pytest.fixture
def scene(server):
    """A project of the test's own with the environments Prod and Dev and a job in Prod."""
    project = server.send("POST", "v3/projects/", {"name": "Variables"}, 201)["id"]
    below = f"v3/projects/{project}/"
    environments = {
        name: server.send("POST", f"{below}environments/", {"name": name}, 201)["id"]
        for name in ("Prod", "Dev")
    }
    body = {"project_id": project, "environment_id": environments["Prod"], "name": "Job"}
    job = server.send("POST", "v2/jobs/", body, 201)["id"]
    yield Scene(server, project, environments, job)
    server.request("DELETE", f"v3/projects/{project}/")


class Scene:
    def __init__(self, server, project, environments, job):
        self.server, self.project, self.environments, self.job = server, project, environments, job
        self.path = f"v3/projects/{project}/environment-variables/"

    def set(self, name, value, kind="project", status=201, **ids):
        body = {"account_id": ACCOUNT, "project_id": self.project, "name": name, "type": kind}
        return self.server.send("POST", self.path, {**body, "raw_value": value, **ids}, status)

    def bulk(self, method, body, status=200):
        return self.server.send(method, f"{self.path}bulk/", body, status)

    def for_job(self):
        return self.server.get(f"{self.path}job/", job_definition_id=self.job)

    def for_environments(self):
        return self.server.get(f"{self.path}environment/")


class TestOneVariable:
    def test_three_scopes_of_a_name(self, scene):
        """What a job would get, scope by scope; a scope without a value is left out."""
        prod, dev = scene.environments["Prod"], scene.environments["Dev"]
        default = scene.set("DBT_SIZE", "small")
        of_prod = scene.set("DBT_SIZE", "medium", "environment", environment_id=prod)
        of_dev = scene.set("DBT_SIZE", "tiny", "environment", environment_id=dev)
        of_job = scene.set("DBT_SIZE", "large", "job", job_definition_id=scene.job)
        scene.set("DBT_OTHER", "only default")

        table = scene.for_job()
        assert table["DBT_SIZE"] == {
            "project": {"id": default["id"], "value": "small"},
            "environment": {"id": of_prod["id"], "value": "medium"},
            "job": {"id": of_job["id"], "value": "large"},
        }
        assert list(table["DBT_OTHER"]) == ["project"]
        assert scene.for_environments() == {
            "environments": ["project", "Prod", "Dev"],
            "variables": {
                "DBT_OTHER": {"project": table["DBT_OTHER"]["project"]},
                "DBT_SIZE": {
                    "project": table["DBT_SIZE"]["project"],
                    "Prod": table["DBT_SIZE"]["environment"],
                    "Dev": {"id": of_dev["id"], "value": "tiny"},
                },
            },
        }

    def test_change_and_delete(self, scene):
        """As dbt-jobs-as-code does it: POST with the id in path and body, then DELETE."""
        made = scene.set("DBT_ALPHA", "1", "job", job_definition_id=scene.job)
        path = f"{scene.path}{made['id']}/"
        body = {"id": made["id"], "name": "DBT_ALPHA", "type": "job", "raw_value": "2"}
        changed = scene.server.send("POST", path, body)
        deleted = scene.server.send("DELETE", path)

        assert (made["display_value"], changed["display_value"]) == ("1", "2")
        assert "raw_value" not in changed
        assert deleted["state"] == 2
        assert scene.for_job() == {}

    def test_secrets_never_come_back(self, scene):
        """Neither the creation, nor a table, nor the log shows a secret; an update keeps it."""
        made = scene.set("DBT_ENV_SECRET_KEY", "very-secret")
        renamed = scene.server.send(
            "POST", f"{scene.path}{made['id']}/", {"name": "DBT_ENV_SECRET_OTHER"}
        )

        assert made["display_value"] == renamed["display_value"] == MASK
        assert scene.for_job()["DBT_ENV_SECRET_OTHER"]["project"]["value"] == MASK
        assert "very-secret" not in scene.server.log

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": "PATH"}, "name"),
            ({"name": "DBT_lower"}, "name"),
            ({"name": "DBT_A=B"}, "name"),
            ({"type": "job"}, "job_definition_id"),
            ({"type": "environment"}, "environment_id"),
            ({"type": "environment", "environment_id": 5}, "environment_id"),
            ({"type": "galaxy"}, "type"),
            ({"raw_value": ""}, "raw_value"),
            ({"raw_value": None}, "raw_value"),
            ({"project_id": 5}, "project_id"),
        ],
    )
    def test_bad_body(self, scene, body, field):
        """A 400 that names the field: names begin with DBT_, and a scope needs its id."""
        whole = {"name": "DBT_A", "type": "project", "raw_value": "x", **body}
        answer = scene.server.request("POST", scene.path, json=whole)

        assert answer.status_code == 400
        assert list(answer.json()["data"]) == [field]

    def test_twice_in_a_scope(self, scene):
        """A scope has one value of a name."""
        scene.set("DBT_A", "1")
        answer = scene.server.request(
            "POST", scene.path, json={"name": "DBT_A", "type": "project", "raw_value": "2"}
        )

        assert answer.json()["data"] == {"name": "'DBT_A' is set there already"}

    def test_twice_at_once(self, scene):
        """However many set it in the same moment, one does, and the others are refused."""
        body = {"name": "DBT_SIZE", "type": "project", "raw_value": "small"}

        def create(_number):
            return scene.server.request("POST", scene.path, json=body).status_code

        for _ in range(5):
            with ThreadPoolExecutor(20) as pool:
                assert sorted(pool.map(create, range(20))) == [201, *[400] * 19]
            variable = scene.for_environments()["variables"]["DBT_SIZE"]["project"]
            scene.server.send("DELETE", f"{scene.path}{variable['id']}/")

    def test_job_of_another_project(self, scene):
        """The table of a job is found only below its own project."""
        path = f"v3/projects/{PROJECT}/environment-variables/job/"
        answer = scene.server.request("GET", path, params={"job_definition_id": scene.job})

        assert answer.status_code == 404

    def test_of_a_user(self, scene):
        """Personal values stand beside the defaults."""
        user = scene.server.client.get("/api/v2/whoami/").json()["data"]["user"]["id"]
        scene.set("DBT_A", "1")
        scene.set("DBT_A", "mine", "user", user_id=user)
        table = scene.server.get(f"{scene.path}user/", user_id=user)

        assert {scope: value["value"] for scope, value in table["DBT_A"].items()} == {
            "project": "1",
            "user": "mine",
        }


class TestInBulk:
    def test_as_terraform_does_it(self, scene):
        """Created by names of environments, changed by ids of values, deleted by its name."""
        created = scene.bulk(
            "POST", {"env_var": {"new_name": "DBT_A", "project": "1", "Prod": "2"}}
        )
        values = scene.for_environments()["variables"]["DBT_A"]
        ids = {key: str(value["id"]) for key, value in values.items()}
        updated = scene.bulk(
            "PUT",
            {"env_vars": {"name": "DBT_A", ids["project"]: "", ids["Prod"]: "3", "Dev": "4"}},
        )
        after = scene.for_environments()["variables"]["DBT_A"]
        scene.bulk("DELETE", {"name": "DBT_A"})

        assert sorted(created["new_var_ids"]) == sorted(int(each) for each in ids.values())
        assert updated["deleted_var_ids"] == [int(ids["project"])]
        assert {key: value["value"] for key, value in after.items()} == {"Prod": "3", "Dev": "4"}
        assert scene.for_environments()["variables"] == {}

    def test_as_the_docs_show_it(self, scene):
        """A list creates several variables."""
        scene.bulk(
            "POST",
            {"env_var": [{"new_name": "DBT_A", "project": "1"}, {"new_name": "DBT_B", "Dev": "2"}]},
        )

        assert list(scene.for_environments()["variables"]) == ["DBT_A", "DBT_B"]

    def test_twice_in_a_body(self, scene):
        """Refused as a whole: of two values for one scope, which would count?"""
        twice = [{"new_name": "DBT_SIZE", "project": size} for size in ("small", "large")]
        refused = scene.bulk("POST", {"env_var": twice}, 400)

        assert refused == {"new_name": "'DBT_SIZE' is set there already"}
        assert scene.for_environments()["variables"] == {}

    def test_rename(self, scene):
        """A new name is taken over by every value."""
        scene.bulk("POST", {"env_var": {"new_name": "DBT_A", "project": "1", "Prod": "2"}})
        scene.bulk("PUT", {"env_vars": {"name": "DBT_A", "new_name": "DBT_B"}})

        assert list(scene.for_environments()["variables"]) == ["DBT_B"]

    @pytest.mark.parametrize(
        ("method", "body", "field"),
        [
            ("POST", {}, "env_var"),
            ("POST", {"env_var": {"project": "1"}}, "new_name"),
            ("POST", {"env_var": {"new_name": "A"}}, "new_name"),
            ("POST", {"env_var": {"new_name": "DBT_A", "Nowhere": "1"}}, "Nowhere"),
            ("POST", {"env_var": {"new_name": "DBT_A", "project": 1}}, "env_var"),
            ("PUT", {"env_vars": []}, "env_vars"),
            ("DELETE", {}, "name"),
        ],
    )
    def test_bad_body(self, scene, method, body, field):
        """A 400 that names what is wrong, and nothing is changed."""
        answer = scene.server.request(method, f"{scene.path}bulk/", json=body)

        assert answer.status_code == 400
        assert list(answer.json()["data"]) == [field]
        assert scene.for_environments()["variables"] == {}

    @pytest.mark.parametrize(
        ("method", "body"),
        [("PUT", {"env_vars": {"name": "DBT_NONE"}}), ("DELETE", {"name": "DBT_NONE"})],
    )
    def test_unknown_name(self, scene, method, body):
        """What is not set cannot be changed or deleted."""
        assert scene.server.request(method, f"{scene.path}bulk/", json=body).status_code == 404


class TestInARun:
    def test_the_job_wins(self, server):
        """dbt gets job before environment before project, and the server's own above all."""
        path = f"v3/projects/{PROJECT}/environment-variables/"
        environment = server.get(f"v3/projects/{PROJECT}/environments/")[0]["id"]
        job = server.send(
            "POST",
            "v2/jobs/",
            {
                "project_id": PROJECT,
                "environment_id": environment,
                "name": "Variables",
                "execute_steps": ["dbt build --select tell"],
            },
            201,
        )["id"]
        scopes = {
            "project": {},
            "environment": {"environment_id": environment},
            "job": {"job_definition_id": job},
        }
        made = []
        for depth, name in ((1, "DBT_ONE"), (2, "DBT_TWO"), (3, "DBT_THREE")):
            for scope in list(scopes)[:depth]:
                body = {"name": name, "type": scope, "raw_value": f"of the {scope}"}
                made.append(server.send("POST", path, {**body, **scopes[scope]}, 201))
        for name in (
            "DBT_CLOUD_RUN_ID",
            "DBT_TARGET_PATH",
            "DBT_PROJECT_DIR",
            "DBT_ENGINE_TARGET_PATH",
        ):
            body = {"name": name, "type": "project", "raw_value": "/stolen"}
            made.append(server.send("POST", path, body, 201))
        run = server.finish(server.trigger(job)["id"])
        for variable in made:
            server.send("DELETE", f"{path}{variable['id']}/")
        seen = server.request("GET", f"v2/runs/{run['id']}/artifacts/process_env.json").json()

        assert run["status"] == 10
        assert {name: seen[name] for name in ("DBT_ONE", "DBT_TWO", "DBT_THREE")} == {
            "DBT_ONE": "of the project",
            "DBT_TWO": "of the environment",
            "DBT_THREE": "of the job",
        }
        assert seen["DBT_CLOUD_RUN_ID"] == str(run["id"])
        assert "/stolen" not in seen.values()

    def test_shown_in_the_job(self, scene):
        """A job shows its own values when it is asked for them."""
        made = scene.set("DBT_A", "1", "job", job_definition_id=scene.job)
        shown = scene.server.get(
            f"v2/jobs/{scene.job}/", include_related="custom_environment_variables"
        )

        assert shown["custom_environment_variables"] == [made]

"""Jobs that clients create, replace and delete, and what becomes of the running ones."""

import pytest
from server_process import ACCOUNT, ENVIRONMENT, JOB, PROJECT


# What prefect sends, and nothing more.
SMALLEST = {"project_id": PROJECT, "environment_id": ENVIRONMENT, "name": "Made"}
STEPS = {"execute_steps": ["dbt seed", "dbt build --select tag:daily"]}


@pytest.fixture
def server(shared_server):
    """The server that the modules about resources share."""
    return shared_server


@pytest.fixture
def create(server):
    """Create a job; it is deleted with the test."""
    made = []

    def create(**body):
        made.append(server.send("POST", "v2/jobs/", {**SMALLEST, **body}, 201))
        return made[-1]

    yield create
    for job in made:
        server.request("DELETE", f"v2/jobs/{job['id']}/")


class TestCreate:
    def test_with_as_little_as_prefect_sends(self, create, server):
        """Project, environment, name and steps are enough; the rest is dbt Cloud's default."""
        made = create(**STEPS)

        assert made == server.get(f"v2/jobs/{made['id']}/")
        assert list(made) == list(server.get(f"v2/jobs/{JOB}/"))
        assert made["execute_steps"] == STEPS["execute_steps"]
        assert made["settings"] == {"threads": 4, "target_name": "default"}
        assert made["execution"] == {"timeout_seconds": 0}
        assert (made["job_type"], made["state"], made["deactivated"]) == ("other", 1, False)
        assert made["triggers"]["schedule"] is False

    def test_recorded_schedule(self, create):
        """Without a word it is every hour, as it was recorded."""
        assert create()["schedule"] == {
            "cron": "0 * * * *",
            "date": {"type": "every_day"},
            "time": {"type": "every_hour", "interval": 1},
        }
        assert create()["cron_humanized"] == "Every hour"

    def test_recorded_words_of_a_cron_expression(self, create):
        """As recorded in 2024."""
        assert create(schedule={"cron": "6 */12 * * 0,1,2,3,4,5,6"})["cron_humanized"] == (
            "At 6 minutes past the hour, every 12 hours, only on Sunday, Monday, Tuesday, "
            "Wednesday, Thursday, Friday, and Saturday"
        )

    @pytest.mark.parametrize(
        ("date", "time", "cron"),
        [
            ({"type": "every_day"}, {"type": "every_hour", "interval": 6}, "0 */6 * * *"),
            ({"type": "every_day"}, {"type": "at_exact_hours", "hours": [9, 3]}, "0 3,9 * * *"),
            ({"type": "days_of_week", "days": [5, 1]}, {"type": "every_hour"}, "0 * * * 1,5"),
            ({"type": "custom_cron", "cron": "5 4 * * *"}, {"type": "every_hour"}, "5 4 * * *"),
            ({"type": "interval_cron", "cron": "4 */2 * * 1"}, None, "4 */2 * * 1"),
            (
                {"type": "interval_cron", "days": [1, 3]},
                {"type": "every_hour", "interval": 12},
                "0 */12 * * 1,3",
            ),
            ({"type": "interval_cron"}, {"type": "every_hour", "interval": 5}, "0 */5 * * *"),
        ],
    )
    def test_cron_of_a_schedule_in_words(self, create, date, time, cron):
        """The cron expression follows from the days and hours that are given."""
        schedule = create(schedule={"date": date, "time": time})["schedule"]

        assert schedule["cron"] == cron
        assert schedule["date"]["type"] == date["type"]

    @pytest.mark.parametrize(
        ("triggers", "given", "derived"),
        [
            ({}, None, "other"),
            ({"schedule": True}, None, "scheduled"),
            ({"schedule": False}, "scheduled", "other"),
            ({"schedule": True}, "other", "scheduled"),
            ({"github_webhook": True}, None, "ci"),
            ({"git_provider_webhook": True}, None, "ci"),
            ({"on_merge": True}, None, "merge"),
            ({}, "ci", "ci"),
            ({}, "merge", "merge"),
        ],
    )
    def test_type_follows_the_triggers(self, create, triggers, given, derived):
        """`scheduled` and `other` are derived; the other types are what the client says."""
        body = {"triggers": triggers} | ({"job_type": given} if given else {})

        assert create(**body)["job_type"] == derived

    def test_deprecated_trigger_is_taken_and_forgotten(self, create):
        """dbt-cloud-cli still sends `custom_branch_only`; no answer has it."""
        made = create(triggers={"github_webhook": False, "custom_branch_only": True})

        assert "custom_branch_only" not in made["triggers"]

    def test_nulls_mean_not_set(self, create):
        """Terraform and dbt-jobs-as-code send null for what they do not set."""
        made = create(
            dbt_version=None,
            deferring_environment_id=None,
            deferring_job_definition_id=None,
            job_completion_trigger_condition=None,
            settings=None,
            execution=None,
            triggers=None,
            schedule={"cron": "1 2 3 4 5", "date": None, "time": None},
        )

        assert made["dbt_version"] is None
        assert made["schedule"]["cron"] == "1 2 3 4 5"

    @pytest.mark.parametrize(
        ("body", "data"),
        [
            ({"name": None}, {"name": "Input should be a valid string"}),
            (
                {"triggers": {"cron": True}},
                {"triggers": "Additional properties are not allowed ('cron' was unexpected)"},
            ),
            (
                {"schedule": {"date": {"type": "days_of_week"}}},
                {"schedule": {"date": {"days": "required key not provided"}}},
            ),
            (
                {"schedule": {"time": {"type": "at_exact_hours"}}},
                {"schedule": {"time": {"hours": "required key not provided"}}},
            ),
            ({"environment_id": 5}, {"environment_id": "'5' does not exist"}),
            (
                {"deferring_job_definition_id": 5},
                {"deferring_job_definition_id": "'5' does not exist"},
            ),
            ({"account_id": 5}, {"account_id": "'5' is not this account"}),
            (
                {"execute_steps": ["dbt run; id"]},
                {"execute_steps": "'dbt run; id' uses shell syntax (';'); there is no shell."},
            ),
        ],
    )
    def test_bad_body(self, server, body, data):
        """As recorded: the fields are nested in `data` as they are in the body."""
        answer = server.request("POST", "v2/jobs/", json={**SMALLEST, **body})

        assert answer.status_code == 400
        assert answer.json()["data"] == data

    def test_missing_keys(self, server):
        """All of them are named at once."""
        answer = server.request("POST", "v2/jobs/", json={})

        assert answer.json()["data"] == dict.fromkeys(SMALLEST, "required key not provided")


class TestReplace:
    def test_whole_job_as_it_was_read(self, create, server):
        """Dagster reads a job, changes one key and sends everything back."""
        made = create(**STEPS, schedule={"cron": "5 4 * * *"}, triggers={"schedule": True})
        body = {**made, "name": "Renamed", "settings": {"threads": 8, "target_name": "prod"}}
        changed = server.send("POST", f"v2/jobs/{made['id']}", body)

        different = {key for key in made if made[key] != changed[key]}
        # A minute may have begun meanwhile.
        assert different - {"next_run", "next_run_humanized"} == {"name", "settings", "updated_at"}
        assert changed["settings"] == {"threads": 8, "target_name": "prod"}

    def test_what_is_left_out_is_reset(self, create, server):
        """An update is the whole job."""
        made = create(**STEPS, description="to be lost")
        changed = server.send("POST", f"v2/jobs/{made['id']}/", {**SMALLEST, "id": made["id"]})

        assert (changed["description"], changed["execute_steps"]) == ("", [])

    @pytest.mark.parametrize("body", [{}, {"id": 5}, {"id": None}])
    def test_needs_its_id(self, create, server, body):
        """As recorded: the id has to be in the body too."""
        made = create()
        answer = server.request("POST", f"v2/jobs/{made['id']}/", json={**SMALLEST, **body})

        assert answer.status_code == 400
        assert answer.json()["data"] == {"id": "The provided id does not match."}

    def test_ci_stays_ci(self, create, server):
        """dbt Cloud turns no job of continuous integration into another, and none into one."""
        ci, other = create(job_type="ci"), create()
        refused = [
            server.request("POST", f"v2/jobs/{made['id']}/", json={**SMALLEST, **body})
            for made, body in (
                (ci, {"id": ci["id"], "job_type": "other"}),
                (other, {"id": other["id"], "job_type": "ci"}),
            )
        ]
        merged = server.send(
            "POST", f"v2/jobs/{other['id']}/", {**SMALLEST, "id": other["id"], "job_type": "merge"}
        )

        assert [list(answer.json()["data"]) for answer in refused] == [["job_type"], ["job_type"]]
        assert merged["job_type"] == "merge"

    def test_state_2_deletes(self, create, server):
        """Terraform deletes a job by replacing it with a deleted one."""
        made = create()
        body = {**SMALLEST, "id": made["id"], "state": 2}

        assert server.send("POST", f"v2/jobs/{made['id']}/", body)["state"] == 2
        assert server.request("GET", f"v2/jobs/{made['id']}/").status_code == 404


class TestDelete:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_answers_the_job(self, create, server, slash):
        """As recorded: 200, and the job with state 2; then it is not found."""
        made = create()
        deleted = server.send("DELETE", f"v2/jobs/{made['id']}{slash}")

        assert (deleted["id"], deleted["state"]) == (made["id"], 2)
        assert server.request("DELETE", f"v2/jobs/{made['id']}{slash}").status_code == 404
        assert (
            server.request("POST", f"v2/jobs/{made['id']}/run/", json={"cause": "x"}).status_code
            == 404
        )
        assert made["id"] in [each["id"] for each in server.get("v2/jobs/", state=2)]

    def test_there_is_no_patch(self, server):
        """dbt Cloud has no PATCH for jobs: 405, as plain as it was recorded."""
        answer = server.request("PATCH", f"v2/jobs/{JOB}/", json={})

        assert answer.status_code == 405
        assert answer.json() == {"detail": 'Method "PATCH" not allowed.'}


class TestList:
    def test_filters(self, create, server):
        """By name, version, schedule, environment and project, also several at once."""
        made = create(
            name="Größe: listed job", dbt_version="versionless", triggers={"schedule": True}
        )

        def ids(**params):
            return [each["id"] for each in server.get("v2/jobs/", **params)]

        assert ids(name__icontains="LISTED") == [made["id"]]
        assert ids(name__icontains="GRÖ") == [made["id"]]
        assert ids(dbt_version__in="['versionless']") == [made["id"]]
        assert ids(triggers_schedule="true") == [made["id"]]
        assert ids(environment_id=ENVIRONMENT, project_id__in=f"[{PROJECT},5]", pk=JOB) == [JOB]
        assert ids(is_system="true") == []
        assert JOB in ids(is_system="false", is_fusion_ready="false")


class TestRuns:
    def test_job_and_environment_of_the_api(self, server, create):
        """A job that the API created, in an environment that it created, runs like any other."""
        environment = server.send(
            "POST",
            f"v3/projects/{PROJECT}/environments/",
            {"name": "Of the API", "connection_id": 31, "credentials_id": 41},
            201,
        )
        made = create(environment_id=environment["id"], execute_steps=["dbt build"])
        run = server.finish(server.trigger(made["id"])["id"])

        assert run["status_message"] is None
        assert run["status"] == 10
        assert [step["name"] for step in run["run_steps"]] == [
            "Clone git repository",
            "Create profile from connection Warehouse",
            "Invoke dbt with `dbt deps`",
            "Invoke dbt with `dbt build`",
        ]

    def test_project_of_the_api(self, server):
        """A project whose repository is a folder on this machine runs from there."""
        project = server.send("POST", "v3/projects/", {"name": "Own"}, 201)["id"]
        below = f"v3/projects/{project}/"
        repository = server.send(
            "POST", f"{below}repositories/", {"remote_url": server.folder.as_uri()}, 201
        )
        details = {"hostname": "warehouse.test", "dbname": "own", "port": 6543}
        connection = server.send(
            "POST",
            f"{below}connections/",
            {"name": "Own", "type": "postgres", "details": details},
            201,
        )
        credentials = server.send(
            "POST",
            f"{below}credentials/",
            {
                "type": "postgres",
                "username": "own_user",
                "password": "own_password",
                "default_schema": "own_schema",
            },
            201,
        )
        server.send(
            "POST",
            below,
            {
                "name": "Own",
                "repository_id": repository["id"],
                "dbt_project_subdirectory": "project",
            },
        )
        environment = server.send(
            "POST",
            f"{below}environments/",
            {
                "name": "Own",
                "connection_id": connection["id"],
                "credentials_id": credentials["id"],
            },
            201,
        )
        job = {"project_id": project, "environment_id": environment["id"], "name": "Own"}
        made = server.send("POST", "v2/jobs/", {**job, "execute_steps": ["dbt build"]}, 201)
        run = server.finish(server.trigger(made["id"])["id"])
        profile = (server.folder / f"state/runs/{run['id']}/profiles/profiles.yml").read_text()

        assert run["status"] == 10, run["status_message"]
        for text in ("host: warehouse.test", "port: 6543", "user: own_user", "schema: own_schema"):
            assert text in profile
        assert "own_password" not in profile

    @pytest.mark.parametrize(
        ("missing", "message"),
        [("connection_id", "has no connection"), ("credentials_id", "has no credentials")],
    )
    def test_environment_that_is_not_complete(self, server, create, missing, message):
        """The run fails at its second step and says what is missing."""
        body = {"name": "Half", "connection_id": 31, "credentials_id": 41}
        del body[missing]
        environment = server.send("POST", f"v3/projects/{PROJECT}/environments/", body, 201)
        made = create(environment_id=environment["id"], **STEPS)
        run = server.finish(server.trigger(made["id"])["id"])

        assert run["status"] == 20
        assert message in run["status_message"]
        assert len(run["run_steps"]) == 2

    def test_password_goes_only_where_it_belongs(self, server, create):
        """A connection to another host never gets the password of the server's own warehouse."""
        details = {"hostname": "elsewhere.test", "dbname": "x"}
        connection = server.send(
            "POST",
            f"v3/projects/{PROJECT}/connections/",
            {"name": "Elsewhere", "type": "postgres", "details": details},
            201,
        )
        environment = server.send(
            "POST",
            f"v3/projects/{PROJECT}/environments/",
            {"name": "Elsewhere", "connection_id": connection["id"], "credentials_id": 41},
            201,
        )
        made = create(environment_id=environment["id"], **STEPS)
        run = server.finish(server.trigger(made["id"])["id"])

        assert run["status"] == 20
        assert "have no username" in run["status_message"]


def test_account_is_in_every_job(create):
    """The account's id is in a job although clients need not send it."""
    assert create()["account_id"] == ACCOUNT

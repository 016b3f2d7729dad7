"""The API byte for byte: envelope, keys, nulls, errors, both slash forms."""

import json
import re

import pytest
from server_process import (
    ACCOUNT,
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    PROJECT,
    THIRD_JOB,
    job,
)

from dbt_cloud_api.trigger_fields import TRIGGER_FIELDS
from local_dbt_cloud.declared.trigger_request import TriggerRequest


SUCCESS = {"code": 200, "is_success": True, "user_message": "Success!", "developer_message": ""}
SPACED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

RUN_KEYS = [
    "id",
    "trigger_id",
    "account_id",
    "environment_id",
    "project_id",
    "job_definition_id",
    "status",
    "dbt_version",
    "git_branch",
    "git_sha",
    "status_message",
    "owner_thread_id",
    "executed_by_thread_id",
    "deferring_run_id",
    "artifacts_saved",
    "artifact_s3_path",
    "has_docs_generated",
    "has_sources_generated",
    "notifications_sent",
    "blocked_by",
    "created_at",
    "updated_at",
    "dequeued_at",
    "started_at",
    "finished_at",
    "last_checked_at",
    "last_heartbeat_at",
    "should_start_at",
    "trigger",
    "job",
    "environment",
    "run_steps",
    "status_humanized",
    "in_progress",
    "is_complete",
    "is_success",
    "is_error",
    "is_cancelled",
    "duration",
    "queued_duration",
    "run_duration",
    "duration_humanized",
    "queued_duration_humanized",
    "run_duration_humanized",
    "created_at_humanized",
    "finished_at_humanized",
    "retrying_run_id",
    "can_retry",
    "retry_not_supported_reason",
    "job_id",
    "is_running",
    "href",
    "used_repo_cache",
]
# As in the recorded answer to a trigger.
QUEUED_NULLS = {
    "git_branch",
    "git_sha",
    "status_message",
    "owner_thread_id",
    "executed_by_thread_id",
    "deferring_run_id",
    "artifact_s3_path",
    "dequeued_at",
    "started_at",
    "finished_at",
    "last_checked_at",
    "last_heartbeat_at",
    "should_start_at",
    "environment",
    "retrying_run_id",
    "is_running",
    "used_repo_cache",
}
TRIGGER_KEYS = [
    "id",
    "cause",
    "job_definition_id",
    "git_branch",
    "git_sha",
    "azure_pull_request_id",
    "github_pull_request_id",
    "gitlab_merge_request_id",
    "non_native_pull_request_id",
    "schema_override",
    "dbt_version_override",
    "threads_override",
    "target_name_override",
    "generate_docs_override",
    "timeout_seconds_override",
    "steps_override",
    "created_at",
    "cause_humanized",
    "job",
    "cause_category",
]
JOB_OF_RUN_KEYS = [
    "execution",
    "generate_docs",
    "run_generate_sources",
    "run_compare_changes",
    "id",
    "account_id",
    "project_id",
    "environment_id",
    "name",
    "description",
    "dbt_version",
    "raw_dbt_version",
    "created_at",
    "updated_at",
    "execute_steps",
    "state",
    "deactivated",
    "run_failure_count",
    "deferring_job_definition_id",
    "deferring_environment_id",
    "lifecycle_webhooks",
    "lifecycle_webhooks_url",
    "triggers",
    "settings",
    "schedule",
    "is_deferrable",
    "job_type",
    "triggers_on_draft_pr",
    "job_completion_trigger_condition",
]
JOB_KEYS = {
    "id",
    "account_id",
    "project_id",
    "environment_id",
    "name",
    "dbt_version",
    "deferring_environment_id",
    "deferring_job_definition_id",
    "description",
    "execute_steps",
    "execution",
    "generate_docs",
    "is_deferrable",
    "job_type",
    "lifecycle_webhooks_url",
    "lifecycle_webhooks",
    "raw_dbt_version",
    "run_compare_changes",
    "compare_changes_flags",
    "run_failure_count",
    "run_generate_sources",
    "run_lint",
    "errors_on_lint_failure",
    "cost_optimization_features",
    "settings",
    "state",
    "triggers_on_draft_pr",
    "triggers",
    "job_completion_trigger_condition",
    "created_at",
    "updated_at",
    "account",
    "project",
    "environment",
    "fusion_readiness",
    "schedule",
    "generate_sources",
    "deactivated",
    "is_system",
    "deactivation_reason",
    "force_node_selection",
    "is_fusion_ready_override",
    "cron_humanized",
    "next_run",
    "next_run_humanized",
    "most_recent_run",
    "most_recent_completed_run",
}
STEP_KEYS = [
    "id",
    "run_id",
    "account_id",
    "index",
    "status",
    "name",
    "logs",
    "debug_logs",
    "log_path",
    "debug_log_path",
    "log_location",
    "log_archive_type",
    "truncated_debug_logs",
    "started_at",
    "finished_at",
    "status_color",
    "status_humanized",
    "duration",
    "duration_humanized",
    "created_at",
    "updated_at",
    "run_step_command",
    "run_step_invocation",
]
PROJECT_KEYS = [
    "id",
    "name",
    "account_id",
    "description",
    "connection_id",
    "repository_id",
    "semantic_layer_config_id",
    "skipped_setup",
    "state",
    "dbt_project_subdirectory",
    "connection",
    "repository",
    "group_permissions",
    "docs_job_id",
    "freshness_job_id",
    "docs_job",
    "freshness_job",
    "created_at",
    "updated_at",
    "environments",
    "fusion_readiness",
    "default_version",
    "type",
]
ENVIRONMENT_KEYS = [
    "id",
    "account_id",
    "project_id",
    "credentials_id",
    "connection_id",
    "extended_attributes_id",
    "name",
    "dbt_version",
    "raw_dbt_version",
    "type",
    "use_custom_branch",
    "custom_branch",
    "supports_docs",
    "deployment_type",
    "is_deferrable",
    "enable_model_query_history",
    "enable_dbt_state",
    "state",
    "created_at",
    "updated_at",
    "project",
    "primary_profile_id",
    "credentials",
    "fusion_readiness",
]
ACCOUNT_KEYS = [
    "id",
    "name",
    "plan",
    "run_slots",
    "developer_seats",
    "it_seats",
    "explorer_seats",
    "analyst_seats",
    "read_only_seats",
    "locked",
    "lock_reason",
    "lock_cause",
    "unlocked_at",
    "pending_cancel",
    "billing_email_address",
    "pod_memory_request_mebibytes",
    "develop_pod_memory_request_mebibytes",
    "run_duration_limit_seconds",
    "queue_limit",
    "enterprise_login_slug",
    "business_critical",
    "starter_repo_url",
    "git_auth_level",
    "identifier",
    "trial_end_date",
    "static_subdomain",
    "vanity_subdomain",
    "run_locked_until",
    "state",
    "docs_job_id",
    "freshness_job_id",
    "copilot_locked_until",
    "agent_credit_locked",
    "account_migration_events",
    "groups",
    "created_at",
    "updated_at",
]


@pytest.fixture(scope="module")
def queued(server):
    """The answer to a trigger whose run must wait behind another one."""
    first = server.trigger(OTHER_JOB)
    server.held(first["id"])
    answer = server.trigger(OTHER_JOB, git_branch=None, timeout_seconds_override=7200)
    for run in (answer, first):
        server.request("POST", f"v2/runs/{run['id']}/cancel/")
    return answer


@pytest.fixture(scope="module")
def finished(server):
    """A run that succeeded."""
    return server.finish(server.trigger(git_branch=None)["id"])


class TestTriggerAnswer:
    def test_keys_in_the_recorded_order(self, queued):
        """Run, trigger and job have the recorded keys, in the recorded order."""
        assert list(queued) == RUN_KEYS
        assert list(queued["trigger"]) == TRIGGER_KEYS
        assert list(queued["job"]) == JOB_OF_RUN_KEYS

    def test_nulls_where_they_were_recorded(self, queued):
        """Exactly the fields that dbt Cloud leaves null in a queued run are null."""
        assert {key for key, value in queued.items() if value is None} == QUEUED_NULLS

    def test_values_of_a_queued_run(self, queued):
        """Status 1, no durations, and not to be retried because it has not failed."""
        expected = {
            "status": 1,
            "status_humanized": "Queued",
            "in_progress": True,
            "is_complete": False,
            "duration": "00:00:00",
            "duration_humanized": "0 minutes",
            "created_at_humanized": "0 minutes ago",
            "finished_at_humanized": "0 minutes from now",
            "can_retry": False,
            "retry_not_supported_reason": "RETRY_NOT_FAILED_RUN",
            "run_steps": [],
            "job_id": OTHER_JOB,
        }

        assert {key: queued[key] for key in expected} == expected

    def test_trigger_echoes_the_request(self, queued):
        """What was not set is null; the category is that of the API."""
        trigger = queued["trigger"]

        assert trigger["cause"] == trigger["cause_humanized"] == "a test"
        assert trigger["timeout_seconds_override"] == 7200
        assert trigger["steps_override"] is None
        assert trigger["cause_category"] == "api"

    def test_job_of_a_run_has_a_flat_schedule(self, queued):
        """Inside a run, the parts of a schedule are strings."""
        assert {type(part) for part in queued["job"]["schedule"].values()} == {str}

    def test_href_is_the_page_for_people(self, queued, server):
        """The link that Airflow shows leads to this server's page of the run."""
        path = f"/deploy/{ACCOUNT}/projects/{PROJECT}/runs/{queued['id']}/"

        assert queued["href"] == server.url + path


EVERY_FIELD = {
    "cause": "because",
    "git_branch": "main",
    "git_sha": "0123abcd",
    "azure_pull_request_id": 1,
    "github_pull_request_id": 2,
    "gitlab_merge_request_id": 3,
    "non_native_pull_request_id": 4,
    "schema_override": "elsewhere",
    "dbt_version_override": "1.11.0-latest",
    "threads_override": 2,
    "target_name_override": "ci",
    "generate_docs_override": False,
    "timeout_seconds_override": 60,
    "steps_override": ["dbt --target ci --warn-error build"],
}


class TestTriggerRequest:
    def test_every_field_is_taken(self, server):
        """Whatever a trigger may say is taken, and the run's trigger shows it again."""
        assert EVERY_FIELD.keys() == set(TRIGGER_FIELDS) == TriggerRequest.model_fields.keys()

        run = server.send("POST", f"v2/jobs/{OTHER_JOB}/run/", EVERY_FIELD)
        server.request("POST", f"v2/runs/{run['id']}/cancel/")

        assert {name: run["trigger"][name] for name in EVERY_FIELD} == EVERY_FIELD

    def test_nulls_mean_not_set(self, server):
        """Airflow always sends two nulls."""
        run = server.trigger(steps_override=None, schema_override=None)

        assert server.finish(run["id"])["status"] == 10

    @pytest.mark.parametrize(
        ("body", "field", "says"),
        [
            ({}, "cause", "required key not provided"),
            ({"cause": None}, "cause", "required key not provided"),
            ({"cause": ""}, "cause", "at least 1 character"),
            ({"cause": 7}, "cause", "valid string"),
            ({"cause": "x", "threads_override": "many"}, "threads_override", "valid integer"),
            ({"cause": "x", "steps_override": "dbt run"}, "steps_override", "valid list"),
            ({"cause": "x", "steps_override": ["ls"]}, "steps_override", "not a dbt command"),
            (
                {"cause": "x", "steps_override": ["dbt run; id"]},
                "steps_override",
                "uses shell syntax",
            ),
            ({"cause": "x", "schema_override": 'a"; drop'}, "schema_override", "match pattern"),
            ({"cause": "x", "git_sha": "--upload-pack"}, "git_sha", "match pattern"),
        ],
    )
    def test_bad_body_is_a_400_that_names_the_field(self, server, body, field, says):
        """The recorded validation error: `data` holds the field and what is wrong."""
        answer = server.request("POST", f"v2/jobs/{JOB}/run/", json=body)
        content = answer.json()

        assert answer.status_code == 400
        assert list(content) == ["status", "data", "extra", "error_code"]
        assert content["status"]["user_message"] == (
            "The request was invalid. Please double check the provided data and try again."
        )
        assert list(content["data"]) == [field]
        assert says in content["data"][field]

    @pytest.mark.parametrize(
        "body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, b" " * 2_000_000]
    )
    def test_a_body_that_is_no_object(self, server, body):
        """Broken JSON, another type, or far too much: a 400, never a traceback."""
        answer = server.request("POST", f"v2/jobs/{JOB}/run/", content=body)

        assert answer.status_code == 400
        assert list(answer.json()["data"]) in (["body"], ["cause"])

    def test_cause_can_be_made_optional(self, fresh_server):
        """For a client that sends `{}`, a setting relaxes the rule."""
        server = fresh_server(
            job(JOB, "Build", "dbt build"), LOCAL_DBT_CLOUD_CAUSE_REQUIRED="false"
        )

        assert server.request("POST", f"v2/jobs/{JOB}/run/", json={}).status_code == 200


class TestFinishedRun:
    def test_expands_only_what_is_asked_for(self, server, finished):
        """Without `include_related`, trigger, job and environment are null, steps are none."""
        plain = server.get(f"v2/runs/{finished['id']}/")

        assert list(plain) == RUN_KEYS
        assert (plain["trigger"], plain["job"], plain["environment"]) == (None, None, None)
        assert plain["run_steps"] == []

    def test_steps(self, finished):
        """The three hidden steps stand before the job's own, each with every key."""
        steps = finished["run_steps"]

        assert [list(step) for step in steps] == [STEP_KEYS] * 4
        assert [step["index"] for step in steps] == [1, 2, 3, 4]
        assert [step["name"] for step in steps] == [
            "Clone git repository",
            "Create profile from connection Warehouse",
            "Invoke dbt with `dbt deps`",
            "Invoke dbt with `dbt build`",
        ]
        assert steps[0]["logs"].startswith("Cloning into ")
        assert steps[0]["debug_logs"] == ""
        assert steps[1]["logs"] == "Create profile from connection Warehouse\n"
        assert steps[3]["status_color"] == "#55973a"

    def test_dates_of_runs_steps_and_triggers_have_a_space(self, finished):
        """Kestra parses them strictly in this one form."""
        dates = [
            value
            for part in (finished, finished["trigger"], *finished["run_steps"])
            for key, value in part.items()
            if key.endswith("_at") and value is not None
        ]

        assert len(dates) > 15
        assert [date for date in dates if not SPACED.fullmatch(date)] == []

    def test_environment_of_a_run_is_the_v2_one(self, server, finished):
        """Its dates are ISO."""
        run = server.get(f"v2/runs/{finished['id']}/", include_related="environment")

        assert run["environment"]["id"] == ENVIRONMENT
        assert ISO.fullmatch(run["environment"]["created_at"])

    def test_states_and_times_agree(self, finished):
        """A finished run says so in every one of its fields."""
        assert finished["is_complete"]
        assert finished["is_success"]
        assert not finished["in_progress"]
        assert finished["is_running"] is None
        assert finished["artifacts_saved"]
        assert finished["artifact_s3_path"] == f"prod/runs/{finished['id']}/artifacts/target"
        order = ["created_at", "dequeued_at", "started_at", "finished_at"]
        assert [finished[key] for key in order] == sorted(finished[key] for key in order)


class TestLists:
    def test_related_of_a_list(self, server, finished):
        """Trigger and job; steps and environment only one run has, as documented."""
        (run,) = server.get(
            "v2/runs/", pk=finished["id"], include_related="trigger,job,environment,run_steps"
        )

        assert run["trigger"]["id"] == finished["trigger_id"]
        assert run["job"]["id"] == JOB
        assert (run["environment"], run["run_steps"]) == (None, [])

    def test_echoes_filters_and_counts(self, server, finished):
        """`extra` has the effective filters, the order and both counts."""
        answer = server.request(
            "GET",
            "v2/runs/",
            params={
                "status__in": "[10, 20]",
                "job_definition_id": JOB,
                "limit": 1,
                "order_by": "-id",
                "created_at__range": '["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]',
                "no_such_filter": "x",
            },
        ).json()

        assert answer["status"] == SUCCESS
        assert len(answer["data"]) == 1
        assert answer["extra"]["order_by"] == "-id"
        assert answer["extra"]["pagination"]["count"] == 1
        assert answer["extra"]["pagination"]["total_count"] >= 1
        assert answer["extra"]["filters"] == {
            "limit": 1,
            "offset": 0,
            "account_id": ACCOUNT,
            "state": "all",
            "job_definition_id": JOB,
            "status__in": [10, 20],
            "created_at__range": ["2020-01-01 00:00:00+00:00", "2100-01-01 00:00:00+00:00"],
        }

    @pytest.mark.parametrize(
        ("params", "found"),
        [
            ({"job_definition_id": OTHER_JOB, "status": 10}, False),
            ({"job_definition_id": JOB, "status": 10}, True),
            ({"project_id": 1}, False),
            ({"project_id__in": f"[1,{PROJECT}]"}, True),
            ({"environment_id": ENVIRONMENT}, True),
            ({"id__gt": 2**62}, False),
            ({"has_docs_generated": "true"}, False),
            ({"deferring_run_id": 1}, False),
            ({"dbt_version__in": "1.11.0-latest,x"}, True),
            ({"finished_at__range": "2020-01-01,2020-01-02"}, False),
        ],
    )
    def test_filters_of_runs(self, server, finished, params, found):
        """Each filter keeps what fits and nothing else."""
        answer = server.request("GET", "v2/runs/", params=params)

        assert answer.status_code == 200
        assert bool(answer.json()["data"]) is found

    @pytest.mark.parametrize(
        ("path", "params", "names"),
        [
            ("v2/jobs/", {"name__icontains": "build T"}, ["Build tiny"]),
            ("v2/jobs/", {"name__icontains": "%"}, []),
            ("v2/jobs/", {"order_by": "-name"}, ["Hold", "Fail", "Build tiny"]),
            ("v2/jobs/", {"triggers_schedule": "true"}, []),
            ("v2/jobs/", {"state": "deleted"}, []),
            ("v2/jobs/", {"environment_id": ENVIRONMENT, "pk": JOB}, ["Build tiny"]),
            ("v3/projects/", {"name__icontains": "TINY"}, ["Tiny"]),
            ("v3/projects/", {"name__icontains": "other"}, []),
            (f"v3/projects/{PROJECT}/environments/", {"name__icontains": "prod"}, ["Production"]),
            (f"v3/projects/{PROJECT}/environments/", {"type": "development"}, []),
        ],
    )
    def test_filters_by_name_and_more(self, server, path, params, names):
        """Jobs, projects and environments are found by a part of their name."""
        assert [item["name"] for item in server.get(path, **params)] == names

    def test_unreadable_filter_is_a_400(self, server):
        """In the recorded words."""
        answer = server.request("GET", "v2/runs/", params={"status__in": "X"})

        assert answer.status_code == 400
        assert answer.json()["data"] == {
            "status__in": "'X' is not valid under any of the given schemas"
        }

    def test_artifacts(self, server, finished):
        """The list of artifacts is a list like the others, of paths."""
        answer = server.request("GET", f"v2/runs/{finished['id']}/artifacts/").json()

        assert answer["data"] == ["manifest.json", "run_results.json"]
        assert answer["extra"]["pagination"] == {"count": 2, "total_count": 2}


class TestOtherObjects:
    def test_job(self, server):
        """The exact modern key set, with nested schedule and ISO dates."""
        one = server.get(f"v2/jobs/{JOB}/")

        assert set(one) == JOB_KEYS
        assert one["schedule"]["date"]["type"] == "custom_cron"
        assert one["cron_humanized"] == "Every hour"
        assert ISO.fullmatch(one["created_at"])
        assert one["most_recent_run"] is None

    def test_job_with_its_runs(self, server, finished):
        """The most recent runs come when they are asked for."""
        related = "['most_recent_run','most_recent_completed_run','environment']"
        one = server.get(f"v2/jobs/{JOB}/", include_related=related)

        assert set(one) == JOB_KEYS
        assert one["most_recent_completed_run"]["is_complete"]
        assert one["environment"]["id"] == ENVIRONMENT

    def test_project_environment_account(self, server):
        """Each has its documented keys; a project brings its connection and repository."""
        project = server.get(f"v3/projects/{PROJECT}/")
        environment = server.get(f"v3/projects/{PROJECT}/environments/{ENVIRONMENT}/")
        account = server.get("v2/")

        assert list(project) == PROJECT_KEYS
        assert project["connection"]["details"]["hostname"] == "127.0.0.1"
        assert SPACED.fullmatch(project["created_at"])
        assert list(environment) == ENVIRONMENT_KEYS
        assert SPACED.fullmatch(environment["created_at"])
        assert list(account) == ACCOUNT_KEYS
        assert ISO.fullmatch(account["created_at"])

    def test_account_has_no_prefix(self, server):
        """Clients put an account's subdomain in front of the host: this host has none."""
        account = server.get("v2/")

        assert (account["static_subdomain"], account["vanity_subdomain"]) == (None, None)


def paths(run_id):
    artifact = f"v2/runs/{run_id}/artifacts"
    environments = f"v3/projects/{PROJECT}/environments"
    return [
        "v2",
        "v2/jobs",
        f"v2/jobs/{JOB}",
        "v2/runs",
        f"v2/runs/{run_id}",
        artifact,
        "v3/projects",
        f"v3/projects/{PROJECT}",
        environments,
        f"{environments}/{ENVIRONMENT}",
    ]


class TestPaths:
    def test_both_slash_forms_answer_alike(self, server, finished):
        """No form is redirected to the other."""
        without_ages = {"status", "extra"}
        for path in paths(finished["id"]):
            plain, slashed = (server.request("GET", path + end) for end in ("", "/"))

            assert (plain.status_code, slashed.status_code) == (200, 200), path
            assert {k: v for k, v in plain.json().items() if k in without_ages} == {
                k: v for k, v in slashed.json().items() if k in without_ages
            }

    def test_both_slash_forms_of_posts(self, server):
        """A POST without a slash is served as it is."""
        triggered = server.request("POST", f"v2/jobs/{JOB}/run", json={"cause": "x"})
        run_id = triggered.json()["data"]["id"]
        server.finish(run_id)

        assert triggered.status_code == 200
        assert server.request("POST", f"v2/runs/{run_id}/cancel").status_code == 200
        rerun = server.request("POST", f"v2/jobs/{JOB}/rerun")
        assert rerun.status_code == 200
        server.finish(rerun.json()["data"]["id"])

    @pytest.mark.parametrize("path", ["/api/v2//accounts/1/", "/api/v2/accounts//jobs/"])
    def test_double_slash_is_not_found(self, server, path):
        """As at dbt Cloud's edge."""
        assert server.client.get(path).status_code == 404

    def test_root(self, server):
        """Airflow's "Test connection" asks for the root, without a token."""
        assert server.client.get("/", headers={"Authorization": ""}).status_code == 200


class TestErrors:
    @pytest.mark.parametrize(
        "header", ["", "Token wrong", "Bearer wrong", "Basic x", "dbtc", "Token", "Token é"]
    )
    @pytest.mark.parametrize("path", ["/api/v2/accounts/1/jobs/", "/api/v2/no/such/thing"])
    def test_bad_token(self, server, header, path):
        """The recorded 401, also for a path that does not exist."""
        answer = server.client.get(path, headers={"Authorization": header.encode()})

        assert answer.status_code == 401
        assert answer.json() == {
            "status": {
                "code": 401,
                "is_success": False,
                "user_message": "Invalid token.",
                "developer_message": None,
            },
            "data": None,
        }

    def test_token_and_bearer_are_the_same(self, server):
        """Both syntaxes are equivalent."""
        for scheme in ("Token", "Bearer"):
            headers = {"Authorization": f"{scheme} {server.token}"}
            assert server.request("GET", "v2/", headers=headers).status_code == 200

    @pytest.mark.parametrize("path", ["/", "/jobs/", f"/jobs/{JOB}/", "/runs/1/"])
    def test_another_account(self, server, path):
        """A token is scoped to its account."""
        answer = server.client.get(f"/api/v2/accounts/7{path}")

        assert answer.status_code == 403
        assert answer.json()["status"]["user_message"] == (
            "Access denied: Token is not scoped to account."
        )
        assert answer.json()["data"] is None

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "v2/jobs/1/"),
            ("GET", "v2/jobs/x/"),
            ("GET", f"v2/jobs/{10**30}/"),
            ("POST", "v2/jobs/1/run/"),
            ("GET", "v2/runs/1/"),
            ("POST", "v2/runs/1/cancel/"),
            ("GET", "v2/runs/1/artifacts/"),
            ("GET", "v3/projects/1/"),
            ("GET", f"v3/projects/{PROJECT}/environments/1/"),
            ("GET", f"v3/projects/1/environments/{ENVIRONMENT}/"),
        ],
    )
    def test_unknown_ids(self, server, method, path):
        """A 404 in the recorded words."""
        answer = server.request(method, path, json={"cause": "x"} if method == "POST" else None)

        assert answer.status_code == 404
        assert answer.json()["status"]["user_message"] == "The requested resource was not found."

    def test_wrong_method(self, server):
        """A 405 in the plain form of Django REST Framework, without an envelope."""
        answer = server.request("GET", f"v2/jobs/{JOB}/run/")

        assert answer.status_code == 405
        assert answer.json() == {"detail": 'Method "GET" not allowed.'}

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "v3/groups/"),
            ("GET", "v2/no/such/thing"),
            ("GET", "v2/licenses/"),
            ("PATCH", "v2/"),
            ("POST", "v2/"),
            ("POST", "v3/connections/test/"),
        ],
    )
    def test_not_implemented(self, server, method, path):
        """A 501 in the envelope that names the endpoint: never a fake success."""
        answer = server.request(method, path)

        assert answer.status_code == 501
        assert (
            path.removeprefix("v2").removeprefix("v3") in (answer.json()["status"]["user_message"])
        )
        assert answer.json()["data"] is None


class TestArtifacts:
    def test_raw_bytes(self, server, finished):
        """The file itself, with the type of its content."""
        answer = server.request("GET", f"v2/runs/{finished['id']}/artifacts/run_results.json")
        kept = server.folder / f"state/runs/{finished['id']}/artifacts/4/run_results.json"

        assert answer.headers["content-type"] == "application/json"
        assert answer.content == kept.read_bytes()

    @pytest.mark.parametrize(
        "path",
        [
            "nothing.json",
            "..%2F..%2Fprofiles%2Fprofiles.yml",
            "%2e%2e/%2e%2e/profiles/profiles.yml",
            "..%2f..%2f..%2f..%2fdbt_cloud.sqlite",
            "%2Fetc%2Fpasswd",
            "a%00b",
            "..",
            ".",
        ],
    )
    def test_nothing_out_of_the_artifacts(self, server, finished, path):
        """What is missing and every path that leads out of the artifacts is a 404."""
        url = f"/api/v2/accounts/{ACCOUNT}/runs/{finished['id']}/artifacts/{path}"
        answer = server.client.get(url, params={"step": 4})

        assert answer.status_code == 404 if path not in {".", ".."} else {200, 404}
        assert "password" not in answer.text

    def test_steps_that_wrote_none(self, server, finished):
        """Clone, profile and deps have no artifacts; steps that never were have none either."""
        path = f"v2/runs/{finished['id']}/artifacts/run_results.json"
        answers = [server.request("GET", path, params={"step": n}) for n in (1, 2, 3, 9)]

        assert [answer.status_code for answer in answers] == [404] * 4
        assert answers[0].json()["status"]["user_message"] == (
            "The requested resource was not found."
        )


class TestFailedRun:
    def test_failure_in_the_middle(self, server):
        """Commands before it ran, commands behind it did not; it can be retried."""
        run = server.finish(server.trigger(THIRD_JOB)["id"])

        assert run["status"] == 20
        assert run["status_message"] == (
            "Invoke dbt with `dbt build --select fail` failed: "
            "model.tiny.one: Database Error in one: it broke"
        )
        assert [step["status"] for step in run["run_steps"]] == [10, 10, 10, 10, 20]
        assert (run["can_retry"], run["retry_not_supported_reason"]) == (True, None)

    def test_rerun_resumes_or_starts_anew(self, server):
        """After a failure a rerun resumes it; after a success it is a run like any other."""
        failed = server.finish(server.trigger(THIRD_JOB)["id"])
        resumed = server.request("POST", f"v2/jobs/{THIRD_JOB}/rerun/").json()["data"]
        done = server.finish(resumed["id"])
        again = server.request("POST", f"v2/jobs/{THIRD_JOB}/rerun/").json()["data"]
        server.finish(again["id"])

        assert resumed["retrying_run_id"] == failed["id"]
        assert [step["name"] for step in done["run_steps"][3:]] == [
            "Invoke dbt with `dbt retry`",
            "Invoke dbt with `dbt test`",
        ]
        assert again["retrying_run_id"] is None
        assert again["trigger"]["cause_category"] == "api"
        older = server.get(f"v2/runs/{failed['id']}/")
        assert older["retry_not_supported_reason"] == "RETRY_NOT_LATEST_RUN"

    @pytest.mark.parametrize(
        ("steps", "reason"),
        [(["dbt parse --select fail"], "RETRY_UNSUPPORTED_CMD")],
    )
    def test_reasons_against_a_retry(self, server, steps, reason):
        """dbt Cloud's code says why a failed run cannot be resumed."""
        run = server.finish(server.trigger(THIRD_JOB, steps_override=steps)["id"])

        assert (run["can_retry"], run["retry_not_supported_reason"]) == (False, reason)


def test_access_log_has_no_token(server):
    """One line a request: method, path, status, time; neither query nor header."""
    server.request("GET", "v2/jobs/", params={"token": "in-the-query"})

    assert re.search(r"GET /api/v2/accounts/\d+/jobs/ 200 \d+\.\d ms", server.log)
    assert "in-the-query" not in server.log
    assert server.token not in server.log
    assert json.dumps(server.token) not in server.log

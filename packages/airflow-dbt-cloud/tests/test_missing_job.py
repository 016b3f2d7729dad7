"""A job by its name: the whole name, one job; and one that is missing is created once."""

import itertools
import json
import multiprocessing
import signal
import subprocess

import pytest
import yaml
from attempts import Blow, kill_this_process
from chokepoint import Answer
from server_process import (
    ACCOUNT,
    ENVIRONMENT,
    JOB,
    PROJECT,
    REPOSITORY,
    declare,
    job,
)

from airflow_dbt_cloud.calls.hook import PatientDbtCloudHook
from airflow_dbt_cloud.calls.job_names import JobNames, JobPlace, TaskConfigurationError
from airflow_dbt_cloud.named_jobs import jobs_file_entry, missing_job
from airflow_dbt_cloud.named_jobs.jobs_file_entry import declared_body
from airflow_dbt_cloud.operator import DbtCloudJobOperator


CREATE, POST_JOB = "POST jobs/", r"POST .*/jobs/$"
PLACE = {"project_name": "Tiny", "environment_name": "Production"}
NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody tidies up late in these tests, and nothing appears late."""
    monkeypatch.setattr(missing_job, "SECONDS_TO_TIDY_UP", 0.01)
    monkeypatch.setattr(missing_job, "PAUSES_UNTIL_LISTED", (0.02, 0.05))


@pytest.fixture
def name():
    """A name that no job has yet."""
    return f"New job {next(NUMBERS)}"


@pytest.fixture
def declared(tmp_path, monkeypatch):
    """Write entries into the file that the operator reads; `more` is what an entry has besides."""
    path = tmp_path / "dbt_cloud_jobs.yml"
    monkeypatch.setattr(jobs_file_entry, "jobs_file", lambda: path)

    def write(*names, **more):
        jobs = [job(number, each, "dbt build", **more) for number, each in enumerate(names, 1)]
        path.write_text(yaml.safe_dump(declare(*jobs)))

    return write


@pytest.fixture
def by_name(task_instance, name):
    """A task that knows its job by the name, and may create it."""
    return lambda **more: task_instance(
        **{"job_id": None, "job_name": name, "create_if_missing": True, **PLACE, **more}
    )


def jobs_called(dbt_cloud, name):
    listed = dbt_cloud.get("v2/jobs/", name__icontains=name, limit=100)
    return [each for each in listed if each["name"] == name]


def job_of(dbt_cloud, ended):
    return dbt_cloud.get(f"v2/runs/{ended['returned']}/")["job_definition_id"]


def add_job(dbt_cloud, name):
    body = {"project_id": PROJECT, "environment_id": ENVIRONMENT, "name": name}
    body |= {"execute_steps": ["dbt build"]}
    return dbt_cloud.send("POST", "v2/jobs/", body, 201)


class TestNone:
    def test_is_created_as_it_is_declared_and_run(self, connected, by_name, declared, name):
        """The task creates the job of the file in the account's place, runs it, and says so."""
        declared("Another", name, description="What it is for.", triggers={"schedule": False})

        ti = by_name()
        ended = ti.run()

        (made,) = jobs_called(connected, name)
        assert ended == {"returned": ti.xcoms["job_run_id"]}
        assert (made["project_id"], made["environment_id"]) == (PROJECT, ENVIRONMENT)
        assert made["description"] == "What it is for. [[job_2]]"
        assert made["execute_steps"] == ["dbt build"]
        assert set(made["triggers"].values()) <= {False, None}
        assert job_of(connected, ended) == made["id"]
        assert f"Created dbt Cloud job {made['id']} from dbt_cloud_jobs.yml: https://" in ti.log

    def test_the_next_task_uses_it(self, connected, by_name, declared, name):
        """One job, two tasks, two runs of it."""
        declared(name)
        first, second = by_name(), by_name()
        ended = [first.run(), second.run()]

        (made,) = jobs_called(connected, name)
        assert CREATE not in second.trace
        assert [job_of(connected, each) for each in ended] == [made["id"]] * 2

    def test_without_the_parameter_it_is_refused(self, connected, by_name, declared, name):
        """A job that is missing is named, with those that are there and the way out."""
        declared(name)

        words = by_name(create_if_missing=False).run()["words"]

        assert f"There is no dbt Cloud job {name!r} in environment 'Production'" in words
        assert "'Build'" in words
        assert "next: correct job_name, or let the task create it" in words
        assert jobs_called(connected, name) == []

    def test_numbers_are_the_account_s(self):
        """The file has the numbers of the local dbt Cloud; the account's own take their place."""
        names = JobNames("Flights", "Production", "Build flights")
        body = declared_body(names, 1, JobPlace(2, 3), REPOSITORY / "dbt_cloud_jobs.yml")

        assert (body["account_id"], body["project_id"], body["environment_id"]) == (1, 2, 3)
        assert "linked_id" not in body


class TestNeverTwice:
    def test_lost_answer(self, connected, by_name, declared, name):
        """When the answer is lost the task looks, finds the job, and creates no other."""
        declared(name)
        ti = by_name()
        ended = ti.run(Blow(CREATE, after=True, strike=lambda: None))

        (made,) = jobs_called(connected, name)
        assert ti.trace.count(CREATE) == 1
        assert job_of(connected, ended) == made["id"]

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_killed_worker(self, connected, by_name, declared, name, after):
        """Killed right before or after the request, the next try ends with one job and one run."""
        declared(name)
        ti = by_name()
        killed = ti.run(Blow(CREATE, after=after, strike=kill_this_process))
        ended = ti.retry()

        (made,) = jobs_called(connected, name)
        runs = connected.get("v2/runs/", job_definition_id=made["id"])
        assert killed == {"killed": signal.SIGKILL}
        assert [run["id"] for run in runs] == [ended["returned"]]

    def at_once(self, by_name):
        """Let two tasks find that the job is missing before either creates it."""
        both_found_none = multiprocessing.get_context("fork").Barrier(2)
        tasks = [by_name(), by_name()]
        blow = Blow(CREATE, after=False, strike=lambda: both_found_none.wait(60))
        children = [task.start(blow) for task in tasks]
        return tasks, [task.wait(child) for task, child in zip(tasks, children, strict=True)]

    def test_not_answered(self, connected, narrow, by_name, declared, name):
        """A request that was neither carried out nor answered is repeated once, after a look."""
        declared(name)
        narrow.answers.append(Answer(POST_JOB, 503))
        ended = by_name().run()

        (made,) = jobs_called(connected, name)
        assert job_of(connected, ended) == made["id"]
        assert narrow.count(POST_JOB) == 2

    def test_never_answered(self, connected, narrow, by_name, declared, name):
        """When no answer comes at all, the task says so, and may be tried again."""
        declared(name)
        narrow.answers.append(Answer(POST_JOB, 503, times=9))
        ti = by_name()
        ended = ti.run()

        assert ended["raised"] == "UnreachableError"
        assert "dbt Cloud answered none of 2 requests to create job" in ended["words"]
        assert narrow.count(POST_JOB) == 2
        narrow.answers.clear()
        assert ti.retry() == {"returned": ti.xcoms["job_run_id"]}

    def test_later_one_that_may_not_be_deleted(self, connected, narrow, by_name, declared, name):
        """Both tasks run the older job all the same, and the log says what is left to do."""
        declared(name)
        narrow.answers.append(Answer(r"DELETE .*/jobs/\d+/", 403, "{}"))
        tasks, ended = self.at_once(by_name)

        kept, left = jobs_called(connected, name)
        assert [job_of(connected, each) for each in ended] == [kept["id"]] * 2
        (words,) = [task.log for task in tasks if "Delete it by hand: https://" in task.log]
        assert f"/jobs/{left['id']}" in words

    def test_two_tasks_at_once(self, connected, by_name, declared, name):
        """Both find nothing and create the job; both run the older one, and the later is gone."""
        declared(name)
        tasks, ended = self.at_once(by_name)

        (kept,) = jobs_called(connected, name)
        assert [job_of(connected, each) for each in ended] == [kept["id"]] * 2
        assert [task.trace.count(CREATE) for task in tasks] == [1, 1]
        assert sorted(task.trace.count("DELETE jobs/") for task in tasks) == [0, 1]
        assert any(f"Job {kept['id']} is older" in task.log for task in tasks)

    def test_retry_goes_on_with_its_job(self, connected, by_name, declared, name):
        """A job that is renamed between two tries is still the one that the task has begun."""
        declared(name)
        ti = by_name()
        ti.run(Blow("POST jobs/run/", after=True, strike=kill_this_process))
        (made,) = jobs_called(connected, name)
        connected.send("POST", f"v2/jobs/{made['id']}/", made | {"name": f"{name}, renamed"})

        ended = ti.retry()

        runs = connected.get("v2/runs/", job_definition_id=made["id"])
        assert [run["id"] for run in runs] == [ended["returned"]]
        assert jobs_called(connected, name) == []


class TestRefused:
    def refusal(self, ti):
        ended = ti.run()
        assert ended["raised"] == "RefusedError", ended
        assert "POST jobs/run/" not in ti.trace
        return ended["words"]

    @pytest.mark.parametrize("create", [False, True], ids=["by name", "create_if_missing"])
    def test_several(self, connected, by_name, declared, name, create):
        """Several jobs of one name are listed, each with number and address; none is run."""
        declared(name)
        made = [add_job(connected, name) for _ in range(2)]

        words = self.refusal(by_name(create_if_missing=create))

        assert f"There are 2 dbt Cloud jobs {name!r}" in words
        for each in made:
            place = f"/deploy/{ACCOUNT}/projects/{PROJECT}/jobs/{each['id']}"
            assert f"job {each['id']}: https://localhost:{connected.port}{place}" in words
        assert f"job_id={made[0]['id']}" in words

    def test_not_declared(self, connected, by_name, declared):
        """A job that the file does not have is not invented; what it has is named."""
        declared("Another")

        words = self.refusal(by_name())

        assert "dbt_cloud_jobs.yml does not have it. It has 'Another'." in words
        assert "next: declare it once under jobs: in dbt_cloud_jobs.yml" in words

    def test_declared_twice(self, connected, by_name, declared, name):
        """Two entries of one name are not chosen between."""
        declared(name, name)

        words = self.refusal(by_name())

        assert "has it more than once: job_1, job_2" in words

    def test_declared_twice_but_once_for_this_place(self, connected, by_name, declared, name):
        """Of two entries of one name, the one of this project and environment is meant."""
        declared(name, name)
        content = yaml.safe_load(jobs_file_entry.jobs_file().read_text())
        content["jobs"]["job_1"]["environment_id"] = 1
        jobs_file_entry.jobs_file().write_text(yaml.safe_dump(content))

        by_name().run()

        (made,) = jobs_called(connected, name)
        assert made["description"] == "[[job_2]]"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "cannot be read"),
            ("jobs: [", "cannot be read"),
            ("hello", "has no jobs:"),
            ("jobs: {a: {name: NAME}}", "a in dbt_cloud_jobs.yml lacks execute_steps"),
        ],
    )
    def test_unreadable_file(self, by_name, declared, name, content, words):
        """A file that is missing or broken is named, and what is wrong with it."""
        if content:
            jobs_file_entry.jobs_file().write_text(content.replace("NAME", name))

        assert words in self.refusal(by_name())

    @pytest.mark.parametrize(
        "more",
        [
            {"custom_environment_variables": [{"DBT_MONTH": "1"}]},
            {"self_deferring": True},
            {"deferring_environment_id": 5},
        ],
    )
    def test_more_than_one_request(self, by_name, declared, name, more):
        """What cannot be created in one piece is left to make jobs-sync, by name."""
        declared(name, **more)

        words = self.refusal(by_name())

        assert f"job_1 in dbt_cloud_jobs.yml has {next(iter(more))}" in words
        assert "next: create it once with `make jobs-sync`" in words

    @pytest.mark.parametrize("create", [False, True], ids=["by name", "create_if_missing"])
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"project_name": "tiny"}, "no project 'tiny' in account 70403103900001.#'Tiny'"),
            (
                {"environment_name": "Prod"},
                "no environment 'Prod' in project 'Tiny'.#'Production'",
            ),
        ],
    )
    def test_no_such_place(self, by_name, declared, name, given, words, create):
        """A part of a name, or other capitals, is no name; what is there is listed."""
        declared(name)

        refusal = self.refusal(by_name(create_if_missing=create, **given))

        for part in words.split("#"):
            assert part in refusal

    def test_token_may_not_create(self, narrow, by_name, declared, name):
        """A token that may run jobs but not create them: dbt Cloud's words, and what helps."""
        declared(name)
        body = {"status": {"user_message": "You do not have permission."}, "data": None}
        narrow.answers.append(Answer(POST_JOB, 403, json.dumps(body)))

        words = self.refusal(by_name())

        assert "side: credentials" in words
        assert "the token may not create one" in words
        assert "You do not have permission." in words
        assert "Job Admin" in words

    def test_names_are_missing(self, task_instance):
        """Neither a number nor three names: said before anything is asked."""
        words = self.refusal(task_instance(job_id=None, job_name="Build", project_name="Tiny"))

        assert "it lacks environment_name" in words

    def test_at_parse_time(self):
        """A number and create_if_missing contradict each other, and a name is needed."""
        with pytest.raises(ValueError, match="job_id and create_if_missing=True are both given"):
            DbtCloudJobOperator(task_id="x", job_id=1, create_if_missing=True)
        with pytest.raises(ValueError, match="lacks environment_name and job_name"):
            DbtCloudJobOperator(task_id="x", project_name="Tiny", create_if_missing=True)


class TestName:
    def find(self, name):
        hook = PatientDbtCloudHook("dbt_cloud_default")
        return hook.get_job_by_name(job_name=name, **PLACE)["id"]

    def test_whole_name(self, connected, name):
        """Parts of a name, other capitals and deleted jobs are not meant."""
        wanted = add_job(connected, name)
        for other in (f"{name} more", name.upper()):
            add_job(connected, other)
        deleted = add_job(connected, name)
        connected.send("DELETE", f"v2/jobs/{deleted['id']}/")

        assert self.find(name) == wanted["id"]

    def test_behind_the_first_page(self, connected):
        """A job is found behind a hundred whose names contain its own."""
        for number in range(101):
            add_job(connected, f"Many {number}")
        wanted = add_job(connected, "Many")

        assert self.find("Many") == wanted["id"]

    def test_mark_of_jobs_as_code(self, connected, name):
        """What dbt-jobs-as-code writes behind a name is no part of it, and makes it no other."""
        marked = add_job(connected, f"{name} [[staging:new_job]]")

        assert self.find(name) == marked["id"]

        add_job(connected, name)
        with pytest.raises(TaskConfigurationError, match="There are 2 dbt Cloud jobs"):
            self.find(name)

    def test_operator_and_hook_agree(self, connected, task_instance):
        """By name without create_if_missing, the operator runs the job that the hook names."""
        ti = task_instance(job_id=None, job_name="Build", **PLACE)

        assert job_of(connected, ti.run()) == self.find("Build") == JOB


PACKAGE = REPOSITORY / ".local/jobs-as-code/bin/python"
PAYLOADS = """
import json, sys
from dbt_jobs_as_code.loader.load import load_job_configuration
jobs = load_job_configuration([sys.argv[1]], None).jobs
for key, job in jobs.items():
    job.identifier = key
print(json.dumps({job.name: job.to_payload(use_desc_for_id=True) for job in jobs.values()}))
"""


def test_same_as_dbt_jobs_as_code(tmp_path):
    """Each job of this repository, and a bare one, is created as dbt-jobs-as-code would."""
    path = tmp_path / "dbt_cloud_jobs.yml"
    content = yaml.safe_load((REPOSITORY / "dbt_cloud_jobs.yml").read_text())
    full = content["jobs"]["build_flights"]
    bare = {"execution", "description", "schedule", "linked_id"}
    content["jobs"]["bare"] = {
        **{field: value for field, value in full.items() if field not in bare},
        "name": "Bare",
        "job_type": "ci",
        "dbt_version": "1.11.0-latest",
        "deferring_environment_id": full["environment_id"],
        "triggers": {"github_webhook": True},
        "settings": {"threads": 8},
    }
    path.write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [PACKAGE, "-c", PAYLOADS, path], capture_output=True, text=True, check=True
    )
    theirs = {name: json.loads(body) for name, body in json.loads(done.stdout).items()}
    place = JobPlace(full["project_id"], full["environment_id"])

    ours = {
        name: declared_body(
            JobNames("Flights", "Production", name), full["account_id"], place, path
        )
        for name in theirs
    }

    assert ours == theirs
    assert len(theirs) == 4

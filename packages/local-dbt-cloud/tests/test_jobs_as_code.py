"""
`make jobs-plan`, `jobs-sync` and `jobs-import`: dbt-jobs-as-code against the local dbt Cloud.

Two servers play the two sides: the local one, whose ids the file has, and an account with other
ids and the same names.
"""

import os
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import pytest
import trustme
import yaml
from scripted_dbt_cloud import ScriptedDbtCloud
from server_process import (
    ENVIRONMENT,
    JOB,
    OTHER_JOB,
    PROJECT,
    REPOSITORY,
    TOKEN,
    declare,
    job,
)


# The ids of the account: as long, and all of them others.
THERE = ("7040310390", "8812345670")
FILE = """\
# A comment at the top.
jobs:
  # What this job is for.
  build_tiny:
    linked_id: {job}
    account_id: 70403103900001
    project_id: {project}
    environment_id: {environment}
    name: Build tiny
    execute_steps:
      - dbt build # a comment behind a command
    run_generate_sources: false
    generate_docs: false
    settings:
      threads: 4
      target_name: default
    schedule:
      cron: "0 6 * * *"
    triggers: &none
      github_webhook: false
      git_provider_webhook: false
      schedule: false
      on_merge: false
    job_type: other
"""


class Clone:
    """A clone's .env, its state and its dbt_cloud_jobs.yml, and the commands."""

    def __init__(self, folder, file):
        self.folder, self.file = folder, file
        (folder / "state/secrets").mkdir(parents=True)
        (folder / "state/tls").mkdir()

    def use_local(self, server):
        """Be the clone that started this server: its token, certificates and port."""
        (self.folder / "state/secrets/local_dbt_cloud_token").write_text(TOKEN)
        (self.folder / "state/tls/bundle.pem").write_bytes(server.bundle.read_bytes())
        self._write(f"LOCAL_DBT_CLOUD_PORT={server.port}")

    def use_account(self, server, token=TOKEN):
        """Name the server as an account of somebody's own."""
        page = f"{server.url}/deploy/{server.account}/projects/1/jobs/1"
        authority = server.folder / "tls/ca.pem"
        self._write(
            f"DBT_CLOUD_JOB_URL={page}",
            f"DBT_CLOUD_API_TOKEN={token}",
            f"EXTRA_CA_FILE={authority}",
        )

    def _write(self, *lines):
        (self.folder / ".env").write_text("".join(f"{line}\n" for line in ("MODE=native", *lines)))

    def make(self, *arguments, **more):
        return subprocess.run(
            [sys.executable, "-m", "local_airflow", *arguments],
            cwd=REPOSITORY,
            env={
                "PATH": os.environ["PATH"],
                "LOCAL_STATE": str(self.folder / "state"),
                "LOCAL_ENV_FILE": str(self.folder / ".env"),
                "LOCAL_DBT_CLOUD_JOBS": str(self.file),
                **more,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def ok(self, *arguments, **more):
        """What a command prints that must succeed."""
        done = self.make(*arguments, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments, **more):
        """What a command says that must refuse: in three parts, and without a traceback."""
        done = self.make(*arguments, **more)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "→" in done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def edit(self, old, new):
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    @property
    def jobs(self):
        return yaml.safe_load(self.file.read_text())["jobs"]


@pytest.fixture
def local(make_server):
    """The local dbt Cloud, with a file that has comments."""
    declared = declare(job(JOB, "Build tiny", "dbt build"))
    server = make_server(declared)
    rest = yaml.safe_dump({"local_dbt_cloud": declared["local_dbt_cloud"]})
    jobs = FILE.format(job=JOB, project=PROJECT, environment=ENVIRONMENT)
    (server.folder / "dbt_cloud_jobs.yml").write_text(jobs + rest)
    yield server.start()
    server.stop()


@pytest.fixture
def clone(local, tmp_path):
    clone = Clone(tmp_path, local.folder / "dbt_cloud_jobs.yml")
    clone.use_local(local)
    return clone


@pytest.fixture
def account(make_server):
    """An account with other ids, the same names, and a job that is none of ours."""
    declared = yaml.safe_dump(declare(job(OTHER_JOB, "Somebody's", "dbt test")))
    server = make_server(yaml.safe_load(declared.replace(*THERE)))
    server.account = int("70403103900001".replace(*THERE))
    yield server.start()
    server.stop()


def there(number):
    """The account's id of what has this id in the file."""
    return int(str(number).replace(*THERE))


def jobs_of(server):
    return {each["name"]: each for each in server.get("v2/jobs/")}


class TestLocal:
    def test_nothing_without_a_yes(self, clone, local):
        """The plan links what the file names; neither it nor a sync without a yes does it."""
        before = local.get("v2/jobs/")
        plan = clone.ok("jobs-plan")
        sync = clone.make("jobs-sync")

        assert plan.splitlines()[1:] == ["  link    build_tiny"]
        assert sync.returncode == 1
        assert "nothing was changed" in sync.stdout
        assert local.get("v2/jobs/") == before

    def test_from_the_file_to_the_server(self, clone, local):
        """An edit of the file is shown value by value, and brought about after a yes."""
        clone.ok("jobs-sync", CONFIRM="yes")
        assert clone.ok("jobs-plan", "--check").endswith("nothing differs\n")

        clone.edit("- dbt build #", "- dbt build --full-refresh #")
        plan = clone.make("jobs-plan", "--check")
        assert plan.returncode == 1
        assert "update  build_tiny" in plan.stdout
        assert "execute_steps.0: dbt build → dbt build --full-refresh" in plan.stdout
        assert jobs_of(local)["Build tiny"]["execute_steps"] == ["dbt build"]

        clone.ok("jobs-sync", CONFIRM="yes")
        assert jobs_of(local)["Build tiny"]["execute_steps"] == ["dbt build --full-refresh"]
        assert jobs_of(local)["Build tiny"]["id"] == JOB
        assert "nothing differs" in clone.ok("jobs-plan", "--check")

    def test_new_job_in_the_file(self, clone, local):
        """A new job gets the server's id, also in the file, and a restart finds it by that."""
        block = clone.file.read_text().split("jobs:\n")[1].split("local_dbt_cloud:")[0]
        second = block.replace("build_tiny", "second").replace("Build tiny", "Second")
        second = second.replace(str(JOB), str(JOB + 50)).replace("&none", "").rstrip()
        clone.edit("local_dbt_cloud:", f"{second}\nlocal_dbt_cloud:")
        clone.ok("jobs-sync", CONFIRM="yes")
        made = jobs_of(local)["Second"]["id"]

        assert clone.jobs["second"]["linked_id"] == made
        assert "# a comment behind a command" in clone.file.read_text()
        local.stop()
        local.start()
        assert sorted(jobs_of(local)) == ["Build tiny", "Second"]
        assert jobs_of(local)["Second"]["id"] == made

    def test_job_that_was_made_here_moves_to_the_file(self, clone, local):
        """A job that exists only in the local dbt Cloud is imported, and survives a restart."""
        made = local.send("POST", "v2/jobs/", by_hand(PROJECT, ENVIRONMENT), 201)
        clone.ok("jobs-import", "by hand")

        assert clone.jobs["by_hand"]["linked_id"] == made["id"]
        local.stop()
        local.start()
        assert sorted(jobs_of(local)) == ["Build tiny", "By hand"]


def by_hand(project, environment, **more):
    return {
        "project_id": project,
        "environment_id": environment,
        "name": "By hand",
        "execute_steps": ["dbt run --select one"],
        "settings": {"threads": 2, "target_name": "prod"},
        "triggers": {"github_webhook": False, "git_provider_webhook": False, "schedule": True},
        "schedule": {
            "cron": "0 5 * * *",
            "date": {"type": "custom_cron", "cron": "0 5 * * *"},
            "time": {"type": "every_hour", "interval": 1},
        },
        **more,
    }


class TestAccount:
    def test_to_the_account_and_nothing_else(self, clone, account):
        """The file's jobs appear in the account under its own ids; other jobs are left alone."""
        clone.use_account(account)
        clone.ok("jobs-sync", CONFIRM="yes")
        made = jobs_of(account)["Build tiny"]

        assert (made["project_id"], made["environment_id"]) == (there(PROJECT), there(ENVIRONMENT))
        assert made["execute_steps"] == ["dbt build"]
        assert made["triggers"]["schedule"] is False
        assert made["name"] == "Build tiny"
        assert sorted(jobs_of(account)) == ["Build tiny", "Somebody's"]
        assert "nothing differs" in clone.ok("jobs-plan", "--check")
        assert clone.jobs["build_tiny"]["linked_id"] == JOB

    def test_job_of_the_same_name_is_not_made_twice(self, clone, account):
        """A job that somebody made by hand under the same name is linked and brought up to date."""
        body = by_hand(there(PROJECT), there(ENVIRONMENT), name="Build tiny")
        made = account.send("POST", "v2/jobs/", body, 201)
        clone.use_account(account)
        plan = clone.ok("jobs-plan")
        clone.ok("jobs-sync", CONFIRM="yes")

        assert "link    build_tiny" in plan
        assert "settings.target_name: prod → default" in plan
        assert jobs_of(account)["Build tiny"]["id"] == made["id"]
        assert jobs_of(account)["Build tiny"]["triggers"]["schedule"] is False

    def test_deleting_is_asked_for_by_itself(self, clone, account):
        """What was taken out of the file is deleted only after a yes of its own."""
        clone.use_account(account)
        clone.edit("local_dbt_cloud:", f"{second_job()}local_dbt_cloud:")
        clone.ok("jobs-sync", CONFIRM="yes")
        clone.file.write_text(clone.file.read_text().replace(second_job(), ""))

        assert "delete  second" in clone.ok("jobs-plan")
        clone.ok("jobs-sync", CONFIRM="yes")
        assert "Second" in jobs_of(account)
        clone.ok("jobs-sync", DELETE="yes")
        assert sorted(jobs_of(account)) == ["Build tiny", "Somebody's"]

    def test_from_the_account_to_the_file(self, clone, account, local):
        """A job of the account comes into the file with the file's ids; comments stay."""
        account.send("POST", "v2/jobs/", by_hand(there(PROJECT), there(ENVIRONMENT)), 201)
        before = clone.file.read_text()
        clone.use_account(account)
        clone.ok("jobs-import", "By hand")
        taken = clone.jobs["by_hand"]

        assert (taken["project_id"], taken["environment_id"]) == (PROJECT, ENVIRONMENT)
        assert taken["account_id"] == 70403103900001
        assert taken["execute_steps"] == ["dbt run --select one"]
        assert taken["schedule"] == {"cron": "0 5 * * *"}
        assert "run_lint" not in taken
        lost = set(before.splitlines()) - set(clone.file.read_text().splitlines())
        assert {line for line in lost if "#" in line} == set()
        local.stop()
        local.start()
        assert jobs_of(local)["By hand"]["id"] == taken["linked_id"]

        again = clone.ok("jobs-import", "By hand")
        assert "the file has it as it is" in again

    def test_import_brings_one_change(self, clone, account):
        """A job that the file has already gets only what differs."""
        clone.use_account(account)
        clone.ok("jobs-sync", CONFIRM="yes")
        made = jobs_of(account)["Build tiny"]
        changed = {**made, "settings": {"threads": 8, "target_name": "default"}}
        account.send("POST", f"v2/jobs/{made['id']}/", changed)
        before = clone.file.read_text()
        clone.ok("jobs-import", str(made["id"]))

        assert clone.jobs["build_tiny"]["settings"]["threads"] == 8
        assert clone.jobs["build_tiny"]["linked_id"] == JOB
        assert "# a comment behind a command" in clone.file.read_text()
        assert clone.file.read_text().count("\n") == before.count("\n")

    def test_local_job_moves_to_the_account(self, clone, local, account):
        """A job that exists only locally: into the file, and from there to the account."""
        local.send("POST", "v2/jobs/", by_hand(PROJECT, ENVIRONMENT), 201)
        clone.ok("jobs-import", "By hand")
        clone.use_account(account)
        clone.ok("jobs-sync", CONFIRM="yes")

        assert jobs_of(account)["By hand"]["execute_steps"] == ["dbt run --select one"]


def second_job():
    return textwrap.indent(
        textwrap.dedent(
            f"""\
            second:
              linked_id: {OTHER_JOB}
              account_id: 70403103900001
              project_id: {PROJECT}
              environment_id: {ENVIRONMENT}
              name: Second
              execute_steps: [dbt test]
              run_generate_sources: false
              generate_docs: false
              settings: {{threads: 1, target_name: default}}
              schedule: {{cron: "0 6 * * *"}}
              triggers: {{github_webhook: false, git_provider_webhook: false, schedule: false}}
              job_type: other
            """
        ),
        "  ",
    )


class TestRefusals:
    def test_no_such_environment(self, clone, account):
        """Names that the account does not have are listed with those it has; they can be given."""
        account.send(
            "POST",
            f"v3/projects/{there(PROJECT)}/environments/{there(ENVIRONMENT)}/",
            {
                **account.get(f"v3/projects/{there(PROJECT)}/environments/{there(ENVIRONMENT)}/"),
                "name": "Prod",
            },
        )
        clone.edit("name: Production", "name: Live")
        clone.use_account(account)

        assert "no environment called Live" in clone.refused("jobs-plan")
        assert "create  build_tiny" in clone.ok("jobs-plan", "--environment", "Prod")

    def test_no_such_job_and_no_such_token(self, clone, account):
        """A job that is not there lists those that are; a wrong token is the doctor's business."""
        clone.use_account(account)
        said = {name: clone.refused("jobs-import", name) for name in ("hourly", "", "7")}
        clone.use_account(account, token="dbtc_wrong")

        assert "JOB=hourly names no job" in said["hourly"]
        assert "Somebody's" in said["hourly"]
        assert "JOB is not set" in said[""]
        assert "dbt Cloud does not take it" in said["7"]
        assert "make doctor" in clone.refused("jobs-plan")

    def test_job_that_cannot_run_here(self, clone):
        """A command that the local dbt Cloud cannot run is refused; the file stays as it was."""
        before = clone.file.read_text()
        with scripted(clone, name="Semantic", execute_steps=["dbt sl list"]):
            said = clone.refused("jobs-import", "Semantic")

        assert "'dbt sl list' is not a dbt command" in said
        assert str(clone.file) in said
        assert clone.file.read_text() == before

    def test_text_of_somebody_else(self, clone):
        """What somebody wrote into a job there is one line of text in the plan."""
        settings = {"threads": 4, "target_name": "\x1b[2J\u202ea\nFORGED"}
        with scripted(clone, name="Build tiny", settings=settings):
            plan = clone.ok("jobs-plan")

        assert "settings.target_name: \N{REPLACEMENT CHARACTER}a FORGED → default\n" in plan

    def test_broken_file(self, clone):
        """A file that the local dbt Cloud would not start with is told in its words."""
        clone.edit("name: Build tiny", "nam: Build tiny")

        assert "jobs.build_tiny.name: Field required" in clone.refused("jobs-plan")


@contextmanager
def scripted(clone, **more):
    """Let an account with one job, which may say anything, be the clone's."""
    with ScriptedDbtCloud(trustme.CA(), answers=an_account(**more)).serve() as server:
        server.folder, server.account = clone.folder, 1
        (clone.folder / "tls").mkdir()
        server.certificates.cert_pem.write_to_path(str(clone.folder / "tls/ca.pem"))
        clone.use_account(server)
        yield


def an_account(**more):
    """The answers of an account with one job, for servers that take any command."""
    page = {"filters": {"limit": 100, "offset": 0}, "pagination": {"count": 1, "total_count": 1}}
    one = {"id": 3, "account_id": 1, **by_hand(1, 2, **more)}
    one |= {"run_generate_sources": False, "generate_docs": False}
    data = {
        "/api/v2/accounts/1/": {"name": "Acme"},
        "/api/v3/accounts/1/projects/": [{"id": 1, "name": "Tiny"}],
        "/api/v3/accounts/1/projects/1/environments/": [{"id": 2, "name": "Production"}],
        "/api/v2/accounts/1/jobs/": [one],
        "/api/v2/accounts/1/jobs/3/": one,
        "/api/v3/accounts/1/projects/1/environment-variables/job/": {},
    }
    return {path: (200, {"data": value, "extra": page}) for path, value in data.items()}


class TestSchema:
    def test_editors_know_the_file(self):
        """The first line of dbt_cloud_jobs.yml names a schema that is there and up to date."""
        first = (REPOSITORY / "dbt_cloud_jobs.yml").read_text().splitlines()[0]
        schema = REPOSITORY / first.removeprefix("# yaml-language-server: $schema=")
        printed = subprocess.run(
            [REPOSITORY / ".local/local-dbt-cloud/bin/python", "-m", "local_dbt_cloud", "schema"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert schema.read_text() == printed

    def test_own_file_fits(self):
        """The repository's own file fits the schema, and a mistake in it does not."""
        import json

        import jsonschema

        schema = json.loads(
            (
                REPOSITORY / "packages/local-dbt-cloud/src/local_dbt_cloud/jobs.schema.json"
            ).read_text()
        )
        content = yaml.safe_load((REPOSITORY / "dbt_cloud_jobs.yml").read_text())
        jsonschema.validate(content, schema)
        content["jobs"]["build_flights"]["execute_steps"] = "dbt build"

        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content, schema)

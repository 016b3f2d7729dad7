"""A team's own project, adapter and warehouse beside the sample's."""

import subprocess

import pytest
from server_process import (
    ENVIRONMENT,
    JOB,
    NO_WAREHOUSE,
    OTHER_JOB,
    PROJECT,
    REAL_DBT,
    REPOSITORY,
    THIRD_JOB,
    declare,
    job,
)


TEAM_PROJECT, TEAM_ENVIRONMENT, TEAM_CONNECTION = PROJECT + 1, ENVIRONMENT + 1, 32
# What dbt knows of the variable that the profile names, and of one that it does not.
VARIABLES = """\
select '{{ env_var("LOCAL_DBT_CLOUD_ROOT", "") }}, {{ env_var("NOT_IN_THE_PROFILE", "none") }}' as x
"""
DUCKDB = {
    "id": TEAM_CONNECTION,
    "name": "Team's DuckDB",
    "type": "duckdb",
    "adapter": "dbt-duckdb==1.10.0",
    "profile": {"path": "{{ env_var('LOCAL_DBT_CLOUD_ROOT') }}/team.duckdb"},
}


def of_team(job_id, name, *steps, **more):
    ids = {"project_id": TEAM_PROJECT, "environment_id": TEAM_ENVIRONMENT}
    return job(job_id, name, *steps, **ids, **more)


def declare_both(repository, *jobs, connection=DUCKDB, flights=False):
    """The sample's project or the tests' tiny one, and the team's in a git repository."""
    declared = declare(*jobs)
    account = declared["local_dbt_cloud"]
    account["connections"].append(connection)
    if flights:
        account["projects"][0]["folder"] = str(REPOSITORY / "dbt_project")
    environment = {"id": TEAM_ENVIRONMENT, "name": "Team", "schema": "team", "credentials_id": 42}
    account["projects"].append(
        {
            "id": TEAM_PROJECT,
            "name": "Team",
            "git_url": repository.as_uri(),
            "subdirectory": "analytics",
            "repository_id": 52,
            "environments": [{**environment, "connection_id": TEAM_CONNECTION}],
        }
    )
    return declared


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A git repository with a dbt project in a folder of it, on two branches."""
    folder = tmp_path_factory.mktemp("team")
    project = folder / "analytics"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text(
        "name: team\nversion: '1.0'\nprofile: team\nmodels: {team: {+materialized: table}}\n"
    )
    (project / "models/one.sql").write_text("select 1 as id, '{{ target.type }}' as type\n")
    (project / "models/variables.sql").write_text(VARIABLES)
    (folder / "README.md").write_text("Not part of the dbt project.\n")
    git(folder, "init", "--quiet", "--initial-branch", "trunk")
    commit(folder, "first")
    git(folder, "switch", "--quiet", "--create", "wider")
    (project / "models/two.sql").write_text("select id + 1 as id from {{ ref('one') }}\n")
    commit(folder, "second")
    git(folder, "switch", "--quiet", "trunk")
    return folder


def git(folder, *arguments):
    done = subprocess.run(
        [
            "git",
            "-C",
            folder,
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@localhost",
            *arguments,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.strip()


def commit(folder, message):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.fixture(scope="module")
def server(make_server, repository, flights_in_warehouse):
    """The flights in PostgreSQL and the team's project in DuckDB, in one account."""
    jobs = (job(JOB, "Flights", "dbt build"), of_team(OTHER_JOB, "Team", "dbt build"))
    server = make_server(
        declare_both(repository, *jobs, flights=True),
        dbt=REAL_DBT,
        **flights_in_warehouse.environment(),
        NOT_IN_THE_PROFILE="a secret of this machine",
    ).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def both(server):
    """A run of each project, triggered together."""
    runs = [server.trigger(each)["id"] for each in (JOB, OTHER_JOB)]
    return [server.finish(run, 180) for run in runs]


def models(server, run):
    path = f"v2/runs/{run['id']}/artifacts/run_results.json"
    results = server.request("GET", path).json()["results"]
    return {result["unique_id"] for result in results}


class TestTwoProjects:
    def test_both_are_green(self, both):
        """PostgreSQL and DuckDB, side by side."""
        flights, team = both

        assert [(run["status"], run["status_message"]) for run in both] == [(10, None)] * 2
        assert max(flights["started_at"], team["started_at"]) < min(
            flights["finished_at"], team["finished_at"]
        )

    def test_each_in_its_own_warehouse(self, both, server, flights_in_warehouse):
        """The team's models are in its file, the flights in PostgreSQL."""
        flights, team = both

        assert models(server, team) == {"model.team.one", "model.team.variables"}
        assert "model.flights.monthly_flights" in models(server, flights)
        assert (server.folder / "team.duckdb").stat().st_size > 0
        assert flights_in_warehouse.rows("select to_regclass('team.one')") == [(None,)]

    def test_variables_of_the_profile(self, both, server):
        """dbt gets the variables that its profile names, and no others of the server."""
        run = server.finish(
            server.trigger(OTHER_JOB, steps_override=["dbt compile -s variables"])["id"]
        )

        assert run["status"] == 10, run["status_message"]
        assert f"{server.folder}, none" in run["run_steps"][-1]["logs"]

    def test_the_repository_s_default_branch(self, both, repository):
        """Branch and commit are those of the repository."""
        team = both[1]

        assert team["git_branch"] == "trunk"
        assert team["git_sha"] == git(repository, "rev-parse", "trunk")

    def test_the_installation_is_in_the_log(self, both):
        """The profile's step shows what was installed, and where the name of it comes from."""
        step = both[1]["run_steps"][1]

        assert step["name"] == "Create profile from connection Team's DuckDB"
        assert "Installing dbt-core==1.11" in step["logs"]
        assert "+ dbt-duckdb==1.10.0" in step["logs"]

    def test_installed_once(self, both, server):
        """The next run finds the adapter there, also after a restart."""
        server.stop()
        server.start()
        again = server.finish(server.trigger(OTHER_JOB, steps_override=["dbt ls"])["id"])

        assert again["status"] == 10, again["status_message"]
        assert "Installing" not in again["run_steps"][1]["logs"]


class TestGit:
    def test_another_branch(self, both, server):
        """`git_branch` runs that branch."""
        run = server.finish(server.trigger(OTHER_JOB, git_branch="wider")["id"])

        assert (run["status"], run["git_branch"]) == (10, "wider")
        assert "model.team.two" in models(server, run)

    @pytest.mark.parametrize("branch", ["fix/#12-größer", "dependabot/@types/a+b", "x(y),z=1"])
    def test_names_that_git_allows(self, both, server, repository, branch):
        """Branches are named after tickets and packages."""
        git(repository, "branch", branch, "wider")
        run = server.finish(
            server.trigger(OTHER_JOB, git_branch=branch, steps_override=["dbt ls"])["id"]
        )

        assert (run["status"], run["git_branch"]) == (10, branch), run["status_message"]

    def test_new_commits_are_seen(self, both, server, repository):
        """Every run asks the repository what is new."""
        git(repository, "switch", "--quiet", "wider")
        (repository / "analytics/models/three.sql").write_text("select 3 as id\n")
        commit(repository, "third")
        git(repository, "switch", "--quiet", "trunk")
        run = server.finish(server.trigger(OTHER_JOB, git_branch="wider")["id"])

        assert "model.team.three" in models(server, run)
        assert run["git_sha"] == git(repository, "rev-parse", "wider")

    def test_a_repository_that_is_gone(self, both, server, repository):
        """The run uses the copy of the last time, and says so."""
        away = repository.with_name("away")
        repository.rename(away)
        try:
            run = server.finish(server.trigger(OTHER_JOB, steps_override=["dbt ls"])["id"])
        finally:
            away.rename(repository)

        assert run["status"] == 10, run["status_message"]
        assert "used as it was the last time" in run["run_steps"][0]["logs"]

    def test_a_branch_that_is_not_there(self, both, server):
        """The clone fails, in git's words."""
        run = server.finish(server.trigger(OTHER_JOB, git_branch="nowhere")["id"])

        assert run["status"] == 20
        assert run["status_message"].startswith("Clone git repository: fatal:")


def run_once(server, **trigger):
    server.start()
    try:
        return server.finish(server.trigger(OTHER_JOB, **trigger)["id"], 120)
    finally:
        server.stop()


class TestWhatCannotBe:
    def test_an_adapter_that_is_not_there(self, make_server, repository):
        """The profile's step fails, and says what could not be installed."""
        declared = declare_both(
            repository,
            of_team(OTHER_JOB, "Team", "dbt build"),
            connection=DUCKDB | {"adapter": "dbt-duckdb==99.0"},
        )
        run = run_once(make_server(declared, dbt=REAL_DBT, **NO_WAREHOUSE))

        assert run["status"] == 20
        assert "dbt-duckdb==99.0 could not be installed: " in run["status_message"]
        assert run["run_steps"][-1]["name"] == "Create profile from connection Team's DuckDB"
        assert "fatal: " in run["run_steps"][-1]["logs"]

    def test_a_variable_that_is_not_set(self, make_server, repository):
        """The run names it; once it is an environment variable of the project, all is well."""
        declared = declare_both(
            repository,
            of_team(OTHER_JOB, "Team", "dbt build -s one"),
            connection=DUCKDB | {"profile": {"path": "{{ env_var('DBT_ENV_TEAM_FILE') }}"}},
        )
        server = make_server(declared, dbt=REAL_DBT, **NO_WAREHOUSE).start()
        failed = server.finish(server.trigger(OTHER_JOB)["id"])
        server.request(
            "POST",
            f"v3/projects/{TEAM_PROJECT}/environment-variables/",
            json={
                "name": "DBT_ENV_TEAM_FILE",
                "type": "project",
                "project_id": TEAM_PROJECT,
                "raw_value": str(server.folder / "named.duckdb"),
            },
        ).raise_for_status()
        good = server.finish(server.trigger(OTHER_JOB)["id"], 120)
        server.stop()

        assert failed["status"] == 20
        assert "connection 'Team's DuckDB' reads DBT_ENV_TEAM_FILE" in failed["status_message"]
        assert good["status"] == 10, good["status_message"]
        assert (server.folder / "named.duckdb").exists()

    def test_a_repository_that_never_was(self, make_server, repository, tmp_path):
        """Without any copy, the clone fails."""
        declared = declare_both(tmp_path / "nowhere", of_team(OTHER_JOB, "Team", "dbt build"))
        run = run_once(make_server(declared, dbt=REAL_DBT, **NO_WAREHOUSE))

        assert run["status"] == 20
        assert "does not appear to be a git repository" in run["status_message"]


def test_another_version_of_dbt(make_server, warehouse):
    """A version that the trigger asks for is installed beside the server's own, and runs."""
    server = make_server(
        declare(job(THIRD_JOB, "Build", "dbt build")), dbt=REAL_DBT, **warehouse.environment()
    ).start()
    run = server.finish(server.trigger(THIRD_JOB, dbt_version_override="1.10.0-latest")["id"], 180)
    server.stop()

    assert run["status"] == 10, run["status_message"]
    assert run["dbt_version"] == "1.10.0-latest"
    assert "Running with dbt=1.10." in run["run_steps"][-1]["logs"]


@pytest.mark.parametrize("version", ["newest", "1.11.0-newest", "1.11newest", "1"])
def test_what_is_no_version_of_dbt(make_server, version):
    """The run ends with an error that says so; the dbt that is there does not step in."""
    server = make_server(
        declare(job(THIRD_JOB, "Build", "dbt build")), dbt=REAL_DBT, **NO_WAREHOUSE
    ).start()
    run = server.finish(server.trigger(THIRD_JOB, dbt_version_override=version)["id"])
    server.stop()

    assert run["status"] == 20
    assert f"'{version}' is no version of dbt" in run["status_message"]

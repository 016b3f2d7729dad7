"""What of `.env` is in each container, as whoever inspects it and whatever runs in it see it."""

import pytest
from container_clone import wait_until


AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}
PLANTED = {
    "DBT_CLOUD_API_TOKEN": "dbtc_planted_token",
    "DBT_CLOUD_NOTIFICATION_URLS": "json://planted-address.example.com",
    "WAREHOUSE_URL": "postgresql://me:planted-password@example.com:5432/mine",
    "AIRFLOW__SMTP__SMTP_PASSWORD": "planted-smtp-password",
    "DBT_ENV_SECRET_PASSWORD": "planted-dbt-password",
}
EVERY_ENVIRONMENT = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"


def seen_in(engine, stack):
    """Name what of PLANTED is in the description or in a process of each container."""
    label = {"label": f"com.docker.compose.project={stack.project}"}
    found = {}
    for container in engine.containers.list(all=True, filters=label):
        text = str(container.attrs)
        if container.status == "running":
            text += container.exec_run(["sh", "-c", EVERY_ENVIRONMENT]).output.decode()
        service = container.labels["com.docker.compose.service"]
        found[service] = {name for name, value in PLANTED.items() if value in text}
    return found


@pytest.fixture(scope="module")
def planted(engine, stack):
    """`make up` with everything in `.env` but the token, which would leave the local one out."""
    stack.write_settings(*(f"{name}={PLANTED[name]}" for name in list(PLANTED)[1:]))
    up = stack.make("up")
    assert up.returncode == 0, up.stderr
    yield seen_in(engine, stack)
    stack.write_settings()
    assert stack.make("up").returncode == 0


class TestWhatContainersGet:
    def test_each_gets_what_it_needs(self, planted):
        """Airflow gets no secret setting, the local dbt Cloud its variables, the others nothing."""
        settings = {"AIRFLOW__SMTP__SMTP_PASSWORD", "DBT_ENV_SECRET_PASSWORD"}
        getting = dict.fromkeys([*AIRFLOW, "migrate"], settings)
        getting["local-dbt-cloud"] = {"DBT_ENV_SECRET_PASSWORD"}

        assert planted.keys() >= {*getting, "postgres", "ingestion", "secrets"}
        assert {name: names for name, names in planted.items() if names} == getting

    def test_connections_are_written_all_the_same(self, stack, planted):
        """The warehouse and the addresses of the file are Airflow's connections."""
        api = stack.api()

        assert api.get("/api/v2/connections/warehouse")["host"] == "example.com"
        notifications = api.get("/api/v2/connections/dbt_cloud_notifications")
        assert notifications["conn_type"] == "apprise"

    def test_without_make_the_token_comes_as_a_file_too(self, engine, stack, planted):
        """`docker compose up --wait` makes the account's connection, the token is seen nowhere."""
        lines = [f"{name}={value}" for name, value in PLANTED.items()]
        job = "DBT_CLOUD_JOB_URL=https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3"
        stack.write_settings(*lines, job)
        plain = stack.compose("up", "--wait", "--quiet-pull")
        assert plain.returncode == 0, plain.stderr[-3000:]

        def host():
            return stack.api().get("/api/v2/connections/dbt_cloud_default")["host"]

        wait_until(lambda: host() == "ab123.us1.dbt.com", 60, "the account's connection")
        assert [
            service
            for service, names in seen_in(engine, stack).items()
            if "DBT_CLOUD_API_TOKEN" in names
        ] == []

    def test_no_container_can_do_what_root_can(self, engine, stack):
        """No process of a container that stays is root or has a capability."""
        label = {"label": f"com.docker.compose.project={stack.project}"}
        status = "grep -hE '^(Uid|CapEff|CapBnd|NoNewPrivs):' /proc/1/status"
        for container in engine.containers.list(filters=label):
            said = container.exec_run(["sh", "-c", status]).output.decode()
            fields = dict(line.split(":", 1) for line in said.splitlines())

            assert fields["Uid"].split()[0] != "0", container.name
            assert {int(fields[name], 16) for name in ("CapEff", "CapBnd")} == {0}, container.name
            assert fields["NoNewPrivs"].strip() == "1", container.name

"""What DAGs read at run time is in every container and image that runs them."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from compose_file import read_compose_file


ROOT = Path(__file__).parents[4]
YOURS = ["dags", "include", "plugins", "dbt_project", "dbt_cloud_jobs.yml"]


@pytest.mark.parametrize("name", YOURS)
class TestWhatIsYours:
    def test_is_mounted_where_tasks_run(self, name):
        """Every service of Airflow that runs tasks or triggers sees it, and cannot write it."""
        services = read_compose_file(ROOT / "docker-compose.yaml")["services"]
        lacking = [
            each
            for each in ("scheduler", "triggerer", "dag-processor", "api-server")
            if f"./{name}:/opt/airflow/{name}:ro" not in services[each]["volumes"]
        ]

        assert lacking == []

    def test_is_in_the_image_for_kubernetes(self, name):
        """The image that carries the DAGs carries it too."""
        stage = (ROOT / "Dockerfile").read_text().partition(" AS airflow-deploy\n")[2]
        copied = re.findall(
            r"^COPY (\S+) /opt/airflow/", stage.partition("\nFROM ")[0], re.MULTILINE
        )

        assert name in copied

    def test_enters_a_build(self, name):
        """Astro copies whatever .dockerignore lets in."""
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        rules = [line for line in lines if line and not line.startswith("#")]
        verdicts = [rule.startswith("!") for rule in rules if fnmatch(name, rule.removeprefix("!"))]

        assert verdicts[-1] is True


class TestExamples:
    def test_are_mounted_where_tasks_run(self):
        """With examples/compose.yaml, every service of Airflow that reads DAGs has the examples."""
        services = read_compose_file(ROOT / "examples/compose.yaml")["services"]
        names = ("scheduler", "triggerer", "dag-processor", "api-server")

        assert {
            name
            for name in names
            if services[name]["volumes"] != ["./examples:/opt/airflow/examples:ro"]
        } == set()

    def test_nothing_else_names_them(self):
        """Whoever deletes examples/ has nothing to mend in the files of Compose."""
        for name in ("docker-compose.yaml", "compose.celery.yaml"):
            content = read_compose_file(ROOT / name)

            assert "examples" not in str(content)

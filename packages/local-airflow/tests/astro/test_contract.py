"""
What the Astro CLI expects of a project, rule by rule, without the CLI and without Docker.

`tests/containers/test_astro.py` does with an engine what the CLI would do.
"""

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml


ROOT = Path(__file__).parents[4]
INTEGRITY = ".astro/test_dag_integrity_default.py"
RUNTIME = re.compile(r"FROM astrocrpublic\.azurecr\.io/runtime:(\d+\.\d+-\d+) AS (\S+)")


@pytest.fixture
def stages():
    """Every FROM line of the Dockerfile, in order."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [line for line in lines if line.startswith("FROM ")]


class TestDockerfile:
    def test_first_stage_is_a_pinned_runtime(self, stages):
        """Standalone mode reads the first FROM: a literal Runtime with a tag X.Y-Z."""
        assert RUNTIME.fullmatch(stages[0])

    def test_last_stage_is_that_runtime(self, stages):
        """A build without a target makes the last stage: it must be the Runtime, with its label."""
        name = RUNTIME.fullmatch(stages[0])[2]

        assert re.fullmatch(rf"FROM {name} AS \S+", stages[-1])

    def test_no_stage_depends_on_an_argument(self, stages):
        """Standalone mode reads the lines as they are; a variable means nothing there."""
        assert [line for line in stages if "$" in line] == []


class TestFiles:
    def test_config_is_complete(self):
        """The project is named, requirements.txt left alone, PostgreSQL one that 3.3 supports."""
        config = yaml.safe_load((ROOT / ".astro" / "config.yaml").read_text())

        assert config["project"]["name"]
        assert config["disable_astro_run"] is True
        # The image of 18 keeps its data elsewhere than where Astro mounts the volume.
        assert 14 <= int(config["postgres"]["tag"]) <= 17

    def test_airflow_is_not_pinned(self):
        """Runtime brings its Airflow and refuses to find another in requirements.txt."""
        names = (ROOT / "requirements.txt").read_text().splitlines()

        assert [name for name in names if re.match(r"(?i)^apache-airflow[=<>~ ]", name)] == []
        assert any(name.startswith("apache-airflow-providers-dbt-cloud==") for name in names)

    @pytest.mark.parametrize(
        "name",
        ["packages.txt", "requirements.txt", "dags", "include", "plugins", "tests", ".astro"],
    )
    def test_build_context_has_what_the_runtime_copies(self, name):
        """The Runtime's ONBUILD steps copy it, so it exists and .dockerignore lets it in."""
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        rules = [line for line in lines if line and not line.startswith("#")]
        verdicts = [rule.startswith("!") for rule in rules if fnmatch(name, rule.removeprefix("!"))]

        assert (ROOT / name).exists()
        assert verdicts[-1] is True

    def test_what_the_cli_leaves_is_ignored(self):
        """Git ignores what the CLI writes beside the config."""
        ignored = (ROOT / ".gitignore").read_text().splitlines()

        assert {".astro/config.yaml.lock", ".astro/standalone/"} <= set(ignored)

    def test_no_file_that_astro_would_merge(self):
        """Astro merges a docker-compose.override.yml into its own stack; Compose would too."""
        assert not (ROOT / "docker-compose.override.yml").exists()


class TestDags:
    def test_no_getenv(self):
        """Astro's own integrity test replaces os.getenv by nonsense; the DAGs do not call it."""
        files = [*ROOT.glob("dags/**/*.py"), *ROOT.glob("include/**/*.py")]

        assert files
        assert [str(file) for file in files if "getenv" in file.read_text()] == []


class TestIntegrityTest:
    @pytest.fixture
    def project(self, tmp_path):
        """The folders that `astro dev parse` copies, in a place of their own."""
        for name in ("dags", "include", "plugins", ".astro"):
            shutil.copytree(ROOT / name, tmp_path / name)
        return tmp_path

    def parse(self, project):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", INTEGRITY],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def test_every_dag_passes(self, project):
        """The DAGs as they are pass, from a folder that holds nothing else."""
        done = self.parse(project)

        assert done.returncode == 0, done.stdout
        assert "skipped" not in done.stdout

    def test_broken_dag_fails_unless_excused(self, project):
        """A file that does not import fails, and passes once the exceptions file names it."""
        (project / "dags" / "broken.py").write_text(
            "from airflow.sdk import dag\nimport no_such_package\n"
        )
        refused = self.parse(project)
        assert refused.returncode == 1
        assert "no_such_package" in refused.stdout

        with (project / ".astro" / "dag_integrity_exceptions.txt").open("a") as exceptions:
            exceptions.write("dags/broken.py\n")
        assert self.parse(project).returncode == 0

    def test_no_dags_is_a_failure(self, project):
        """A project without DAGs is not called sound."""
        shutil.rmtree(project / "dags")

        assert self.parse(project).returncode == 1

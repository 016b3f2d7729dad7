"""What the repository as a whole promises to who reads or changes it."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]

TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
PYTHON = [path for path in TRACKED if path.suffix == ".py"]
MACHINERY = ("local_airflow", "local_dbt_cloud", "local_ingestion")
YOURS = ("dags", "include", "plugins")

# The one module that is allowed to start Airflow inside its own process: it forks its components.
FORK_PARENT = "local_airflow/airflow_forks.py"


def imported(path):
    """Name the top-level packages that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def files_in(*folders):
    return [path for path in PYTHON if path.relative_to(ROOT).parts[0] in folders]


class TestImportDirections:
    @pytest.mark.parametrize("folder", MACHINERY)
    def test_machinery_knows_neither_airflow_nor_you(self, folder):
        """`local_*` imports neither Airflow, nor another `local_*`, nor dags, include, plugins."""
        forbidden = {"airflow", *MACHINERY, *YOURS} - {folder}
        wrong = {
            str(path.relative_to(ROOT)): imported(path) & forbidden
            for path in files_in(folder)
            if imported(path) & forbidden and str(path.relative_to(ROOT)) != FORK_PARENT
        }

        assert wrong == {}

    def test_your_code_does_not_know_the_machinery(self):
        """What would also run in production imports nothing of `local_*`."""
        wrong = {
            str(path.relative_to(ROOT))
            for path in files_in(*YOURS)
            if imported(path) & set(MACHINERY)
        }

        assert wrong == set()

    @pytest.mark.parametrize(
        "name",
        ["run_results.py", "run_picture.py", "dbt_cloud/connection.py", "dbt_cloud/job_url.py"],
    )
    def test_parsing_needs_no_airflow(self, name):
        """What only reads and computes imports no Airflow, so that it is tested in milliseconds."""
        assert "airflow" not in imported(ROOT / "include" / name)


class TestCopy:
    def test_what_the_docs_say_to_copy_is_whole(self, tmp_path):
        """The files that docs/operator.md says to copy import with nothing else of here."""
        (line,) = re.findall(
            r"^To use it elsewhere copy (.*)$",
            (ROOT / "docs/operator.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        for name in re.findall(r"`([\w./]+[/.]\w*)`", line):
            source, target = ROOT / name, tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        program = (
            "import importlib, pathlib\n"
            "for path in sorted(pathlib.Path('.').rglob('*.py')):\n"
            "    if path.stem not in {'__main__', '__init__'}:\n"
            "        importlib.import_module('.'.join(path.with_suffix('').parts))\n"
        )

        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr


class TestSize:
    def test_modules_stay_small(self):
        """No module that ships is longer than 300 lines."""
        long = {
            str(path.relative_to(ROOT)): count
            for path in files_in(*MACHINERY, *YOURS, "benchmarks")
            if (count := len(path.read_text(encoding="utf-8").splitlines())) > 300
        }

        assert long == {}


class TestTests:
    def test_every_test_states_its_behaviour(self):
        """Every test has a docstring."""
        silent = {
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for path in files_in("tests")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            if node.name.startswith("test_") and not ast.get_docstring(node)
        }

        assert silent == set()


class TestFiles:
    def test_lock_files_name_no_index(self):
        """A lock file is the same wherever packages come from: it holds no address."""
        wrong = {
            path.name
            for folder in ("requirements", "tests/clients/requirements")
            for path in (ROOT / folder).glob("*.lock")
            if re.search(r"://|--(extra-)?index-url|--find-links", path.read_text())
        }

        assert wrong == set()

    def test_every_group_is_locked(self):
        """Every dependency group of pyproject.toml, and requirements.txt, has a lock file."""
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
        locked = {path.stem for path in (ROOT / "requirements").glob("*.lock")}

        assert locked == {"airflow", *groups}

    def test_no_folder_hides_a_package(self):
        """No folder at the root is called airflow or dbt: the root is on PYTHONPATH."""
        assert {path.name for path in ROOT.iterdir()} & {"airflow", "dbt"} == set()

    def test_env_example_suits_every_parser(self):
        """Compose, `docker --env-file` and a shell read .env.example alike."""
        lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        settings = [line for line in lines if line and not line.startswith("#")]

        assert settings
        assert [
            line for line in settings if not re.fullmatch(r"[A-Z][A-Z0-9_]*=[^\s'\"$#]*", line)
        ] == []

    def test_no_override_file_for_compose(self):
        """Astro would merge a docker-compose.override.yml into its own stack: there is none."""
        assert not (ROOT / "docker-compose.override.yml").exists()


class TestReadme:
    def test_every_command_exists(self):
        """Every `make` command that the texts name is a target of the Makefile."""
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        texts = [path for path in TRACKED if path.suffix in {".md", ".py", ".html"}]
        named = {
            (str(path.relative_to(ROOT)), name)
            for path in texts
            if "tests" not in path.parts
            for name in re.findall(
                r"(?:`|^    |remedy:? |:   )make ([a-z-]+)", path.read_text(), re.MULTILINE
            )
        }

        assert named
        assert {pair for pair in named if pair[1] not in targets} == set()

    def test_help_fits_a_terminal(self):
        """Every line of the list that `make` shows fits into 80 columns."""
        shown = subprocess.run(
            ["make"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()

        assert any("make doctor" in line for line in shown)
        assert [line for line in shown if len(line) > 80] == []

    def test_every_dag_has_its_entry(self):
        """Every DAG of this repository is described in docs/dags.md."""
        text = (ROOT / "docs/dags.md").read_text(encoding="utf-8")
        entries = set(re.findall(r"^## `(\w+)`$", text, re.MULTILINE))

        assert entries == {path.stem for path in (ROOT / "dags").glob("*.py")}

    def test_every_setting_is_documented(self):
        """Every setting of .env.example is explained in docs/settings.md."""
        settings = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        documented = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

        assert [name for name in settings if f"`{name}`" not in documented] == []

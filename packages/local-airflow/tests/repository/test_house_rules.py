"""What the repository as a whole promises to who reads or changes it."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[4]

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
PACKAGES = ROOT / "packages"
SHIPPED = ("dags", "include", "plugins", "examples", "packages", "benchmarks")


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


def is_test(path):
    return "tests" in path.relative_to(ROOT).parts


class TestImportDirections:
    """What import-linter cannot see: `make check` holds the rest, by pyproject.toml."""

    def test_contracts_are_kept(self):
        """Packages know each other, Airflow and their own floors only as the contracts say."""
        lint = Path(sys.executable).with_name("lint-imports")
        done = subprocess.run(
            [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stdout

    def test_your_code_does_not_know_the_machinery(self):
        """What would also run in production imports neither launcher nor local dbt Cloud."""
        wrong = {
            str(path.relative_to(ROOT)): names
            for path in files_in("dags", "include", "plugins", "examples")
            if not is_test(path)
            if (names := imported(path) & {"local_airflow", "local_dbt_cloud"})
        }

        assert wrong == {}

    def test_yours_does_without_the_examples(self):
        """The examples may be deleted: nothing outside of the folder imports them."""
        wrong = {
            str(path.relative_to(ROOT))
            for path in PYTHON
            if path.relative_to(ROOT).parts[0] != "examples" and "examples" in imported(path)
        }

        assert wrong == set()

    def test_the_examples_do_without_yours(self):
        """Whatever you do in include/, the examples go on."""
        assert {str(path) for path in files_in("examples") if "include" in imported(path)} == set()


class TestPackages:
    @pytest.mark.parametrize("name", sorted(path.name for path in PACKAGES.iterdir()))
    def test_can_be_built(self, name, tmp_path):
        """Each package is a distribution: its wheel has every file that is not Python, too."""
        folder = PACKAGES / name
        uv = shutil.which("uv") or ROOT / ".local/uv/bin/uv"
        subprocess.run(
            [uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, folder], check=True
        )
        (wheel,) = tmp_path.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [each for each in archive.namelist() if not each.endswith("/")]
        packed = {each for each in names if ".dist-info/" not in each}
        sources = {
            path.relative_to(folder / "src").as_posix()
            for path in TRACKED
            if path.is_relative_to(folder / "src")
        }

        assert packed == sources

    @pytest.mark.parametrize("name", sorted(path.name for path in PACKAGES.iterdir()))
    def test_says_what_it_is(self, name):
        """Each has its README and its changelog."""
        assert {"README.md", "CHANGELOG.md"} <= {path.name for path in (PACKAGES / name).iterdir()}

    def test_no_folder_is_too_full(self):
        """A folder of a package holds about fifteen modules at the most."""
        count = Counter(
            path.parent.relative_to(PACKAGES).as_posix()
            for path in files_in("packages")
            if not is_test(path) and path.name != "__init__.py"
        )

        assert {folder: number for folder, number in count.items() if number > 16} == {}


class TestSize:
    def test_modules_stay_small(self):
        """No module that ships is longer than 400 lines."""
        long = {
            str(path.relative_to(ROOT)): count
            for path in files_in(*SHIPPED)
            if not is_test(path)
            if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
        }

        assert long == {}


class TestTests:
    def test_every_test_states_its_behaviour(self):
        """Every test has a docstring."""
        silent = {
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for path in PYTHON
            if is_test(path)
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
            for folder in ("requirements", "packages/local-dbt-cloud/tests/clients/requirements")
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

        assert entries == {
            path.stem for path in PYTHON if path.match("dags/*.py") and not is_test(path)
        }

    def test_every_setting_is_documented(self):
        """Every setting of .env.example is explained in docs/settings.md."""
        settings = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        documented = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

        assert [name for name in settings if f"`{name}`" not in documented] == []

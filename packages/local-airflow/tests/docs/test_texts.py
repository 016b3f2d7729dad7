"""What the other pages say is so: settings, messages, questions."""

import ast
import re
import tomllib
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"
PACKAGES = sorted(file.parent for file in ROOT.glob("packages/*/pyproject.toml"))
SOURCES = [
    path
    for folder in (*(package / "src" for package in PACKAGES), ROOT / "examples", ROOT / "include")
    for path in folder.rglob("*.py")
    if "tests" not in path.relative_to(ROOT).parts
]
TEXTS = [
    *DOCS.rglob("*.md"),
    *ROOT.glob("*.md"),
    *ROOT.glob("packages/*/*.md"),
    *(ROOT / name / "README.md" for name in ("tests", "dbt_project", "deploy", "examples")),
]
# What is typed before `make` reaches it only for these; PYTEST_TIMEOUT is of the tests alone.
FROM_THE_SHELL = {"PYTHON", "PYTEST_TIMEOUT"}
MESSAGES = re.findall(r"^### `(.+)`$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)


NAMES = re.compile(r"`(\w+)`").findall


def pieces(node):
    """Give a string of the source as it is written, `…` where a value is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return ""


@pytest.fixture(scope="module")
def written():
    """Every string of the packages, the examples and include/."""
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))]
    return {text for text in map(pieces, nodes) if text}


class TestTroubleshooting:
    def test_is_filed_under_messages(self):
        """There are enough of them to be worth a page, and none stands there twice."""
        assert len(MESSAGES) >= 25
        assert len(set(MESSAGES)) == len(MESSAGES)

    @pytest.mark.parametrize("message", MESSAGES)
    def test_the_message_is_printed_by_something(self, written, message):
        """A heading is a message of the source, value for value: a reworded one is found here."""
        # A message that names a setting in its first word may have it put in.
        pattern = re.compile(re.escape(message).replace("…", ".*?"))

        assert any(pattern.match(text) for text in written), message


class TestQuestions:
    def test_every_answer_has_its_dag(self):
        """Each question of the guide is answered with a DAG, and docs/dags.md describes it."""
        questions = (DOCS / "faq.md").read_text().split("\n## ")[1:]
        dags = set(re.findall(r"^## `(\w+)`$", (DOCS / "dags.md").read_text(), re.MULTILINE))
        shown = {
            question.splitlines()[0]: set(re.findall(r"^DAGs?: .*$", question, re.MULTILINE))
            for question in questions
        }
        named = {name for lines in shown.values() for line in lines for name in NAMES(line)}

        assert len(questions) >= 8
        assert {question for question, lines in shown.items() if not lines} == set()
        assert named - dags == set()


class TestCommands:
    def test_every_command_and_variable_exists(self):
        """In every text, what follows `make` is a target, and what is given to it is read."""
        makefile = (ROOT / "Makefile").read_text()
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        source = makefile + "\n".join(path.read_text() for path in SOURCES)
        # In a code block a command begins its line, in a sentence it stands between backticks.
        command = re.compile(r"(?:^|`)(?:[A-Z_]+=\S+ )*make ([a-z-]+)([^`\n]*)", re.MULTILINE)
        found = {
            (text.name, target, variable)
            for text in TEXTS
            if text.is_file()
            for target, rest in command.findall(text.read_text())
            for variable in re.findall(r"\b([A-Z]+)=", rest) or [""]
        }

        assert len(found) > 30
        assert {each for each in found if each[1] not in targets} == set()
        assert {
            each
            for each in found
            if each[2]
            and f"$({each[2]})" not in source
            and f'"{each[2]}"' not in source
            and f'"{each[2].lower()}"' not in source
        } == set()

    def test_no_variable_stands_before_make(self):
        """What is meant for a command stands behind it: from the shell it would not count."""
        before = re.compile(r"(?:^|`|    )((?:[A-Z_]+=\S+ )+)make ", re.MULTILINE)
        found = {
            (text.name, variable)
            for text in TEXTS
            if text.is_file()
            for given in before.findall(text.read_text())
            for variable in re.findall(r"([A-Z_]+)=", given)
        }

        assert {each for each in found if each[1] not in FROM_THE_SHELL} == set()


class TestPaths:
    def test_every_path_leads_somewhere(self):
        """A path of the packages or of the examples that a text names is there."""
        path = re.compile(r"`((?:packages|examples|container|benchmarks)/[\w./-]+)`")
        named = {
            (text.name, name)
            for text in TEXTS
            if text.is_file()
            for name in path.findall(text.read_text())
            if (ROOT / name.partition("/")[0]).is_dir()
        }

        assert len(named) > 20
        assert {each for each in named if not (ROOT / each[1]).exists()} == set()


class TestPackages:
    @pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
    def test_readme_has_the_floors(self, package):
        """The order of the floors, in one line of the README, is the one that is held."""
        (line,) = re.findall(
            r"^Floors, from the top: (.*)\.$", (package / "README.md").read_text(), re.MULTILINE
        )
        said = [set(floor.split(" | ")) for floor in re.findall(r"`([^`]+)`", line)]
        contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
        held = [
            [set(floor.split(" | ")) for floor in contract["layers"]]
            for contract in contracts["contracts"]
            if contract.get("containers") == [package.name.replace("-", "_")]
        ]

        # dbt_cloud_api has one folder, and needs no contract for it.
        assert held in ([said], [])

    @pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
    def test_changelog_has_the_version(self, package):
        """The version that would be published has its entry."""
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]

        assert f"\n## {project['version']}" in (package / "CHANGELOG.md").read_text()


class TestSettings:
    def test_every_documented_setting_exists(self):
        """What docs/settings.md lists is in .env.example, or read by the source."""
        rows = re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
        example = (ROOT / ".env.example").read_text()
        source = "\n".join(path.read_text() for path in [*SOURCES, *ROOT.glob("*compose*.yaml")])

        assert len(rows) >= 8
        assert {
            name
            for name in rows
            if name != "AIRFLOW__SECTION__KEY" and f"{name}=" not in example
            if f'"{name}"' not in source and f"${{{name}}}" not in source
        } == set()

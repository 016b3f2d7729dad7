"""What the other pages say is so: settings, messages, questions."""

import ast
import re
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = [
    path
    for folder in ("local_airflow", "local_dbt_cloud", "local_ingestion", "include")
    for path in (ROOT / folder).rglob("*.py")
]
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
    """Every string of the machinery and of include/."""
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
        texts = [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "tests").glob("*.md")]
        # In a code block a command begins its line, in a sentence it stands between backticks.
        command = re.compile(r"(?:^|`)(?:[A-Z_]+=\S+ )*make ([a-z-]+)([^`\n]*)", re.MULTILINE)
        found = {
            (text.name, target, variable)
            for text in texts
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

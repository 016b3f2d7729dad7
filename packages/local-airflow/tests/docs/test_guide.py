"""The guide does what it says: its commands are run, and print what it shows."""

import re
from pathlib import Path

import pytest
from code_blocks import blocks, missing_line
from docs_clone import Clone


ROOT = Path(__file__).parents[4]
GUIDE = sorted((ROOT / "docs/guide").glob("*.md"))
BLOCKS = [block for file in GUIDE for block in blocks(file)]
SHELL = [block for block in BLOCKS if block.language == "shell"]
PYTHON = [block for block in BLOCKS if block.language == "python"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# What `make` passes on: $(NAME) in the Makefile, or read from the process environment.
LAUNCHER = ROOT / "packages/local-airflow/src/local_airflow"
VARIABLES = set(re.findall(r"\$[({](?:if \$\()?([A-Z_]+)", (ROOT / "Makefile").read_text()))


def described(values):
    return pytest.mark.parametrize("block", values, ids=str)


class TestBlocks:
    def test_every_step_ends_in_a_checkpoint(self):
        """Each page of the guide ends in a checkpoint: the reader knows whether to go on."""
        lacking = [page.name for page in GUIDE if "\n## Checkpoint\n" not in page.read_text()]

        assert len(GUIDE) >= 5
        assert lacking == []

    def test_every_block_has_its_place(self):
        """A block is shell, python, or the output behind a shell block; none escapes the tests."""
        shown = {block.output for block in SHELL}
        strange = [
            str(block)
            for block in BLOCKS
            if block.language not in {"shell", "python"}
            and not (block.language == "text" and block.code in shown)
        ]

        assert strange == []

    def test_what_is_not_run_says_why(self):
        """
        A remark at a block is its exit code, or a reason not to run it; nothing else.

        The only reason that counts is something that no test has.
        """
        known = r"not run: it needs (an account|GitHub|an image registry)|ends with: \d+"
        wrong = [
            str(block) for block in BLOCKS if block.remark and not re.fullmatch(known, block.remark)
        ]

        assert wrong == []

    @described(SHELL)
    def test_names_real_commands(self, block):
        """Each `make` command of the guide, run or not, is a target, and its variables exist."""
        commands = re.findall(r"\bmake ([a-z-]+)((?: [A-Z_]+=)?[^\n]*)", block.code)
        python = "\n".join(path.read_text() for path in LAUNCHER.rglob("*.py"))
        given = {name for _, rest in commands for name in re.findall(r"\b([A-Z]+)=", rest)}
        read = {name for name in given if f'"{name}"' in python or f'"{name.lower()}"' in python}

        assert {target for target, _ in commands} <= TARGETS
        assert given - VARIABLES - read == set()


class TestOutputs:
    def test_digits_may_differ(self):
        """Seconds, ids and ports are nobody's promise."""
        assert missing_line("took 17 s\n", "took   23 s\n") is None

    def test_a_word_may_not(self):
        """A word that is not printed is missed, and so is a line in the wrong order."""
        assert missing_line("3 green\n", "3 red\n") == "3 green"
        assert missing_line("first\nsecond\n", "second\nfirst\n") == "second"

    def test_three_dots_are_anything(self):
        """`…` stands for the rest of a line, and alone for any lines."""
        assert missing_line("mode: …\n…\nend\n", "mode: native\nand\nmore\nend\n") is None


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone that is followed through the guide; what it starts is ended at the last."""
    clone = Clone(tmp_path_factory.mktemp("guide"))
    yield clone
    clone.stack.make("down")
    assert clone.stack.processes() == {}


class TestRunning:
    @described([block for block in SHELL if not block.not_run])
    def test_prints_what_the_guide_shows(self, clone, block):
        """A command of the guide works after those before it, and prints what is behind it."""
        if not clone.stack.processes() and block.code != "make up\n":
            # Somebody runs only some of these tests.
            assert clone.type("make up").returncode == 0

        done = clone.type(block.code)

        assert done.returncode == block.status, done.stdout
        assert missing_line(masked(block.output or ""), masked(done.stdout)) is None, done.stdout

    @described([block for block in PYTHON if not block.not_run])
    def test_python_is_a_dag(self, tmp_path, block):
        """A DAG of the guide loads as Airflow loads it."""
        from airflow.dag_processing.dagbag import DagBag

        file = tmp_path / "of_the_guide.py"
        file.write_text(block.code)

        bag = DagBag(file)

        assert bag.import_errors == {}
        assert len(bag.dags) == 1


def masked(text):
    """Take out the password, which each clone has its own."""
    return re.sub(r"(login +admin +).*", r"\1(made for this clone)", text)

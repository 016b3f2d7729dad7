"""Each policy is broken once, by a small DAG that does what it forbids: the check can fail."""

import tomllib

import pytest

from airflow_dbt_cloud.testing import policies as dag_policies
from airflow_dbt_cloud.testing import sealed


GOOD = '''"""
What to do when it is red: nothing, it is an example.
"""

from datetime import timedelta

from airflow.sdk import dag, task


@dag(
    schedule=None,
    catchup=False,
    tags=["example"],
    default_args={
        "owner": "data-engineering",
        "retries": 2,
        "execution_timeout": timedelta(hours=1),
    },
    doc_md=__doc__,
)
def example() -> None:
    @task
    def work() -> None:
        import os

        print(os.environ["HOME"])

    work()


example()
'''
SLOW = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
BEGINS = "start_date=__import__('pendulum').datetime(2026, 1, 1)"

# What is put in the place of what, what stands on the line that the message must name, its words.
OFFENCES = {
    "naming": ("example()", "another()", "@dag(", "in a file of another name"),
    "tags": ('tags=["example"],', "", "@dag(", "0 tags of at least 1"),
    "owner": ('"owner": "data-engineering",', "", "def work", "nobody owns the task work"),
    "docs": ("doc_md=__doc__,", "", '"""', "do not say: red"),
    "retries": ('"retries": 2', '"retries": 0', "def work", "0 retries, not 1 to 5"),
    "timeout": ("hours=1", "hours=100", "def work", "may take 4 days, 4:00:00"),
    "catchup": ("catchup=False", f"catchup=True, {BEGINS}", "@dag(", "catches up"),
    "schedule": ("schedule=None", f'schedule="@daily", {BEGINS}', "@dag(", "starts by itself"),
    "size": ("\nexample()\n", "\nexample()\n" + "#\n" * 80 + "# end\n", "# end", "of at most 60"),
    "load_time": ("from airflow", f"{SLOW}from airflow", '"""', "s to load of at most 0.2"),
}


@pytest.fixture
def policies(pytestconfig):
    """The repository's policies without its exceptions, each switched on."""
    found = tomllib.loads((pytestconfig.rootpath / "tests/policies.toml").read_text())
    found.pop("dags")
    found.pop("exceptions", None)
    found["schedule"]["paused_at_first"] = True
    # The real budget would make the test wait for as long.
    found["load_time"]["seconds_at_most"] = 0.2
    return found


@pytest.fixture
def folder_of(tmp_path, policies):
    """A folder with one DAG file."""

    def write(text, name="example.py"):
        (tmp_path / name).write_text(text)
        return dag_policies.Folder(tmp_path, policies)

    return write


def line_of(words, text):
    """Count the lines up to the one that has these words."""
    return text[: text.index(words)].count("\n") + 1


class TestGood:
    @pytest.mark.parametrize("policy", sorted(set(dag_policies.POLICIES) - {"load_time"}))
    def test_breaks_nothing(self, folder_of, policy):
        """A DAG that owes nothing is not complained about."""
        assert dag_policies.broken(policy, folder_of(GOOD)) == []

    def test_what_tasks_read_is_their_own_business(self, folder_of):
        """A task may read the process environment: only the file must not, while it is read."""
        assert "os.environ" in GOOD
        assert dag_policies.broken("top_level", folder_of(GOOD)) == []


class TestOffences:
    def test_every_policy_has_one(self):
        """A policy without an offending DAG here would not be known to work."""
        assert {*OFFENCES, "top_level"} == set(dag_policies.POLICIES)

    @pytest.mark.parametrize("policy", OFFENCES)
    def test_is_found(self, folder_of, policy):
        """The message has the file, the line, what is wrong, and what to write instead."""
        good, bad, where, words = OFFENCES[policy]
        text = GOOD.replace(good, bad)
        line = line_of(where, text)

        (found,) = dag_policies.broken(policy, folder_of(text))

        assert str(found.file).endswith("example.py")
        assert found.line == line
        assert words in found.problem
        assert f"example.py:{line}: {found.problem}\n    → {found.remedy}" in str(found)

    @pytest.mark.parametrize("name", ["Example", "ab"])
    def test_a_name_that_is_not_in_the_pattern(self, folder_of, name):
        """A name is in small letters, and long enough to be found."""
        text = GOOD.replace("example()", f"{name}()")

        (found,) = dag_policies.broken("naming", folder_of(text, f"{name}.py"))

        assert "is not like" in found.problem


class TestTopLevel:
    @pytest.mark.parametrize(
        "line",
        [
            "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')",
            "from airflow.sdk import Variable; Variable.get('x', default=None) or 1/0",
            "import subprocess; subprocess.run(['true'])",
        ],
        ids=["network", "database", "program"],
    )
    def test_whatever_reaches_out_is_found(self, folder_of, line):
        """A file that talks to a server, a database or a program does not load here."""
        text = GOOD.replace("\n\n\n@dag", f"\n{line}\n\n@dag")

        found = dag_policies.broken("top_level", folder_of(text))

        assert line_of(line, text) in {each.line for each in found}
        assert "cannot be read with everything shut off" in found[0].problem

    @pytest.mark.parametrize(
        "line",
        ["    os.environ['HOME']", "    os.getenv('HOME')", "    open('/etc/hostname').close()"],
    )
    def test_what_is_forbidden_is_found_by_its_name(self, folder_of, line):
        """Reading the process environment or a file while the DAG is read is told by line."""
        text = GOOD.replace(
            "def example() -> None:\n", f"def example() -> None:\n    import os\n{line}\n"
        )

        (found,) = dag_policies.broken("top_level", folder_of(text))

        assert found.line == line_of(line, text)
        assert "is used while the file is read" in found.problem


class TestExceptions:
    def test_lets_a_dag_off(self, folder_of, policies):
        """A DAG that policies.toml lets off is not complained about, and no other is let off."""
        policies["exceptions"] = [{"dag": "example", "policy": "tags", "reason": "shows it"}]
        text = GOOD.replace('tags=["example"],', "")

        assert dag_policies.broken("tags", folder_of(text)) == []
        assert dag_policies.broken("docs", folder_of(text.replace("doc_md=__doc__,", ""))) != []


def test_what_is_imported_behind_the_seal_works_after_it(tmp_path):
    """A module that a DAG file is the first to import can start programs later, in a task."""
    (tmp_path / "starts_programs.py").write_text("from subprocess import Popen\n")
    (tmp_path / "example.py").write_text(
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport starts_programs\n{GOOD}"
    )
    bag = sealed.read(tmp_path)
    import starts_programs

    with starts_programs.Popen(["true"]) as process:
        assert process.wait() == 0
    assert bag.dags

"""The command itself: write all files or none, already in the format that `make check` wants."""

import json
import subprocess
import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT, shown
from local_airflow.new_dag.request import NewDag, check_name, check_schedule, find_job


TEMPLATES = Path(__file__).parent / "templates"
DOCS = Path("docs/dags.md")
# So much of a name fits into a line of 100 columns, however it is written.
LONGEST_PART = 60


def new_dag(name: str, job: str, schedule: str, owner: str, root: Path = ROOT) -> int:
    wanted = NewDag(
        name=check_name(name, root / "dags"),
        job=find_job(job, root / "dbt_cloud_jobs.yml"),
        schedule=check_schedule(schedule),
        owner=owner,
    )
    files = {
        root / "dags" / f"{name}.py": in_format(render("dag.py.j2", wanted)),
        root / "tests" / f"test_{name}.py": in_format(render("test.py.j2", wanted)),
        root / DOCS: (root / DOCS).read_text(encoding="utf-8") + render("docs.md.j2", wanted),
    }
    refuse_to_overwrite(root / "tests" / f"test_{name}.py")
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
        print(f"wrote {shown(file)}")
    print(f"To try it:   make test TESTS=tests/test_{name}.py")
    print(f"To run it:   make run DAG={name}")
    return 0


def refuse_to_overwrite(file: Path) -> None:
    if file.exists():
        raise UserError(
            f"{shown(file)} is there already",
            "It is a test of a DAG of this name.",
            (f"Move it away first:   git mv {shown(file)} …", "Or choose another NAME."),
        )


def render(template: str, wanted: NewDag) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 # this is Python and Markdown, not HTML
    )
    return environment.get_template(template).render(
        name=wanted.name,
        title=wanted.name.replace("_", " ").capitalize(),
        job=wanted.job,
        job_in_words=in_words(wanted.job.name),
        schedule=wanted.schedule,
        owner=wanted.owner,
        when=f"on the schedule `{wanted.schedule}`" if wanted.schedule else "when it is started",
        literal=literal,
    )


def literal(text: str) -> str:
    """Write a string of Python that says the same, that fits, and that no linter complains of."""
    # JSON's escapes are Python's too. A letter that looks like another is written by its number.
    parts = [text[start : start + LONGEST_PART] for start in range(0, len(text), LONGEST_PART)]
    written = [_by_number(json.dumps(part, ensure_ascii=False)) for part in parts or [""]]
    return written[0] if len(written) == 1 else f"(\n{chr(10).join(written)}\n)"


def _by_number(code: str) -> str:
    doubtful = look_alikes(code)
    return "".join(json.dumps(each)[1:-1] if each in doubtful else each for each in code)


def in_words(text: str) -> str:
    """Write a name so that it can stand in a docstring, whatever is in it."""
    doubtful = look_alikes(text)
    plain = "".join("-" if each in doubtful else each for each in text)
    return " ".join(plain.replace("\\", "/").replace('"""', "'''").split())


def look_alikes(text: str) -> set[str]:
    """Find the letters of a text that ruff takes for others, such as a dash for a minus."""
    if _is_plain(text):
        return set()
    # In a sentence: ruff lets a string of a single letter pass.
    return {each for each in set(text) if not each.isascii() and not _is_plain(f"as {each} in")}


def _is_plain(text: str) -> bool:
    checked = _ruff("check", "--quiet", "--select=RUF001", "-", code=f"name = {text!r}\n")
    return checked.returncode == 0


def in_format(code: str) -> str:
    """Let ruff lay it out as `make format` would: names are of any length."""
    formatted = _ruff("format", "--quiet", "-", code=code)
    if formatted.returncode:
        raise UserError(
            "the DAG was not written",
            f"What came out of the template is no Python:\n{formatted.stderr}",
            ("Choose a simpler NAME, JOB or SCHEDULE.",),
        )
    return formatted.stdout


def _ruff(*arguments: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ruff", *arguments],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )

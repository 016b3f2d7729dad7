"""
The policies of `policies.toml`, each a function that gives what breaks it: file, line, remedy.

A policy is a name in the file, a function here that bears it, and an offending DAG in this
package's tests/testing/test_policies.py.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow_dbt_cloud.testing import sealed


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Violation:
    """One thing that one DAG file owes."""

    file: Path
    line: int
    problem: str
    remedy: str

    def __str__(self) -> str:
        here = Path.cwd()
        file = self.file.relative_to(here) if self.file.is_relative_to(here) else self.file
        return f"{file}:{self.line}: {self.problem}\n    → {self.remedy}"


class Source:
    """A DAG file as it is written; knows on which line a DAG or a task begins."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.text = file.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    def of_dag(self, problem: str, remedy: str) -> Violation:
        return Violation(self.file, self.line_of_dag(), problem, remedy)

    def of_task(self, task: Any, problem: str, remedy: str) -> Violation:
        return Violation(self.file, self.line_of_task(task.task_id), problem, remedy)

    def line_of_dag(self) -> int:
        return next(
            (node.lineno for node in self._calls() if ast.unparse(node.func) in {"dag", "DAG"}), 1
        )

    def line_of_task(self, task_id: str) -> int:
        name = task_id.rpartition(".")[2]
        for node in ast.walk(self.tree):
            if isinstance(node, FUNCTIONS) and node.name == name:
                return node.lineno
            if isinstance(node, ast.keyword) and ast.unparse(node) == f"task_id={name!r}":
                return node.value.lineno
        return self.line_of_dag()

    def _calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))

    def done_while_read(self) -> Iterator[ast.expr]:
        """Names and attributes outside of the tasks' own functions."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, FUNCTIONS) and not _is_dag(node):
                waiting += [*node.decorator_list, *node.args.defaults]
                continue
            if isinstance(node, (ast.Attribute, ast.Name)):
                yield node
            waiting += ast.iter_child_nodes(node)


def _is_dag(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {ast.unparse(each).partition("(")[0] for each in function.decorator_list}
    return bool(names & {"dag", "task_group"})


class Folder:
    """A folder of DAG files, and what is asked of it."""

    def __init__(self, folder: Path, policies: dict[str, Any]) -> None:
        self.folder, self.policies = folder, policies
        self.sources = {file: Source(file) for file in sorted(folder.glob("*.py"))}

    @cached_property
    def bag(self) -> Any:
        return sealed.read(self.folder)

    def dags(self) -> Iterator[tuple[Any, Source]]:
        for dag in self.bag.dags.values():
            yield dag, self.sources[Path(dag.fileloc)]

    def tasks(self) -> Iterator[tuple[Any, Source]]:
        for dag, source in self.dags():
            for task in dag.tasks:
                yield task, source


def naming(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """A DAG is found by its name."""
    for dag, source in folder.dags():
        if dag.dag_id != source.file.stem:
            yield source.of_dag(
                f"the DAG {dag.dag_id} is in a file of another name",
                f"git mv {source.file.name} {dag.dag_id}.py, or rename the DAG",
            )
        elif not re.fullmatch(wanted["pattern"], dag.dag_id):
            yield source.of_dag(
                f"the name {dag.dag_id} is not like {wanted['pattern']}",
                "small letters, digits and _ make a name that every tool takes",
            )


def tags(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """A DAG is found by its tags."""
    for dag, source in folder.dags():
        if len(dag.tags) < wanted["at_least"]:
            yield source.of_dag(
                f"it has {len(dag.tags)} tags of at least {wanted['at_least']}",
                'in @dag(…):   tags=["dbt cloud"]',
            )


def owner(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """Somebody can be asked."""
    for task, source in folder.tasks():
        if task.owner in wanted["nobody"]:
            yield source.of_task(
                task,
                f"nobody owns the task {task.task_id}: its owner is {task.owner!r}",
                'in default_args:   "owner": "data-engineering"',
            )


def docs(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """A DAG says what it is for, and what to do when it is red."""
    for dag, source in folder.dags():
        missing = [word for word in wanted["must_say"] if word not in (dag.doc_md or "")]
        if missing:
            yield Violation(
                source.file,
                1,
                f"its docs do not say: {', '.join(missing)}",
                "write a runbook into the module's docstring, and in @dag(…):   doc_md=__doc__",
            )


def retries(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """A task survives a moment without network, and does not go on for ever."""
    least, most = wanted["at_least"], wanted["at_most"]
    for task, source in folder.tasks():
        if not least <= (task.retries or 0) <= most:
            yield source.of_task(
                task,
                f"the task {task.task_id} has {task.retries or 0} retries, not {least} to {most}",
                'in default_args:   "retries": 2',
            )


def timeout(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """No task waits for ever."""
    most = timedelta(hours=wanted["at_most_hours"])
    for task, source in folder.tasks():
        if task.execution_timeout is None or task.execution_timeout > most:
            yield source.of_task(
                task,
                f"the task {task.task_id} may take {task.execution_timeout or 'for ever'}, "
                f"the most is {most}",
                'in default_args:   "execution_timeout": timedelta(hours=2)',
            )


def catchup(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """A DAG that is switched on does not begin with everything it has missed."""
    for dag, source in folder.dags():
        if dag.catchup and not wanted["allowed"]:
            yield source.of_dag(
                "it catches up: switched on, it runs once for each interval that is over",
                "in @dag(…):   catchup=False",
            )


def schedule(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """What has a schedule starts when somebody has switched it on."""
    for dag, source in folder.dags():
        if wanted["paused_at_first"] and dag.schedule and not dag.is_paused_upon_creation:
            yield source.of_dag(
                f"it starts by itself, {dag.schedule}, as soon as Airflow has seen it",
                "in @dag(…):   is_paused_upon_creation=True",
            )


def top_level(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """Reading a file does nothing: Airflow reads it every few seconds, in several processes."""
    for name, trace in folder.bag.import_errors.items():
        file = next((each for each in folder.sources if each.name == Path(name).name), Path(name))
        yield Violation(
            file,
            sealed.line_of_error(trace, file),
            f"it cannot be read with everything shut off: {trace.strip().splitlines()[-1]}",
            "do it in a task, or in a template, which is read when the task runs",
        )
    for source in folder.sources.values():
        used = {(node.lineno, ast.unparse(node)) for node in source.done_while_read()}
        for line, name in sorted(pair for pair in used if _is_forbidden(pair[1], wanted)):
            yield Violation(
                source.file,
                line,
                f"{name} is used while the file is read",
                "use it in a task, or let the connection or a template bring the value",
            )


def _is_forbidden(name: str, wanted: dict[str, Any]) -> bool:
    return name in wanted["forbidden"]


def size(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """A DAG file is wiring; what it does is in include/, where it is tested on its own."""
    for source in folder.sources.values():
        lines = len(source.text.splitlines())
        if lines > wanted["lines_at_most"]:
            yield Violation(
                source.file,
                lines,
                f"it has {lines} lines of at most {wanted['lines_at_most']}",
                "move what it does into include/",
            )


def load_time(folder: Folder, wanted: dict[str, Any]) -> Iterator[Violation]:
    """A file is read quickly."""
    for file, seconds in sealed.seconds_to_load(folder.folder).items():
        if seconds > wanted["seconds_at_most"]:
            yield Violation(
                file,
                1,
                f"it took {seconds:.1f} s to load of at most {wanted['seconds_at_most']}",
                "import what is slow inside the task that needs it",
            )


Policy = Callable[[Folder, dict[str, Any]], Iterator[Violation]]

POLICIES: dict[str, Policy] = {
    check.__name__: check
    for check in (
        *(naming, tags, owner, docs, retries, timeout, catchup, schedule),
        *(top_level, size, load_time),
    )
}


def broken(policy: str, folder: Folder) -> list[Violation]:
    """What breaks a policy, without the DAGs that are let off."""
    exceptions = folder.policies.get("exceptions", [])
    let_off = {each["dag"] for each in exceptions if each["policy"] == policy}
    found = POLICIES[policy](folder, folder.policies[policy])
    return [each for each in found if each.file.stem not in let_off]

"""Which mode `make up` takes, and which one the other commands follow."""

from pathlib import Path
from typing import Any

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import state_folders
from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.state_file import read_state, write_state
from local_airflow.containers.compose import find_engine
from local_airflow.containers.container_mode import ContainerMode
from local_airflow.native.native_mode import NativeMode
from local_airflow.stack.mode import Mode
from local_airflow.stack.settings import StackSettings


ONE_MACHINE = "docker-compose.yaml"
CELERY = "compose.celery.yaml"
EXAMPLES = "examples/compose.yaml"
EXAMPLES_CELERY = "examples/compose.celery.yaml"


def choose(settings: StackSettings, executor: str = "", workers: int = 0) -> tuple[Mode, str]:
    """Take a mode for a start, and say why; what ran in another mode is stopped."""
    name, why = _choose_name(settings, needs_containers=executor == "celery")
    last = read_state(_memory())
    if last and last["mode"] != name:
        before = _make(settings, last)
        if before.is_running():
            print(f"stopping what runs with MODE={before.name}")
            with ProgressLine("stopping"):
                before.stop()
    chosen = {"mode": name, "executor": executor, "workers": workers}
    _memory().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_state(_memory(), chosen)
    return _make(settings, chosen), why


def current(settings: StackSettings) -> Mode:
    """Give the mode of the last start, or the one that a start would take."""
    last = read_state(_memory())
    return _make(settings, last or {"mode": _choose_name(settings)[0]})


def foresee(settings: StackSettings) -> tuple[str, str]:
    """Tell which mode a start would take, and why; unlike `choose`, this changes nothing."""
    return _choose_name(settings)


def _choose_name(settings: StackSettings, *, needs_containers: bool = False) -> tuple[str, str]:
    wanted = settings.dotenv["MODE"]
    if wanted == "native" and needs_containers:
        raise UserError(
            "EXECUTOR=celery needs containers",
            ".env says MODE=native, which runs everything on one machine.",
            ("In .env:   MODE=   (empty)", "or without workers:   make up"),
        )
    if wanted == "native":
        return "native", "as .env says"
    engine = find_engine()
    if engine.problem and (wanted == "docker" or needs_containers):
        raise UserError(
            "Docker cannot be used",
            f"{engine.problem[0].upper()}{engine.problem[1:]}.",
            ("Start Docker, then:   make up", "To do without, in .env:   MODE=native"),
        )
    if wanted == "docker":
        return "docker", "as .env says"
    last = read_state(_memory())
    if (
        last
        and not (engine.problem and last["mode"] == "docker")
        and _make(settings, last).is_running()
    ):
        return last["mode"], "in which it runs already"
    if engine.problem:
        return "native", f"because {engine.problem}"
    return "docker", f"because Docker Engine {engine.version} answers; MODE=native does without"


def _make(settings: StackSettings, chosen: dict[str, Any]) -> Mode:
    if chosen["mode"] == "native":
        return NativeMode(settings)
    if chosen.get("executor") != "celery":
        return ContainerMode(settings, [ONE_MACHINE, *_examples(settings, EXAMPLES)], {})
    workers = {"WORKERS": str(chosen["workers"] or 3)}
    files = [ONE_MACHINE, *_examples(settings, EXAMPLES), CELERY]
    return ContainerMode(settings, [*files, *_examples(settings, EXAMPLES_CELERY)], workers)


def _examples(settings: StackSettings, file: str) -> list[str]:
    return [file] if settings.has_examples else []


def _memory() -> Path:
    return state_folders().root / "mode.json"

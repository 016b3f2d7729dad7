"""All parts in the order in which they depend on each other; the slow ones side by side."""

from collections.abc import Callable
from contextlib import suppress

from dbt_cloud_api.user_error import UserError
from local_airflow.doctor import dbt_cloud, machine, pins, repository, settings_file, stack
from local_airflow.doctor.findings import Area, Finding, error, from_user_error
from local_airflow.running.mode_choice import current, foresee
from local_airflow.stack.generated_secrets import peek_secrets
from local_airflow.stack.mode import Mode
from local_airflow.stack.part_probes import look_at_parts
from local_airflow.stack.settings import StackSettings, load_settings


def examine() -> list[Area]:
    """Examine everything that can be examined; a broken `.env` only makes it less."""
    try:
        settings = load_settings(peek_secrets)
        mode = current(settings)
    except UserError as wrong:
        return _without_settings(wrong)
    running = mode.is_running()
    here = dbt_cloud.start_here(mode.settings) if running or not settings.is_local else None
    parts = look_at_parts(mode) if running else []
    # Its connection is in the database: without one, it would wait until its time is up.
    in_airflow = dbt_cloud.start_in_airflow() if parts and stack.can_be_asked(parts) else None
    chosen = (lambda: (mode.name, "as it was started")) if running else (lambda: foresee(settings))
    return [
        Area("This machine", _safely("machine", lambda: _machine(settings, chosen, running))),
        Area("Files", _safely("files", lambda: _files(settings, mode))),
        Area("Stack", _safely("stack", lambda: stack.examine(mode, parts))),
        *dbt_cloud.areas(mode, here, in_airflow),
    ]


def _machine(
    settings: StackSettings, chosen: Callable[[], tuple[str, str]], running: bool
) -> list[Finding]:
    return machine.examine(settings, chosen, running=running)


def _files(settings: StackSettings | None, mode: Mode | None = None) -> list[Finding]:
    found = [*settings_file.examine(), *repository.examine(settings)]
    if mode is not None and mode.name == "docker":
        return [*found, *pins.examine_images(mode)]
    return [*found, *pins.examine()]


def _without_settings(wrong: UserError) -> list[Area]:
    def chosen() -> tuple[str, str]:
        raise UserError("not known while .env cannot be read", wrong.problem, ())

    found = list(_safely("files", lambda: _files(None)))
    with suppress(StopIteration):
        # What is wrong beyond single lines: a port that is none, two that are the same.
        if not any(finding.found == wrong.problem for finding in found):
            found.insert(0, from_user_error(".env", wrong))
    return [
        Area(
            "This machine", _safely("machine", lambda: machine.examine(None, chosen, running=False))
        ),
        Area("Files", tuple(found)),
    ]


def _safely(name: str, examine_part: Callable[[], list[Finding]]) -> tuple[Finding, ...]:
    """Let one part that fails in an unforeseen way not hide what the others found."""
    try:
        return tuple(examine_part())
    except Exception as surprise:  # noqa: BLE001 # the doctor is called when things are strange
        cause = f"{type(surprise).__name__}: {surprise}"
        found = "this check itself failed"
        return (error(name, found, cause, "make bundle packs what a report needs."),)

"""Which mode `make up` takes, and which one the other commands follow."""

from local_airflow.folders import state_folders
from local_airflow.mode import Mode
from local_airflow.native_mode import NativeMode
from local_airflow.settings import Settings
from local_airflow.user_error import UserError


def choose(settings: Settings) -> tuple[Mode, str]:
    """Take a mode for a start, and say why."""
    wanted = settings.dotenv["MODE"]
    if wanted == "docker":
        raise UserError(
            "MODE=docker is not there",
            "There is no container mode yet; only the native one exists.",
            ("In .env:   MODE=native   (or leave it empty)",),
        )
    return NativeMode(settings), "as .env says" if wanted else "the only one there is so far"


def current(settings: Settings) -> Mode:
    """Give the mode of the last start."""
    return NativeMode(settings)


def remember(mode: Mode) -> None:
    file = state_folders().root / "mode"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(f"{mode.name}\n", encoding="ascii")

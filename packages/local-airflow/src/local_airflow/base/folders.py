"""Where things lie: the repository, what is installed, and what this start remembers."""

import os
from dataclasses import dataclass
from pathlib import Path


ROOT = Path(__file__).resolve().parents[5]
LOCAL = ROOT / ".local"
PACKAGES = ROOT / "packages"
# What the launcher needs of this repository; it runs before anything is installed.
LAUNCHER_PATH = os.pathsep.join(
    str(PACKAGES / name / "src") for name in ("local-airflow", "dbt-cloud-api")
)


@dataclass(frozen=True, slots=True)
class StateFolders:
    """Everything with state. Another `LOCAL_STATE` is another stack beside this one."""

    root: Path

    @property
    def airflow_home(self) -> Path:
        return self.root / "airflow_home"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def dbt_cloud(self) -> Path:
        return self.root / "dbt_cloud"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        return self.root / "processes"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def containers(self) -> "StateFolders":
        """What this machine keeps of the stack in containers, whose data are in volumes."""
        return StateFolders(self.root / "containers")

    def create(self) -> None:
        """Make the folders; only their owner may look into them."""
        for folder in (self.airflow_home, self.dbt_cloud, self.tls, self.logs, self.processes):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def state_folders() -> StateFolders:
    return StateFolders(Path(os.environ.get("LOCAL_STATE") or LOCAL / "state").absolute())


def dotenv_path() -> Path:
    """Give the settings file; tests name another one, so that they never read yours."""
    return Path(os.environ.get("LOCAL_ENV_FILE") or ROOT / ".env").absolute()


def shown(path: Path) -> str:
    """Name a file as briefly as the reader, who stands in the repository, can use it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

"""The memory of the stack, from /proc (Linux only)."""

from collections import defaultdict
from pathlib import Path


def proportional_memory(root: Path) -> dict[str, float]:
    """
    Sum the proportional set size in MB of every process whose program lies under `root`/.local.

    A page that several forks share counts once, divided among them; the sum of the resident sizes
    would count it several times.
    """
    megabytes: defaultdict[str, float] = defaultdict(float)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program = (process / "exe").resolve(strict=True)
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
        if str(root / ".local") in f"{program} {command[0]}":
            megabytes[_name(command)] += _proportional_megabytes(process)
    return dict(megabytes)


def memory_below(pid: int) -> list[float]:
    """The same for a process and everything that it has started, itself first."""
    megabytes: list[float] = []
    waiting = [pid]
    while waiting:
        process = Path("/proc") / str(waiting.pop(0))
        megabytes.append(_proportional_megabytes(process))
        for thread in (process / "task").iterdir():
            waiting += [int(child) for child in (thread / "children").read_text().split()]
    return megabytes


def _proportional_megabytes(process: Path) -> float:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _name(command: list[str]) -> str:
    program = Path(command[0]).name.split(":")[0]
    return program if "postgres" in program else " ".join(part for part in command[1:4] if part)

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
            rollup = (process / "smaps_rollup").read_text()
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
        if str(root / ".local") not in f"{program} {command[0]}":
            continue
        kilobytes = next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
        megabytes[_name(command)] += int(kilobytes) / 1024
    return dict(megabytes)


def _name(command: list[str]) -> str:
    program = Path(command[0]).name.split(":")[0]
    return program if "postgres" in program else " ".join(part for part in command[1:4] if part)

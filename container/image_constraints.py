"""
Print the versions that an image build must keep to.

    image_constraints.py <the image's constraints.txt> <our lock file> [requirements.txt]

What the image was tested with stays as it is. Our lock file decides what we ask for by name in
requirements.txt, and what the image's constraints say nothing of.
"""

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


LINE = re.compile(r"^[A-Za-z0-9][^\\#\n]*", re.MULTILINE)


def requirements(text: str) -> list[Requirement]:
    """Give what applies to this Python and this machine."""
    found = [Requirement(line.strip()) for line in LINE.findall(text)]
    return [each for each in found if each.marker is None or each.marker.evaluate()]


def pins(text: str) -> dict[str, str]:
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements(text)}


def merge(constraints: str, lock: str, asked: str) -> dict[str, str]:
    """Choose a version for each package: the image's, or ours where ours decides."""
    image, locked = pins(constraints), pins(lock)
    ours = {name: pin for name, pin in locked.items() if name in pins(asked) or name not in image}
    return {**image, **ours}


def main() -> None:
    constraints, lock, *asked = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    for name, pin in sorted(merge(constraints, lock, "\n".join(asked)).items()):
        print(f"{name}{pin}")


if __name__ == "__main__":
    main()

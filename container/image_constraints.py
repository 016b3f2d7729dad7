"""
Print the versions that an image build must keep to.

    image_constraints.py <the image's constraints.txt> <our lock file> [requirements.txt]

What the image was tested with stays as it is. Our lock file decides what we ask for by name in
requirements.txt, and what the image's constraints say nothing of. Where the version is that of our
lock file, its checksums are printed too, and uv refuses anything else.
"""

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


LINE = re.compile(r"^([A-Za-z0-9][^\\#\n]*)((?:\\\n *--hash=\S+ ?)*)", re.MULTILINE)


def pins(text: str) -> dict[str, tuple[str, list[str]]]:
    """Give version and checksums of what applies to this Python and this machine."""
    found = [(Requirement(line.strip()), checksums) for line, checksums in LINE.findall(text)]
    return {
        canonicalize_name(each.name): (str(each.specifier), re.findall(r"--hash=\S+", checksums))
        for each, checksums in found
        if each.marker is None or each.marker.evaluate()
    }


def merge(constraints: str, lock: str, asked: str) -> dict[str, tuple[str, list[str]]]:
    """Choose a version for each package: the image's, or ours where ours decides or is the same."""
    image, locked, by_name = pins(constraints), pins(lock), pins(asked)
    ours = {
        name: pin
        for name, pin in locked.items()
        if name in by_name or name not in image or image[name][0] == pin[0]
    }
    return {**image, **ours}


def main() -> None:
    constraints, lock, *asked = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    for name, (version, checksums) in sorted(merge(constraints, lock, "\n".join(asked)).items()):
        print(f"{name}{version}", *checksums)


if __name__ == "__main__":
    main()

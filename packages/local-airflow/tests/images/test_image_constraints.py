"""Which versions an image build keeps to."""

import subprocess
import sys
from pathlib import Path


SCRIPT = Path(__file__).parents[4] / "container" / "image_constraints.py"


def test_the_image_decides_but_for_what_is_asked_for(tmp_path):
    """The image's versions hold; ours, with its checksums, for what is asked for, new or agreed."""
    (tmp_path / "constraints.txt").write_text("Kept_Package==1.0\nasked-for==1.0\nagreed==5.0\n")
    (tmp_path / "lock").write_text(
        "kept-package==2.0 \\\n    --hash=sha256:aa\n"
        "asked-for==2.0 \\\n    --hash=sha256:b1 \\\n    --hash=sha256:b2\n    # via somebody\n"
        "agreed==5.0 \\\n    --hash=sha256:ee\n"
        "new==3.0 ; python_version < '3' \\\n    --hash=sha256:cc\n"
        "new==4.0 ; python_version >= '3' \\\n    --hash=sha256:dd\n"
    )
    (tmp_path / "requirements.txt").write_text("# a comment\nasked_for\n")

    said = subprocess.run(
        [sys.executable, SCRIPT, "constraints.txt", "lock", "requirements.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said.splitlines() == [
        "agreed==5.0 --hash=sha256:ee",
        "asked-for==2.0 --hash=sha256:b1 --hash=sha256:b2",
        "kept-package==1.0",
        "new==4.0 --hash=sha256:dd",
    ]

"""`make sbom`: what every environment and image holds, as CycloneDX, in .local/sbom/."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import LOCAL, ROOT, shown
from local_airflow.base.install import install
from local_airflow.containers.compose import find_engine


FOLDER = LOCAL / "sbom"
SECONDS_FOR_AN_IMAGE = 120
# Debian's packages, then Python's: in whatever environment they lie, their folder names them.
LIST_IMAGE = (
    r"dpkg-query --show --showformat 'deb ${Package} ${Version} ${Architecture}\n' || exit 1; "
    r"find / -xdev -type d -name '*.dist-info' | sed 's|.*/||; s|\.dist-info$||; s|^|python |'"
)


def sbom() -> int:
    """Write a file for each environment of `.local/`, and for each image that is built here."""
    install(("security",))
    FOLDER.mkdir(exist_ok=True)
    for environment in sorted(file.parent for file in LOCAL.glob("*/installed")):
        print(f"wrote {shown(_write_environment(environment))}")
    for image in _images():
        print(f"wrote {shown(_write_image(image))}")
    return 0


def _write_environment(environment: Path) -> Path:
    file = FOLDER / f"{environment.name}.cdx.json"
    cyclonedx = [
        str(LOCAL / "security/bin/cyclonedx-py"),
        "environment",
        "--output-reproducible",
        "--no-validate",
    ]
    python = str(environment / "bin/python")
    _run([*cyclonedx, "--output-file", str(file), python], f"reading .local/{environment.name}")
    return file


def _images() -> Iterator[str]:
    """Give the images of this clone's containers, running or not."""
    if find_engine().problem:
        return
    here = f"label=com.docker.compose.project.working_dir={ROOT}"
    command = ["docker", "container", "ls", "--all", "--filter", here, "--format", "{{.Image}}"]
    yield from sorted(set(_run(command, "asking Docker for the stack's images").split()))


def _write_image(image: str) -> Path:
    file = FOLDER / f"image-{image.replace('/', '-').replace(':', '-')}.cdx.json"
    inside = ["docker", "run", "--rm", "--network=none", "--user=0", "--entrypoint=sh", image]
    listed = _run([*inside, "-c", LIST_IMAGE], f"reading the image {image}")
    file.write_text(json.dumps(bill_of(image, listed), indent=1) + "\n", encoding="utf-8")
    return file


def bill_of(image: str, listed: str) -> dict[str, Any]:
    """Give the bill of an image, from what `LIST_IMAGE` has printed in it."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": image, "bom-ref": image}},
        "components": list(_components(listed)),
    }


def _components(listed: str) -> Iterator[dict[str, Any]]:
    for line in sorted(set(listed.splitlines())):
        kind, _, rest = line.partition(" ")
        if kind == "deb":
            name, version, architecture = rest.split(" ")
            address = f"pkg:deb/debian/{name}@{quote(version)}?arch={architecture}"
        else:
            name, _, version = rest.partition("-")
            address = f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version)}"
        yield {
            "type": "library",
            "name": name,
            "version": version,
            "purl": address,
            "bom-ref": address,
        }


def _run(command: list[str], what: str) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_FOR_AN_IMAGE,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{what} took too long", f"{command[0]} gave no answer in time.", ("Try again.",)
        ) from None
    if done.returncode:
        raise UserError(
            f"{what} failed",
            done.stderr.strip() or f"{command[0]} ended with {done.returncode}.",
            ("Put that right, then:   make sbom",),
        )
    return done.stdout

"""What is installed is written down, and what is known to be weak is named."""

import json
import os
import subprocess
import sys

import pytest
from repository_copy import ROOT, launcher_path

from local_airflow.supply_chain.audit import as_text, read_report
from local_airflow.supply_chain.sbom import bill_of


# Strict: the bill is what the standard's own schema says.
VALIDATE = """
import sys
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

for name in sys.argv[1:]:
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(name).read())
    assert wrong is None, (name, wrong)
"""


@pytest.fixture(scope="module")
def written():
    done = subprocess.run(
        [sys.executable, "-m", "local_airflow", "sbom"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": launcher_path(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        ROOT / line.removeprefix("wrote ") for line in done.stdout.splitlines() if "wrote" in line
    ]


def validate(file):
    python = str(ROOT / ".local/security/bin/python")
    subprocess.run([python, "-c", VALIDATE, str(file)], check=True)


def test_every_environment_has_a_bill(written):
    """Each environment of .local/ has its file, which the standard's schema accepts."""
    installed = {file.parent.name for file in (ROOT / ".local").glob("*/installed")}
    smallest = min(written, key=lambda file: file.stat().st_size)

    assert {file.name.removesuffix(".cdx.json") for file in written} >= installed
    validate(smallest)


def test_bill_names_what_is_locked(written):
    """Every package of a lock is in the bill of its environment, in the locked version."""
    (bill,) = [json.loads(file.read_text()) for file in written if file.name == "dbt.cdx.json"]
    named = {f"{each['name'].lower()}=={each['version']}" for each in bill["components"]}
    lock = (ROOT / "requirements/dbt.lock").read_text()
    (dbt_core,) = [line.split()[0] for line in lock.splitlines() if line.startswith("dbt-core==")]

    assert dbt_core in named


@pytest.mark.usefixtures("written")  # which has installed what reads the schema
def test_image_is_listed_with_debian_and_python(tmp_path):
    """What `dpkg` and the folders of Python's packages say becomes packages with addresses."""
    listed = "deb libc6 2.41-12+deb13u1 amd64\npython dbt_core-1.11.16\npython dbt_core-1.11.16\n"
    bill = bill_of("postgres:17", listed)
    (tmp_path / "bill.json").write_text(json.dumps(bill))
    libc, dbt = bill["components"]

    validate(tmp_path / "bill.json")
    assert libc["purl"] == "pkg:deb/debian/libc6@2.41-12%2Bdeb13u1?arch=amd64"
    assert (dbt["purl"], dbt["version"]) == ("pkg:pypi/dbt-core@1.11.16", "1.11.16")


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (
            [{"name": "a", "version": "1", "vulns": []}],
            ["requirements/x.lock: 1 packages audited: nothing known"],
        ),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            [
                "requirements/x.lock: 1 packages audited: 1 published weaknesses",
                "  a 1: CVE-1, cured in 2",
            ],
        ),
        (
            [{"name": "a", "skip_reason": "not found"}],
            ["requirements/x.lock: not audited, PyPI does not answer for its 1 packages"],
        ),
    ],
    ids=["good", "weak", "unknown"],
)
def test_audit_says_what_was_audited(report, said):
    """What nobody could look up does not pass for sound."""
    assert list(as_text([read_report("x.lock", {"dependencies": report})])) == said

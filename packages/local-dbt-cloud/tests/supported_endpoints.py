"""
docs/supported_endpoints.md: written here, read back, and compared with the server.

    python -m supported_endpoints

The endpoints, grades and sources come from the routes; the tests from the calls that the tests
made when they ran here. `make docs-write` runs them first.
"""

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from endpoint_calls import EndpointCalls

from local_dbt_cloud.app import list_routes
from local_dbt_cloud.routes.openapi_document import documented
from local_dbt_cloud.wire.evidence import GRADES, KEY


REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "docs/supported_endpoints.md"
CALLS = REPOSITORY / ".local/endpoint_calls.json"
OFFICIAL = Path(__file__).with_name("official_endpoints.txt")
SHOWN_TESTS = 3
# They call everything, and look only at the form of the answers.
NO_PROOF = {"test_openapi", "test_bad_input", "test_supported_endpoints"}
ROW = re.compile(r"^\| `(\w+ \S+)` \| ([RDCI]) \| (.*?) \| (.*?) \|$", re.MULTILINE)
ABSENT = re.compile(r"^- `(\w+ \S+)`$", re.MULTILINE)


HEAD = """\
# Supported endpoints

Written by `make docs-write` from the server's routes; a test fails when it is not true.

{implemented} operations of the Administrative API are implemented: {graded}.
{absent} more are in dbt Cloud's official documents; these, and every other path under `/api/`, answer 501 and name themselves.
How the implemented ones differ: [differences_from_dbt_cloud.md](differences_from_dbt_cloud.md).

The grade says how sure we are that dbt Cloud answers so:

{legend}

The tests are modules of `packages/local-dbt-cloud/tests` that called the endpoint and were answered with success, found in the servers' access logs.
Those that call few others come first, and at most three are shown.
`test_openapi` and `test_bad_input` send bad input to all of them besides.

| endpoint | grade | evidence | tests |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Row:
    endpoint: str
    grade: str
    source: str
    tests: tuple[str, ...] = ()


def implemented() -> list[Row]:
    """Every endpoint of the API that has a route which answers, in the order of their paths."""
    rows = [
        Row(f"{method} {route.path.replace(':path', '')}", evidence["grade"], evidence["source"])
        for route in documented(list_routes())
        if route.path.startswith("/api/") and route.include_in_schema
        for method in route.methods
        for evidence in [route.openapi_extra[KEY]]
    ]
    return sorted(rows, key=lambda row: row.endpoint.split()[::-1])


def same_for_all(endpoint: str) -> str:
    """The endpoint whatever its ids are called and however its path ends."""
    return re.sub(r"\{\w+\}", "{}", endpoint).removesuffix("/")


def official() -> list[str]:
    lines = OFFICIAL.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def not_implemented() -> list[str]:
    """What the official documents name and this server answers with 501."""
    here = {same_for_all(row.endpoint) for row in implemented()}
    return [endpoint for endpoint in official() if same_for_all(endpoint) not in here]


def read_page() -> tuple[list[Row], list[str]]:
    """The rows of the page, and what it lists as not implemented."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [
        Row(endpoint, grade, source, tuple(re.findall(r"`(\w+)`", tests)))
        for endpoint, grade, source, tests in ROW.findall(text)
    ]
    return rows, ABSENT.findall(text)


def untrue_claims(calls: EndpointCalls) -> set[tuple[str, str]]:
    """Pairs of an endpoint and a module that the page names for it, wrongly."""
    return {
        (row.endpoint, module)
        for row in read_page()[0]
        for module in row.tests
        if module in calls.whole_modules and module not in calls.found.get(row.endpoint, set())
    }


def write_page(calls: dict[str, list[str]], kept: dict[str, list[str]]) -> str:
    """A row keeps the tests that it had, so that nobody's page differs for no reason."""
    proofs = {endpoint: set(modules) - NO_PROOF for endpoint, modules in calls.items()}
    named = Counter(module for modules in proofs.values() for module in modules)
    rows, absent = implemented(), not_implemented()
    known = {same_for_all(endpoint) for endpoint in official()}
    lines = []
    for row in rows:
        # A module that calls few endpoints says more about each of them.
        found = sorted(proofs.get(row.endpoint, ()), key=lambda name: (named[name], name))
        modules = dict.fromkeys([*kept.get(row.endpoint, []), *found])
        tests = ", ".join(f"`{name}`" for name in list(modules)[:SHOWN_TESTS])
        mark = "" if same_for_all(row.endpoint) in known else " (not in the official document)"
        lines.append(f"| `{row.endpoint}` | {row.grade} | {row.source}{mark} | {tests} |")
    grades = Counter(row.grade for row in rows)
    legend = [f"- **{grade}** {text}" for grade, text in GRADES.items()]
    text = HEAD.format(
        implemented=len(rows),
        graded=", ".join(f"{grades[grade]} graded {grade}" for grade in GRADES),
        absent=len(absent),
        legend="\n".join(legend),
    )
    missing = "\n".join(f"- `{endpoint}`" for endpoint in absent)
    return f"{text}{chr(10).join(lines)}\n\n## Not implemented\n\n{missing}\n"


def read_calls() -> dict[str, list[str]]:
    if not CALLS.exists():
        return {}
    calls: dict[str, list[str]] = json.loads(CALLS.read_text(encoding="utf-8"))
    return calls


def read_kept() -> dict[str, list[str]]:
    """What the page says already, as far as those modules still exist."""
    rows = read_page()[0] if PAGE.exists() else []
    here = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    return {row.endpoint: [name for name in row.tests if name in here] for row in rows}


def main() -> int:
    PAGE.write_text(write_page(read_calls(), read_kept()), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

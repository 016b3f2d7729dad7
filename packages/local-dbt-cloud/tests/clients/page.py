"""
docs/clients.md: written here, read back, and compared with what the clients do.

What a client is and what its checks state comes from `clients.py`, the checks and the lock files;
what it called, from the server's access log in the last run of these tests. `make docs-write` does
both.
"""

import json
import re
from pathlib import Path

from clients.check_process import Report
from clients.clients import CLIENTS, Client

from dbt_cloud_api.user_error import UserError


REPOSITORY = Path(__file__).resolve().parents[4]
PAGE = REPOSITORY / "docs/clients.md"
FACTS = REPOSITORY / ".local/client_calls.json"
ROW = re.compile(r"^\| `(\w+ \S+)` \|(.*)\|$", re.MULTILINE)
CALLED = "●"

HEAD = """\
# Clients

Written by `make docs-write`; a test fails when it is not true.

Each of these comes from PyPI as it is, in an environment of its own that `packages/local-dbt-cloud/tests/clients/requirements/` locks, and talks to the local dbt Cloud over TLS.
`make test-clients` installs them and runs every check below; all of them passed in the versions that are named.

| client | version | tried as | checks | endpoints |
|---|---|---|---|---|
"""
MATRIX = """\
## Which client calls what

Found in the server's access log: {called} marks an endpoint that the client called and that was answered with success.

"""


def keep_facts(client: Client, report: Report, endpoints: set[str]) -> None:
    """Remember what the page is written from."""
    FACTS.parent.mkdir(exist_ok=True)
    facts = json.loads(FACTS.read_text()) if FACTS.exists() else {}
    wrong = sorted(name for name, text in report.failures.items() if text is not None)
    facts[client.title] = {"endpoints": sorted(endpoints), "failed": wrong}
    FACTS.write_text(json.dumps(facts, indent=1, sort_keys=True))


def read_facts() -> dict[str, set[str]]:
    """Raise `UserError` when a client is missing, or when one of its checks has failed."""
    facts = json.loads(FACTS.read_text()) if FACTS.exists() else {}
    wrong = [
        client.title
        for client in CLIENTS
        if client.title not in facts or facts[client.title]["failed"]
    ]
    if wrong:
        raise UserError(
            f"not every check has passed: {', '.join(wrong)}",
            "docs/clients.md says that they have.",
            ("make test-clients   (then once more:   make docs-write)",),
        )
    return {title: set(fact["endpoints"]) for title, fact in facts.items()}


def read_page() -> dict[str, set[str]]:
    """The endpoints of each client, as the page shows them."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {
        client.title: {
            endpoint for endpoint, marks in rows if marks.split("|")[index].strip() == CALLED
        }
        for index, client in enumerate(CLIENTS)
    }


def write_page(calls: dict[str, set[str]]) -> str:
    parts = [HEAD]
    parts += [describe(client, calls[client.title]) for client in CLIENTS]
    parts += ["\n", *(list_checks(client) for client in CLIENTS)]
    return "".join([*parts, MATRIX.format(called=CALLED), *list_calls(calls)])


def describe(client: Client, endpoints: set[str]) -> str:
    cells = (
        f"[{client.package}](#{client.title})",
        client.version,
        client.how,
        str(len(client.checks)),
        str(len(endpoints)),
    )
    return f"| {' | '.join(cells)} |\n"


def list_checks(client: Client) -> str:
    statements = [text.split("\n")[0] for text in client.checks.values()]
    lines = "\n".join(f"- {statement}" for statement in statements)
    return f"## {client.title}\n\n{lines}\n\n"


def list_calls(calls: dict[str, set[str]]) -> list[str]:
    titles = [client.title for client in CLIENTS]
    endpoints = sorted(set().union(*calls.values()), key=lambda each: each.split()[::-1])
    rows = [
        [f"`{endpoint}`", *(CALLED if endpoint in calls[title] else "" for title in titles)]
        for endpoint in endpoints
    ]
    head = f"| endpoint | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 1)}\n"
    return [head, *(f"| {' | '.join(cells)} |\n" for cells in rows)]

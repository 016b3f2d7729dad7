"""
What of a shell each of our processes gets.

A shell is full of variables that libraries obey without being asked: one PGSSLMODE keeps everybody
out of our PostgreSQL, one ALL_PROXY ends every task of Airflow. So each variable is of one kind, by
its name, and each process gets the kinds that are listed for it here. docs/settings.md has the
table for its readers, and a test compares the two.
"""

import os
import re
from collections.abc import Mapping, MutableMapping

from dbt_cloud_api.client import THIS_MACHINE, is_socks


# The first that fits counts.
KINDS = {
    "machine": re.compile(
        r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TERM|COLORTERM|NO_COLOR"
        r"|COLUMNS|LINES|XDG_\w+|LD_LIBRARY_PATH"
    ),
    "proxies": re.compile(r"(https?|all|no)_proxy", re.IGNORECASE),
    "certificates": re.compile(
        r"SSL_CERT_(FILE|DIR)|SSLKEYLOGFILE|(REQUESTS|CURL)_CA_BUNDLE|PIP_CERT|GIT_SSL_CA(INFO|PATH)"
    ),
    "installers": re.compile(r"(UV|PIP)_\w+"),
    # Git sets them for its hooks, and each means one repository, which is not the one we ask for.
    "git's places": re.compile(
        r"GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|NAMESPACE|OBJECT_DIRECTORY|PREFIX)"
    ),
    "git": re.compile(r"(GIT|SSH)_\w+"),
    "Python": re.compile(r"PYTHON\w+|VIRTUAL_ENV"),
    "PostgreSQL": re.compile(r"PG[A-Z]+"),
    "Airflow": re.compile(r"_?AIRFLOW_\w+"),
    "dbt": re.compile(r"DBT_\w+"),
    "warehouse": re.compile(r"(LOCAL_)?WAREHOUSE_\w+"),
    "local dbt Cloud": re.compile(r"LOCAL_DBT_CLOUD_\w+"),
}
# A proxy by what it is, not by its name.
SOCKS = "SOCKS proxies"
OTHERS = "others"

# What each gets; what else it needs, it is given by its part of this package.
PASSED = {
    # Starts the next four, so it has what each of them may have.
    "supervisor": {
        *("machine", "proxies", SOCKS, "certificates", "installers", "git", "local dbt Cloud"),
        OTHERS,
    },
    # And PostgreSQL's programs: initdb, pg_dump.
    "PostgreSQL": {"machine"},
    "loader": {"machine"},
    # Its git and uv can use every proxy; dbt gets a shorter list of its own.
    "local dbt Cloud": {"machine", "proxies", SOCKS, "installers", "git", "local dbt Cloud"},
    # Tasks are the user's programs: what we do not know is theirs. No SOCKS proxy, with which
    # httpx fails before it looks at NO_PROXY, and with it every task.
    "Airflow": {"machine", "proxies", "installers", "git", OTHERS},
    # A pager and an editor are among what we do not know.
    "psql": {"machine", OTHERS},
    "checks of dbt Cloud": {"machine", "proxies", "certificates"},
    "uv and pip": {"machine", "proxies", SOCKS, "certificates", "installers", "git", OTHERS},
    "tests": {
        *("machine", "proxies", "certificates", "installers", "git", "warehouse"),
        *("local dbt Cloud", OTHERS),
    },
}


def of_shell(process: str, shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the variables that a process of this name, which is in the table, gets of a shell."""
    passed = PASSED[process]
    kept = {name: value for name, value in shell.items() if kind(name, value) in passed}
    if "proxies" in passed and SOCKS not in passed:
        _spell_out(kept)
    return kept


def kind(name: str, value: str) -> str:
    found = next((each for each, pattern in KINDS.items() if pattern.fullmatch(name)), OTHERS)
    return SOCKS if found == "proxies" and is_socks(value) else found


def _spell_out(process_env: MutableMapping[str, str]) -> None:
    """Say ALL_PROXY by the names that everybody reads; aiohttp, in the triggerer, has no other."""
    everything = [process_env.pop(name, "") for name in ("all_proxy", "ALL_PROXY")]
    proxy = next(filter(None, everything), "")
    for name in ("http_proxy", "https_proxy"):
        if proxy and not (process_env.get(name) or process_env.get(name.upper())):
            process_env.update({name: proxy, name.upper(): proxy})


def drop_socks(process_environment: MutableMapping[str, str]) -> None:
    """Leave this process without the proxies that requests refuses to use."""
    for name, value in list(process_environment.items()):
        if kind(name, value) == SOCKS:
            del process_environment[name]


def keep_local_calls_away(process_environment: MutableMapping[str, str]) -> None:
    """
    Let this process, and all that it starts, reach this machine directly.

    Otherwise tasks would look for Airflow's API and for the local dbt Cloud beyond the proxy.
    """
    named = process_environment.get("no_proxy") or process_environment.get("NO_PROXY") or ""
    names = [each.strip() for each in named.split(",") if each.strip()]
    around = ",".join(dict.fromkeys([*names, *THIS_MACHINE]))
    process_environment.update(no_proxy=around, NO_PROXY=around)

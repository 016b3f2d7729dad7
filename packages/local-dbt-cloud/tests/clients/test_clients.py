"""
Real clients of dbt Cloud, unmodified, against the local one, over TLS.

Each client has an environment of its own, and its checks run there: see clients.py.
"""

import pytest


def test_client(client, check, report_of):
    """The check, inside the client's own environment, has passed."""
    failure = report_of(client).failure(check)

    if failure is not None:
        pytest.fail(f"{client.title} {client.version}: {failure}", pytrace=False)

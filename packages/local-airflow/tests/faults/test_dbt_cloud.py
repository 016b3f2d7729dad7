"""dbt Cloud itself answers what it should not, for a while."""

import time

import pytest
from lengths import seconds


LENGTH = seconds(20, 120)
FAULTS = {
    "429 with Retry-After": ("rate_limit", {"cool_down_seconds": LENGTH}),
    "429 without Retry-After": (
        "rate_limit",
        {"cool_down_seconds": LENGTH, "retry_after": False},
    ),
    "500": (500, {"times": None}),
    "502 as HTML": ("html", {"times": None}),
    "JSON cut in the middle": ("truncated", {"times": None}),
    "404 for each run": (404, {"times": None, "path": "*/runs/*"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_answers(airport, flight, fault):
    """All forty land, with one run each that counts."""
    kind, details = FAULTS[fault]
    airport.dbt_cloud.fail_next(kind, **details)
    time.sleep(LENGTH)
    airport.dbt_cloud.stop_failing()

    flight.land()


def test_token_revoked_and_restored(airport, flight):
    """All forty land after the token is good again."""
    airport.dbt_cloud.revoke_token()
    time.sleep(LENGTH)
    airport.dbt_cloud.restore_token()

    flight.land()

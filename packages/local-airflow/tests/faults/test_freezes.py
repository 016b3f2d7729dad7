"""One component hears and says nothing for a while, as one does whose machine swaps."""

import os
import signal
import time

import pytest
from lengths import seconds


# Longer for those whose silence others act upon: another takes over what they did.
COMPONENTS = {
    "scheduler": seconds(90, 90),
    "triggerer": seconds(90, 90),
    "local-dbt-cloud": seconds(90, 90),
    "api-server": seconds(20, 90),
    "dag-processor": seconds(20, 90),
    "postgres": seconds(20, 90),
}


@pytest.mark.parametrize("component", COMPONENTS)
def test_frozen_component(airport, flight, component):
    """It goes on where it was, nobody acts twice on one event, and all forty land."""
    group = os.getpgid(airport.pid_of(component))
    os.killpg(group, signal.SIGSTOP)
    try:
        time.sleep(COMPONENTS[component])
        assert not airport.is_healthy()
    finally:
        os.killpg(group, signal.SIGCONT)

    flight.land()

"""One component dies: it is back by itself, and nobody lost or doubled a run."""

import os
import signal
import time

import psutil
import pytest
from flight import wait_for


SECONDS_TO_RETURN = 15
COMPONENTS = (
    "scheduler",
    "triggerer",
    "api-server",
    "dag-processor",
    "local-dbt-cloud",
    "postgres",
)


@pytest.mark.parametrize("component", COMPONENTS)
def test_killed_component_comes_back(airport, flight, component):
    """Killed with forty dag runs in the air, it answers again within 15 s; all forty land."""
    before = airport.pid_of(component)
    os.kill(before, signal.SIGKILL)
    killed = time.monotonic()

    wait_for(lambda: airport.pid_of(component) not in {0, before}, component, SECONDS_TO_RETURN)
    left = SECONDS_TO_RETURN - (time.monotonic() - killed)
    wait_for(airport.is_healthy, f"a healthy {component}", left)

    flight.land()


@pytest.fixture
def real_runs(airport):
    """The same stack, in which dbt itself runs."""
    airport.restart(runs="real")
    yield
    airport.restart(runs="simulated")


def test_killed_dbt(airport, real_runs):
    """A run whose dbt is killed failed on dbt Cloud's side, and is tried again."""
    path = "/api/v2/dags/flight_dbt/dagRuns"
    dag_run = airport.api.post(path, {"logical_date": None})["dag_run_id"]
    dbt = wait_for(lambda: dbt_processes(airport.stack), "dbt", 60)

    os.kill(dbt[0], signal.SIGKILL)

    state = f"{path}/{dag_run}"
    wait_for(lambda: airport.api.get(state)["state"] == "success", "the dag run", 180)
    first, last = airport.dbt_cloud.runs[-2:]
    assert (first.status, last.status) == ("error", "success")
    assert first.cause.partition("]")[0] == last.cause.partition("]")[0]


def dbt_processes(stack):
    """Those that carry out a run: each has its number in its process environment."""
    found = []
    for pid in stack.processes():
        try:
            if "DBT_CLOUD_RUN_ID" in psutil.Process(pid).environ():
                found.append(pid)
        except psutil.Error:
            continue
    return found

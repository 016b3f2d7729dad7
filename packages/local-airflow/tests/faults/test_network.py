"""The network between Airflow and dbt Cloud behaves badly; both are well."""

import time

import pytest
from flight import JOBS
from lengths import seconds
from tcp_proxy import Network


LENGTH = seconds(20, 120)


NETWORKS = {
    "latency of 5 s": Network(latency=5),
    "every third connection reset": Network(reset_every=3),
    "half-open": Network(is_half_open=True),
}


@pytest.mark.sample
def test_cut(airport, flight):
    """Nothing gets through; all forty land, with one run each that counts."""
    airport.proxy.network = Network(is_cut=True)
    time.sleep(LENGTH)
    airport.proxy.network = Network()

    flight.land()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_bad_network(airport, flight, network):
    """All forty land, with one run each that counts."""
    airport.proxy.network = network
    time.sleep(LENGTH)
    airport.proxy.network = Network()

    flight.land()


def test_lost_answers(airport, flight):
    """Every trigger is carried out, and its answer arrives nowhere: the run is found again."""
    airport.dbt_cloud.fail_next(
        "lost_answer", method="POST", path=f"*/jobs/{JOBS['queued']}/run/", times=10
    )
    time.sleep(LENGTH)

    flight.land()

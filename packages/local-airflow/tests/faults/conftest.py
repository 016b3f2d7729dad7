"""One stack for all faults: what a fault leaves behind is part of the test."""

import pytest
from flight import Airport, Flight
from tcp_proxy import Network


@pytest.fixture(scope="session")
def airport(tmp_path_factory):
    airport = Airport(tmp_path_factory.mktemp("airport"))
    yield airport
    airport.close()
    assert airport.stack.processes() == {}


@pytest.fixture
def flight(airport):
    airport.proxy.network = Network()
    return Flight(airport).take_off()

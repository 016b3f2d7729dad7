"""Train: in the environment that has scikit-learn, as the DAG does."""

import json
import math
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[4]
PYTHON = ROOT / ".local/training/bin/python"


def observations(days):
    """Hours in which the wind alone decides: each mile per hour is a minute."""
    return [
        [airport, day, hour, 1 + day % 7, 40.0, wind, 0.0, 10.0, wind]
        for airport in ("EWR", "JFK", "LGA")
        for day in range(1, days + 1)
        for hour in range(6, 22)
        for wind in [10 + 9 * math.sin(day * hour)]
    ]


def train(rows):
    return subprocess.run(
        [PYTHON, "-m", "examples.include.flight_delays.delay_model", "2013-01"],
        input=json.dumps(rows),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def trained():
    return json.loads(train(observations(31)).stdout)


def test_it_learns(trained):
    """Where the wind decides, the model's error is a fraction of that of always the average."""
    metrics = trained["metrics"]

    assert metrics["error_minutes"] < metrics["error_minutes_of_always_the_same"] / 4


def test_it_is_tested_on_days_it_has_not_seen(trained):
    """It learns from 21 days and is tested on the ten behind them."""
    metrics = trained["metrics"]

    assert (metrics["hours_learned"], metrics["hours_tested"]) == (21 * 3 * 16, 10 * 3 * 16)


def test_chart(trained):
    """The chart is an SVG with both lines, and loads nothing from anywhere."""
    chart = trained["chart"]
    ET.fromstring(chart.split("?>", 1)[1])  # noqa: S314 # our own text

    assert "as it came" in chart
    assert "as the model expected" in chart
    assert re.findall(r"(?:href|src)=.https?:", chart) == []


def test_too_little_to_learn_from():
    """Half a month has nothing to test on, and is refused in plain words."""
    done = train(observations(14))

    assert done.returncode != 0
    assert "has 672 hours to learn from and 0 to test on" in done.stderr

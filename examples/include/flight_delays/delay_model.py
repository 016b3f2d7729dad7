"""
Train: how late do flights leave in an hour of this weather?

Runs in `.local/training`, which has scikit-learn and pygal and no Airflow. By hand, with rows of
`observations.py` as JSON:

    .local/training/bin/python -m examples.include.flight_delays.delay_model 2013-01 < rows.json
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import pygal
from pygal.style import CleanStyle
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error


AIRPORTS = ("EWR", "JFK", "LGA")
# Tested on days that come after those it has seen, as it would be used. A random split would
# test it on the hour between two that it knows.
LAST_DAY_TO_LEARN = 21
FEWEST_HOURS = 50


class TooFewHoursError(Exception):
    """There is not enough of the month to learn from and to test on."""


def train(month: str, observations: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Train on the first three weeks of a month, test on the rest; give metrics and a chart."""
    learn = [row for row in observations if row[1] <= LAST_DAY_TO_LEARN]
    test = [row for row in observations if row[1] > LAST_DAY_TO_LEARN]
    if min(len(learn), len(test)) < FEWEST_HOURS:
        raise TooFewHoursError(
            f"{month} has {len(learn)} hours to learn from and {len(test)} to test on, and needs "
            f"{FEWEST_HOURS} of each."
        )
    model = HistGradientBoostingRegressor(max_iter=60, learning_rate=0.05, random_state=0).fit(
        _features(learn), _delays(learn)
    )
    always_the_same = DummyRegressor().fit(_features(learn), _delays(learn))
    expected = model.predict(_features(test)).tolist()
    metrics = {
        "month": month,
        "hours_learned": len(learn),
        "hours_tested": len(test),
        "error_minutes": _error(test, expected),
        "error_minutes_of_always_the_same": _error(
            test, always_the_same.predict(_features(test)).tolist()
        ),
    }
    return {"metrics": metrics, "chart": _chart(month, test, expected)}


def _features(rows: Sequence[Sequence[Any]]) -> list[list[float | None]]:
    return [[AIRPORTS.index(row[0]), *row[2:8]] for row in rows]


def _delays(rows: Sequence[Sequence[Any]]) -> list[float]:
    return [row[8] for row in rows]


def _error(rows: Sequence[Sequence[Any]], expected: Sequence[float]) -> float:
    return round(float(mean_absolute_error(_delays(rows), expected)), 2)


def _chart(month: str, test: Sequence[Sequence[Any]], expected: Sequence[float]) -> str:
    """Draw the average delay of each hour of the day, as it came and as it was expected."""
    hours = sorted({row[2] for row in test})
    chart = pygal.Line(
        title=f"Departure delay by hour, {month}-{LAST_DAY_TO_LEARN + 1} and after",
        x_title="hour of scheduled departure, New York",
        y_title="average minutes",
        style=CleanStyle,
        legend_at_bottom=True,
        js=[],  # otherwise the picture loads a script from a server
        height=420,
    )
    chart.x_labels = [f"{hour}:00" for hour in hours]
    chart.add("as it came", _by_hour(hours, test, _delays(test)))
    chart.add("as the model expected", _by_hour(hours, test, expected))
    return str(chart.render(is_unicode=True))


def _by_hour(
    hours: Sequence[int], rows: Sequence[Sequence[Any]], minutes: Sequence[float]
) -> list[float]:
    averages = []
    for hour in hours:
        of_hour = [value for row, value in zip(rows, minutes, strict=True) if row[2] == hour]
        averages.append(round(sum(of_hour) / len(of_hour), 1))
    return averages


if __name__ == "__main__":
    print(json.dumps(train(sys.argv[1], json.load(sys.stdin))))

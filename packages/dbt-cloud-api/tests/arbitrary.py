"""
What the property tests share: how many examples they try, any JSON, any text.

The examples are the same in every run, so that no change fails by chance. To look for new ones:

    make test-all TESTS=packages/dbt-cloud-api HYPOTHESIS_EXAMPLES=20000
"""

import copy
import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir


EXAMPLES = os.environ.get("HYPOTHESIS_EXAMPLES")

# Its tables of characters, which would else lie at the root.
set_hypothesis_home_dir(Path(__file__).resolve().parents[3] / ".local/hypothesis")
settings.register_profile(
    "repository",
    max_examples=int(EXAMPLES or 200),
    derandomize=not EXAMPLES,
    database=None,
    # How long an example takes says more about what else the machine does.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repository")


def examples(share: float) -> settings:
    """Try a share of the usual number of examples: fewer, where each costs much."""
    return settings(max_examples=max(int(settings().max_examples * share), 1))


# As JSON has them, half a surrogate pair too.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=20),
    st.sampled_from(
        [
            *("model.p.a", "model", "success", "error", "\x1b]0;", "\r", "\ud800", "x" * 5000),
            *("0001-01-01T00:00:00", "9999-12-31T23:59:59", "2026-01-01T00:00:00-23:59", "nan"),
        ]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([-1, 2**63, 10**400, 1e308, float("inf"), float("nan")]),
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.sampled_from(["results", "nodes", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def one_value_replaced(draw, valid, values=JSON):
    """Take something valid, and put another value somewhere into it."""
    content = copy.deepcopy(valid)
    holder, key = draw(st.sampled_from(list(_places(content))))
    holder[key] = draw(values)
    return content


def _places(content):
    """Give every place of JSON as what holds it, and its key there."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in pairs:
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)

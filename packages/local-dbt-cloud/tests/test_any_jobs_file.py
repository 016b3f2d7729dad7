"""Whatever stands in dbt_cloud_jobs.yml: it is read, or it is said what is wrong and where."""

import json
import re
from datetime import UTC, datetime

import pytest
import yaml
from arbitrary import JSON, one_value_replaced
from hypothesis import example, given
from hypothesis import strategies as st
from server_process import JOB, OTHER_JOB, REPOSITORY, declare, job

from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.declared.jobs_file import read_jobs_file
from local_dbt_cloud.wire.cron import check_cron, humanized_cron, next_tick


VALID = declare(
    job(JOB, "Build", "dbt build", custom_environment_variables=[{"DBT_SIZE": "large"}]),
    job(OTHER_JOB, "Test", "dbt test --select tag:daily", description="every day"),
)
OWN = yaml.safe_load((REPOSITORY / "dbt_cloud_jobs.yml").read_text(encoding="utf-8"))
# What means something to YAML, each taken whole.
PIECES = st.sampled_from(
    [
        *(
            "jobs:",
            "local_dbt_cloud:",
            "\n",
            "\n  ",
            " ",
            "- ",
            ": ",
            "[",
            "]",
            "{",
            "}",
            "&a ",
            "*a",
        ),
        *(
            "!!int ",
            "!!float ",
            "!!timestamp ",
            "!!binary ",
            "!!set ",
            "!!python/none ",
            "<<: ",
            "? ",
        ),
        *(
            "2026-13-45",
            "1:60:99",
            "0b",
            "0o9",
            "0x",
            ".inf",
            ".nan",
            "~",
            "'",
            '"',
            "|\n",
            "---\n",
        ),
        *('"\\ud800"', '"\\0"', "%YAML 9.9\n", "\t", "\0", "\ufeff", "id", "x", "7", "9" * 5000),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=2), max_size=15).map("".join)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Read a text as a file; give what it declares, or the words in which it is refused."""
    path = tmp_path_factory.mktemp("any") / "dbt_cloud_jobs.yml"

    def read(text):
        path.write_bytes(text.encode(errors="surrogatepass"))
        try:
            return read_jobs_file(path)
        except UserError as refused:
            return refused

    return read


@given(TEXTS | JSON.map(json.dumps))
@example("a: 2026-13-45")
@example("a: !!timestamp x")
@example("a: !!int x")
@example("[" * 5000)
@example("a: " + "9" * 5000)
@example("&a [*a]")
@example("&a {jobs: *a, local_dbt_cloud: *a}")
def test_any_text(read, text):
    """What is no declaration is refused with the place where it stops being one."""
    refused = read(text)

    assert isinstance(refused, UserError)
    place = r"line \d+, column \d+|position \d+|the file: |local_dbt_cloud: |jobs: "
    assert re.search(place, refused.cause), refused.cause


@given(one_value_replaced(VALID) | one_value_replaced(OWN))
def test_one_value_replaced(read, content):
    """A file with one other value is read, or the place of that value is named."""
    answer = read(json.dumps(content))  # which is YAML as well

    if isinstance(answer, UserError):
        place = r"^(jobs|local_dbt_cloud|id \d+ is given|environment ')|line \d+, column \d+"
        assert re.search(place, answer.cause)
        str(answer).encode()
    else:
        assert set(content["jobs"]) == set(answer.jobs)


@pytest.mark.parametrize("key", ["jobs", f"job_{OTHER_JOB}", "execute_steps", "run_slots"])
def test_a_key_twice(read, key):
    """A key that stands there twice is refused: the first of the two would silently be gone."""
    text = yaml.safe_dump(VALID, sort_keys=False)
    line = re.search(rf"^ *{key}:", text, re.MULTILINE)[0]
    refused = read(text.replace(line, f"{line} 1\n{line}", 1))

    assert isinstance(refused, UserError)
    assert re.search(rf"{key} stands there twice .*line \d+, column \d+", refused.cause)


def test_what_yaml_may_repeat(read):
    """A key of what is merged in by `<<` may be said anew, as YAML means it."""
    text = yaml.safe_dump(VALID).replace("settings:", "settings: &settings", 1)
    head, settings, rest = text.rpartition("settings:\n")
    merged = f"{head}settings:\n      <<: *settings\n{rest}"

    assert settings
    assert read(merged) == read(yaml.safe_dump(VALID))


FIELD = st.one_of(
    st.sampled_from(
        ["*", "L", "LW", "5L", "1#2", "MON", "mon-fri", "*/5", "0", "31", "1-5/2", "?"]
    ),
    st.text("0123456789*/,-#LW?²٣", min_size=1, max_size=6),
)


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join) | st.text(max_size=20))
@example("0 0 ² * *")
@example("0 0 31 2 *")
@example("*/99999999999 * * * *")
def test_any_cron(text):
    """An expression that is taken has a next time and can be said in words."""
    try:
        check_cron(text)
    except ValueError:
        return
    assert next_tick(text, datetime(2026, 1, 1, tzinfo=UTC)).tzinfo is not None
    assert humanized_cron(text)

"""Whatever is written into `.env` by `make setup`: it is read back, and all else stays."""

import pytest
from arbitrary import TEXTS
from hypothesis import example, given
from hypothesis import strategies as st

from dbt_cloud_api.dotenv_file import lines_of, parse_lines
from dbt_cloud_api.user_error import UserError
from local_airflow.setup.env_file import with_settings


KEYS = ("DBT_CLOUD_JOB_URL", "DBT_CLOUD_API_TOKEN", "DBT_CLOUD_HOST", "MODE")
CHANGES = st.dictionaries(
    st.sampled_from(KEYS),
    TEXTS | st.text(st.characters(min_codepoint=33, max_codepoint=126)) | st.just(""),
)
COMMENTS = st.text(st.characters(codec="utf-8", exclude_characters="\n")).map("# {}".format)


@st.composite
def dotenv_files(draw):
    """Some of the settings, in any order, with comments and empty lines between them."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    lines = [f"{key}={draw(st.sampled_from(['', 'x', 'a=b']))}" for key in keys]
    for comment in draw(st.lists(COMMENTS | st.just(""), max_size=3)):
        lines.insert(draw(st.integers(0, len(lines))), comment)
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))


def read(text):
    return parse_lines(lines_of(text), ".env")


def comments(text):
    return [line for line in lines_of(text) if not line or line.startswith("#")]


@given(dotenv_files(), CHANGES)
@example("# what was\u2028MODE=docker\n", {"MODE": "native"})
@example("# what was\x0cMODE=docker\n", {"MODE": "native"})
@example("", {"DBT_CLOUD_API_TOKEN": "a\nMODE=docker"})
@example("", {"DBT_CLOUD_API_TOKEN": "a$b"})
def test_what_is_written_is_read_back(text, changes):
    """After a change `.env` says what it said and the change, or nothing is changed at all."""
    try:
        written = with_settings(text, changes)
    except UserError:
        with pytest.raises(UserError):
            parse_lines([f"{key}={value}" for key, value in changes.items()], ".env")
        return
    before = read(text)
    new = {key: value for key, value in changes.items() if value or key in before}

    assert read(written) == before | new
    assert comments(written) == comments(text)

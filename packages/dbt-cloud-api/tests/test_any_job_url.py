"""Whatever is pasted as an address: one that reads back as itself, or a refusal."""

import re

from arbitrary import TEXTS
from hypothesis import example, given
from hypothesis import strategies as st

from dbt_cloud_api.connection_settings import connection_from
from dbt_cloud_api.job_url import Address, JobUrl, bare_host, parse_job_url, read_address
from dbt_cloud_api.user_error import UserError


IDS = st.integers(1, 2**63 - 1)
PORTS = st.integers(0, 65535).map(":{}".format)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOSTS = st.builds(
    "{}{}".format, st.lists(NAMES, min_size=1, max_size=4).map(".".join), st.just("") | PORTS
)
ADDRESSES = st.builds(Address, HOSTS, IDS, IDS, IDS)
PARTS = ("https://", "//", "/", "@", ":", "[", "]", "#", "?", "%2f", "x.dbt.com", "ACCOUNTS", "v2")
PAGES = ("deploy/", "accounts/", "projects/", "jobs/", "runs/", "1", "٣", "²", "9" * 19, "9" * 5000)
PASTED = st.one_of(
    TEXTS,
    st.lists(st.sampled_from(PARTS + PAGES) | st.text(max_size=2), max_size=12).map("".join),
    st.builds(lambda address, text: address.job_url() + text, ADDRESSES, TEXTS),
)


@given(ADDRESSES | st.builds(Address, HOSTS, IDS, st.none(), IDS))
def test_an_address_reads_back_as_itself(address):
    """What is written into `.env` is what was chosen, with a project or without."""
    assert read_address(address.job_url()) == address


def answer(read, text):
    """Give what it reads, None where it refuses; any other exception is the test's."""
    try:
        return read(text)
    except UserError:
        return None


@given(PASTED)
@example("https://[")
@example("https://x.dbt.com\uff0fdeploy/1/jobs/2")
@example("x.dbt.com/deploy/٣/projects/2/jobs/٣")
@example(f"x.dbt.com/deploy/1/projects/2/jobs/{'9' * 5000}")
@example(f"x.dbt.com/deploy/1/projects/2/jobs/{2**63}")
@example("x.dbt.com/deploy/0/projects/0/jobs/0")
def test_anything_pasted(text):
    """It is refused, or an address with ids that dbt Cloud may have, which reads back as itself."""
    found, job = answer(read_address, text), answer(parse_job_url, text)

    assert answer(bare_host, text) == (found and found.host)
    if found is None:
        assert job is None
        return
    assert re.fullmatch(r"[a-z0-9.-]+(:[0-9]+)?", found.host)
    ids = {found.account_id, found.project_id, found.job_id} - {None}
    assert all(0 < each < 2**63 for each in ids)
    assert read_address(found.job_url()) == found
    if found.account_id and found.job_id:
        assert job == JobUrl(found.host, found.account_id, found.job_id, found.project_id)
    else:
        assert job is None


@given(st.builds(lambda address, text: address.job_url() + text, ADDRESSES, TEXTS))
@example("https://x.dbt.com/deploy/1/projects/2/jobs/3?from=https://y.dbt.com")
def test_the_scheme_may_be_left_out(text):
    """An address means the same without https:// in front of it, whatever stands behind it."""
    whole = answer(read_address, text)

    assert whole is not None
    assert answer(read_address, text.removeprefix("https://")) == whole


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("DBT_CLOUD_JOB_URL", "DBT_CLOUD_API_TOKEN", "DBT_CLOUD_HOST"),
                *("DBT_CLOUD_ACCOUNT_ID", "DBT_CLOUD_JOB_ID"),
            ]
        ),
        PASTED | st.sampled_from([str(2**63), "9" * 5000, "٣", "0", "7"]),
    )
)
@example(
    {"DBT_CLOUD_API_TOKEN": "t", "DBT_CLOUD_HOST": "x.dbt.com", "DBT_CLOUD_JOB_ID": "9" * 5000}
)
def test_any_settings(settings):
    """Whatever the five settings say, there is a connection with ids of 64 bits, or a refusal."""
    connection = answer(connection_from, settings)

    if connection is not None:
        assert 0 < connection.account_id < 2**63
        assert 0 < connection.job_id < 2**63

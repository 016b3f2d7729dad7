"""
`make doctor` before an account that refuses: the local dbt Cloud, told to behave like one.

What it cannot be told, such as a permission set, is in tests/include/dbt_cloud/test_preflight.py.
"""

import json

import pytest
from native_stack import Stack


ACCOUNT = "dbt Cloud from this machine"
# An address without a project leaves two steps out.
PASSED = {"ok", "warning", "skipped"}


@pytest.fixture
def doctor(tmp_path, dbt_cloud):
    """Run the doctor of a clone in which nothing runs, whose account is that dbt Cloud."""
    stack, account = Stack(tmp_path), dbt_cloud.connection

    def examine(account_id=account.account_id, job_id=account.job_id):
        stack.write(
            f"DBT_CLOUD_JOB_URL=https://{account.host}/deploy/{account_id}/jobs/{job_id}",
            f"DBT_CLOUD_API_TOKEN={account.token}",
            f"EXTRA_CA_FILE={account.ca_bundle}",
        )
        done = stack.make("doctor", "--format", "json")
        assert account.token not in done.stdout + done.stderr
        (area,) = [a for a in json.loads(done.stdout)["areas"] if a["title"].startswith(ACCOUNT)]
        return {each["name"]: each for each in area["findings"]}, done.returncode

    return examine


def refused(examined, step):
    """The finding of the step that is red; what comes before it is green, what after it is not."""
    findings, code = examined
    levels = [(name, each["level"]) for name, each in findings.items()]
    reds = [name for name, level in levels if level == "error"]
    assert (reds, code) == ([step], 1), findings
    assert {level for _, level in levels[: levels.index((step, "error"))]} <= PASSED
    assert findings[step]["cause"]
    assert findings[step]["remedies"]
    return findings[step]


class TestRefusals:
    def test_token_that_was_deleted(self, doctor, dbt_cloud):
        """401, with the words of the API: a new token, and who can make one."""
        dbt_cloud.revoke_token()
        red = refused(doctor(), "token")

        assert "does not know this token" in red["found"]
        assert "Invalid token" in red["cause"]
        assert "Job Admin" in red["ask"]

    def test_account_of_somebody_else(self, doctor, dbt_cloud):
        """An account that the token is not for: the one that it is for is named."""
        red = refused(doctor(account_id=7), "account")

        assert red["found"] == "the token is for another account"
        assert str(dbt_cloud.connection.account_id) in red["remedies"][0]

    def test_job_that_is_not_there(self, doctor):
        """404 of the job: the jobs that are there are named."""
        red = refused(doctor(job_id=7), "job")

        assert "there is no job 7" in red["found"]
        assert "Build flights" in " ".join(red["remedies"])

    @pytest.mark.parametrize(
        ("what", "step", "words"),
        [
            ("rate_limit", "token", "asked dbt Cloud too often"),
            (503, "token", "in trouble: it answers 503"),
            ("html", "token", "in trouble: it answers 502"),
            ("reset", "answer", "takes the connection and then does not answer"),
        ],
    )
    def test_bad_days(self, doctor, dbt_cloud, what, step, words):
        """A rate limit, trouble, a load balancer's page and a cut connection are told apart."""
        dbt_cloud.fail_next(what, times=None)
        red = refused(doctor(), step)

        assert words in red["found"]

    def test_late_is_not_never(self, doctor, dbt_cloud):
        """An answer that comes late is an answer: nothing is red."""
        dbt_cloud.fail_next("slow", path="*/accounts/*", delay_seconds=0.8)
        findings, code = doctor()

        assert code == 0
        assert findings["trigger"]["level"] == "ok"
        assert findings["TLS"]["found"].endswith("trusted by the system or EXTRA_CA_FILE")

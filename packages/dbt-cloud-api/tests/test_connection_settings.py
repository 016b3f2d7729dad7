import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dbt_cloud_api.connection_settings import (
    LOCAL_ACCOUNT_ID,
    LOCAL_JOB_ID,
    DbtCloudConnection,
    connection_from,
)
from dbt_cloud_api.user_error import UserError


SOURCES = Path(__file__).parents[1] / "src"
LOCAL = {"LOCAL_DBT_CLOUD_URL": "https://localhost:8443", "LOCAL_DBT_CLOUD_TOKEN": "local"}
JOB_URL = "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3"
ACCOUNT = {"DBT_CLOUD_JOB_URL": JOB_URL, "DBT_CLOUD_API_TOKEN": "dbtc_secret"}


class TestLocal:
    def test_empty_token_means_local(self):
        """With `.env` as it is copied, the connection is the local account and its sample job."""
        connection = connection_from({**LOCAL, "DBT_CLOUD_JOB_URL": "", "DBT_CLOUD_API_TOKEN": ""})

        assert connection == DbtCloudConnection(
            "localhost:8443", LOCAL_ACCOUNT_ID, LOCAL_JOB_ID, "local", is_local=True
        )

    def test_ids_are_those_of_the_jobs_file(self):
        """dbt_cloud_jobs.yml declares the sample job under the id that the connection names."""
        declared = yaml.safe_load(Path("dbt_cloud_jobs.yml").read_text(encoding="utf-8"))

        names = {job["linked_id"]: job["name"] for job in declared["jobs"].values()}
        accounts = {job["account_id"] for job in declared["jobs"].values()}

        assert names[LOCAL_JOB_ID] == "Build flights"
        assert accounts == {LOCAL_ACCOUNT_ID}

    def test_another_local_job_can_be_pasted(self):
        """The address of another job of the local dbt Cloud needs no token."""
        pasted = f"https://localhost:8443/deploy/{LOCAL_ACCOUNT_ID}/projects/1/jobs/77"

        assert connection_from({**LOCAL, "DBT_CLOUD_JOB_URL": pasted}).job_id == 77

    def test_address_from_the_browser_is_the_same_server(self):
        """In containers the browser's localhost is Airflow's local-dbt-cloud."""
        settings = {
            "LOCAL_DBT_CLOUD_URL": "https://local-dbt-cloud:8443",
            "LOCAL_DBT_CLOUD_PUBLIC_URL": "https://localhost:18443",
            "LOCAL_DBT_CLOUD_TOKEN": "local",
            "DBT_CLOUD_JOB_URL": (
                f"https://localhost:18443/deploy/{LOCAL_ACCOUNT_ID}/projects/1/jobs/77"
            ),
        }

        connection = connection_from(settings)

        assert (connection.host, connection.job_id) == ("local-dbt-cloud:8443", 77)

    def test_foreign_job_without_token_is_refused(self):
        """A job of a real account without a token is never run locally instead."""
        with pytest.raises(UserError, match="no token for it"):
            connection_from({**LOCAL, "DBT_CLOUD_JOB_URL": JOB_URL})

    def test_without_any_dbt_cloud_is_refused(self):
        """With neither a token nor a local dbt Cloud, the message says how to get either."""
        with pytest.raises(UserError, match="make up"):
            connection_from({})


class TestAccount:
    def test_job_url_and_token_are_enough(self):
        """Two settings decide host, account, job and token."""
        assert connection_from({**LOCAL, **ACCOUNT}) == DbtCloudConnection(
            "ab123.us1.dbt.com", 1, 3, "dbtc_secret", is_local=False
        )

    def test_overrides_win(self):
        """DBT_CLOUD_HOST, _ACCOUNT_ID and _JOB_ID win over what the address says."""
        connection = connection_from(
            {
                **ACCOUNT,
                "DBT_CLOUD_HOST": "https://emea.dbt.com/",
                "DBT_CLOUD_ACCOUNT_ID": "11",
                "DBT_CLOUD_JOB_ID": "33",
            }
        )

        assert (connection.host, connection.account_id, connection.job_id) == (
            "emea.dbt.com",
            11,
            33,
        )

    def test_parts_replace_the_address(self):
        """Host, account and job work without an address."""
        connection = connection_from(
            {
                "DBT_CLOUD_API_TOKEN": "t",
                "DBT_CLOUD_HOST": "emea.dbt.com",
                "DBT_CLOUD_ACCOUNT_ID": "11",
                "DBT_CLOUD_JOB_ID": "33",
            }
        )

        assert connection.job_id == 33

    def test_token_without_job_is_refused(self):
        """A token alone is refused, and the message names what is empty."""
        with pytest.raises(UserError, match="DBT_CLOUD_HOST, DBT_CLOUD_ACCOUNT_ID"):
            connection_from({"DBT_CLOUD_API_TOKEN": "t"})

    @pytest.mark.parametrize("number", ["0", "-1", "12a", "٣"])
    def test_wrong_number_is_refused(self, number):
        """An id that is no positive number is refused by its setting's name."""
        with pytest.raises(UserError, match="DBT_CLOUD_JOB_ID"):
            connection_from({**ACCOUNT, "DBT_CLOUD_JOB_ID": number})

    def test_token_with_a_blank_is_refused(self):
        """A token with a blank in it is refused, and the message does not repeat it."""
        with pytest.raises(UserError) as refused:
            connection_from({**ACCOUNT, "DBT_CLOUD_API_TOKEN": "dbtc_a dbtc_b"})

        assert "dbtc_a" not in str(refused.value)


class TestFields:
    def test_login_is_text_and_the_job_is_in_the_extra(self):
        """Airflow calls a connection whose login is a number "not defined", so it is text."""
        fields = connection_from(ACCOUNT).fields()

        assert fields["login"] == "1"
        assert json.loads(fields["extra"]) == {"job_id": 3, "is_local": False}


class TestCommand:
    def run(self, *arguments, **settings):
        return subprocess.run(
            [sys.executable, "-S", "-m", "dbt_cloud_api.connection_settings", *arguments],
            env={**settings, "PYTHONPATH": str(SOURCES)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def test_masks_the_token(self):
        """Without site-packages the command prints the connection as JSON, the token masked."""
        done = self.run(**ACCOUNT)

        assert json.loads(done.stdout)["token"] == "***"
        assert "dbtc_secret" not in done.stdout + done.stderr

    def test_reveals_on_request(self):
        """With --reveal the token is in the output."""
        assert json.loads(self.run("--reveal", **ACCOUNT).stdout)["token"] == "dbtc_secret"

    def test_refuses_in_three_parts(self):
        """A wrong setting ends with exit code 1, three parts on stderr and no traceback."""
        done = self.run(DBT_CLOUD_API_TOKEN="t")

        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("error: DBT_CLOUD_API_TOKEN is set")
        assert "→" in done.stderr
        assert "Traceback" not in done.stderr

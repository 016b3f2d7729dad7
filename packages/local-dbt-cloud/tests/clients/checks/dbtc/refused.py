"""What dbtc can ask and this server does not answer: 501, and never a fake success."""

import inspect
import re
from pathlib import Path

import pytest
from dbtc import dbtCloudClient
from dbtc.client.admin import _AdminClient


USED = re.findall(
    r"cloud\.(\w+)\(",
    "".join(Path(__file__).with_name(name).read_text() for name in ("reading.py", "writing.py")),
)
METHODS = {
    name: inspect.unwrap(member)
    for name, member in inspect.getmembers(_AdminClient, inspect.isfunction)
    # `full_url` asks nothing; the other one cannot be called: it hands `requests` an unknown word.
    if not name.startswith("_") and name not in {"full_url", "delete_user_group"}
}


@pytest.mark.parametrize("name", sorted(METHODS.keys() - set(USED)))
def test_refused(dbt_cloud, name):
    """Every method that is not tried elsewhere is answered with 501, and named."""
    cloud = dbtCloudClient(service_token=dbt_cloud.token, host=dbt_cloud.host).cloud
    known = {"account_id": dbt_cloud.account, "project_id": dbt_cloud.project, "payload": {}}
    parameters = list(inspect.signature(METHODS[name]).parameters.values())[1:]
    wanted = [each.name for each in parameters if each.default is each.empty]
    answer = getattr(cloud, name)(**{each: known.get(each, 1) for each in wanted})

    assert answer["status"]["code"] == 501
    assert "is not implemented by the local dbt Cloud" in answer["status"]["user_message"]

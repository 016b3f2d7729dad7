"""What is listed and what is read are the same thing, and so are the two versions of a path."""

import pytest


@pytest.fixture
def ask(dbt_cloud):
    """The data of an answer that must be a success."""
    account_id = dbt_cloud.connection.account_id

    def ask(method, path, body=None):
        version, _, rest = path.partition("/")
        path = f"/api/{version}/accounts/{account_id}/{rest}"
        return dbt_cloud.server.ask(method, path, body)["data"]

    return ask


@pytest.fixture
def project_id(ask):
    return ask("GET", "v3/projects/")[0]["id"]


@pytest.mark.parametrize(
    "collection",
    [
        "v2/projects/",
        "v2/environments/",
        "v2/jobs/",
        "v2/repositories/",
        "v2/users/",
        "v3/projects/",
        "v3/connections/",
        "v3/projects/{project_id}/environments/",
        "v3/projects/{project_id}/connections/",
        "v3/projects/{project_id}/credentials/",
        "v3/projects/{project_id}/repositories/",
    ],
)
def test_listed_and_read(ask, project_id, collection):
    """What an item of a list says is what it says when it is read alone."""
    path = collection.format(project_id=project_id)
    listed = ask("GET", path)
    read = [ask("GET", f"{path}{each['id']}/") for each in listed]

    assert listed
    for shown, whole in zip(listed, read, strict=True):
        # An account's connection is listed with counts and read with its configuration.
        both = shown.keys() & whole.keys()
        assert {"id", "account_id"} <= both or collection == "v2/users/"
        assert {key: shown[key] for key in both} == {key: whole[key] for key in both}


def test_a_project_by_the_older_paths(ask):
    """Made, replaced and deleted under v2, seen under v3."""
    made = ask("POST", "v2/projects/", {"name": "One"})
    seen = ask("GET", f"v3/projects/{made['id']}/")
    replaced = ask("POST", f"v2/projects/{made['id']}/", {"name": "Two"})
    deleted = ask("DELETE", f"v2/projects/{made['id']}/")

    assert made == seen
    assert replaced["name"] == "Two"
    assert (deleted["id"], deleted["state"]) == (made["id"], 2)
    assert made["id"] not in [each["id"] for each in ask("GET", "v3/projects/")]

"""However the ids in dbt_cloud_jobs.yml are written: the same jobs go to the account."""

from copy import deepcopy
from pathlib import Path

from arbitrary import examples
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from local_airflow.jobs_as_code.jobs_file import JobsFile, Place
from local_airflow.jobs_as_code.places import Places
from local_airflow.jobs_as_code.translation import for_account, free_id


OWN = Path(__file__).parents[3] / "dbt_cloud_jobs.yml"
CONTENT = YAML(typ="safe").load(OWN)
IDS = {"linked_id", "account_id", "project_id", "environment_id", "id"}


def read(content):
    """Give what an account gets whose own ids are other ones, and the next id that is free."""
    file = JobsFile(OWN, content)
    theirs = {
        (each.project_id, each.environment_id): Place(8, 9, each.project, each.environment)
        for each in file.places()
    }
    return for_account(file, Places(theirs), 7, {}), free_id(file)


@examples(0.25)
@given(st.randoms(use_true_random=False))
def test_ids_in_quotes(random):
    """An id may stand in quotes, in a job, in what it belongs to, or in both."""
    content = deepcopy(CONTENT)
    left = [content]
    while left:
        held = left.pop()
        for key, value in held.items() if isinstance(held, dict) else enumerate(held):
            if isinstance(value, dict | list):
                left.append(value)
            elif key in IDS and random.random() < 0.5:
                held[key] = str(value)

    assert read(content) == read(CONTENT)

"""What a job is where nobody says more."""

import pytest

from dbt_cloud_api.job_model import derive_job_type, may_become, ticked_steps


@pytest.mark.parametrize(
    ("wanted", "triggers", "derived"),
    [
        (None, {}, "other"),
        ("scheduled", {"schedule": False}, "other"),
        ("other", {"schedule": True}, "scheduled"),
        (None, {"github_webhook": True}, "ci"),
        (None, {"git_provider_webhook": True, "schedule": True}, "ci"),
        (None, {"on_merge": True}, "merge"),
        ("merge", {"schedule": True}, "merge"),
        ("exposure_sync", {}, "exposure_sync"),
    ],
)
def test_type(wanted, triggers, derived):
    """`scheduled` and `other` follow the triggers; the other types are what the client says."""
    assert derive_job_type(wanted, triggers) == derived


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ("ci", "ci", True),
        ("ci", "other", False),
        ("other", "ci", False),
        ("adaptive", "ci", False),
        ("other", "merge", True),
    ],
)
def test_change_of_type(before, after, may):
    """No job of continuous integration becomes another, and none becomes one."""
    assert may_become(before, after) is may


def test_ticked_steps():
    """The steps that stand in the settings instead of among the commands, in their order."""
    assert ticked_steps({"generate_docs": True, "run_generate_sources": True}) == [
        "source freshness",
        "docs",
    ]
    assert ticked_steps({"generate_docs": False}) == []

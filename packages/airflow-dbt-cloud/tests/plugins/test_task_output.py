"""What of Airflow's own the plugin relies on; what comes of it is in `make test-security`."""

import os
import subprocess
import sys

import attrs
import pytest
from airflow.sdk.execution_time.callback_supervisor import CallbackSubprocess
from airflow.sdk.execution_time.supervisor import ActivitySubprocess


@pytest.mark.parametrize("supervisor", [ActivitySubprocess, CallbackSubprocess])
def test_airflow_decides_by_this_attribute(supervisor):
    """The attribute that says whether a task's output is copied is still there."""
    assert "subprocess_logs_to_stdout" in attrs.fields_dict(supervisor)


@pytest.mark.parametrize(("setting", "copies"), [("False", "False"), ("True", "True")])
def test_follows_the_setting(setting, copies):
    """Without the setting Airflow stays as it is; with it nothing that asks for a copy gets one."""
    program = (
        "import airflow_dbt_cloud.plugins.task_output\n"
        "from airflow.sdk.execution_time.supervisor import ActivitySubprocess as Supervisor\n"
        "supervisor = Supervisor.__new__(Supervisor)\n"
        "supervisor.subprocess_logs_to_stdout = True\n"
        "print(supervisor.subprocess_logs_to_stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "AIRFLOW__DBT_CLOUD__COPY_TASK_OUTPUT": setting},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split()[-1] == copies

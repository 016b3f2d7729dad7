"""A state that an older version has written."""

import sqlite3
from contextlib import closing

from server_process import JOB, declare, job


JOBS_OF_THE_FIRST_VERSION = """
    create table jobs (
        id bigint primary key, project_id bigint not null, environment_id bigint not null,
        name varchar not null, state integer not null, created_at datetime not null,
        updated_at datetime not null, declared boolean not null, definition json not null
    )
"""


def test_jobs_of_the_first_version_are_declared_anew(make_server):
    """Its table of jobs is made anew from dbt_cloud_jobs.yml, and the server answers."""
    server = make_server(declare(job(JOB, "Build", "dbt build")))
    state = server.folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(state / "dbt_cloud.sqlite")) as old:
        old.execute(JOBS_OF_THE_FIRST_VERSION)
    server.start()
    try:
        names = [each["name"] for each in server.get("v2/jobs/")]
    finally:
        server.stop()

    assert names == ["Build"]

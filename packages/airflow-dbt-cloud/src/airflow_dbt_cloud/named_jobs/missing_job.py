"""
Create a job that is missing, once, however many tasks notice it at the same time.

dbt Cloud allows two jobs of one name and has no request that creates one only if there is none. So
the request is never repeated without a look, and after it everybody looks again and takes the job
with the lowest number. Whoever made a later one deletes it: it is his own, and nobody has run it.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_dbt_cloud.calls.api_errors import CredentialsRefusedError, DbtCloudApiError
from airflow_dbt_cloud.calls.job_names import (
    JobNames,
    JobPlace,
    JobsApi,
    Resource,
    TaskConfigurationError,
    find_place,
    jobs_called,
    several,
)
from airflow_dbt_cloud.failure import CREDENTIALS
from airflow_dbt_cloud.named_jobs.jobs_file_entry import declared_body


# How long a job may take to appear whose creation was not answered, in steps.
PAUSES_UNTIL_LISTED = (1.0, 2.0, 4.0, 8.0, 15.0)
# How long another task, which has made one too many, may take to delete it.
SECONDS_TO_TIDY_UP = 3.0
MOST_CREATIONS = 2


class JobCreationLostError(Exception):
    """dbt Cloud never answered, and no job of the name has appeared."""


@dataclass(frozen=True, slots=True)
class MissingJob:
    """A job that is to be there afterwards. `sleep` raises when the task is told to stop."""

    api: JobsApi
    names: JobNames
    log: logging.Logger
    sleep: Callable[[float], object] = time.sleep

    def settle(self) -> Resource:
        """Give the one job of these names, made now if there was none."""
        place = find_place(self.api, self.names)
        jobs = self._listed(place)
        if len(jobs) > 1:
            # Perhaps two tasks have just created it, and one of them is about to tidy up.
            self.sleep(SECONDS_TO_TIDY_UP)
            jobs = self._listed(place)
        if len(jobs) > 1:
            raise several(self.api, self.names, jobs)
        return jobs[0] if jobs else self._create(place)

    def _create(self, place: JobPlace) -> Resource:
        body = json.dumps(declared_body(self.names, self.api.account_id, place))
        for _ in range(MOST_CREATIONS):
            try:
                own = self.api.create(body)
            except CredentialsRefusedError as error:
                raise self._not_allowed(error) from error
            except DbtCloudApiError as error:
                if not error.may_have_acted:
                    raise
                self.log.warning("%s. Looking for the job that it may have created.", error)
                found = self._wait_until_listed(place)
                if found is not None:
                    return found
            else:
                self.log.info(
                    "Created dbt Cloud job %s from dbt_cloud_jobs.yml: %s",
                    own["id"],
                    self.api.url(own),
                )
                return self._first_of_all(place, own)
        raise JobCreationLostError(
            f"dbt Cloud answered none of {MOST_CREATIONS} requests to create job {self.names}, "
            "and no such job has appeared."
        )

    def _first_of_all(self, place: JobPlace, own: Resource) -> Resource:
        """Look again: another task may have done the same at the same time."""
        first = next(iter(self._listed(place)), own)
        if first["id"] >= own["id"]:
            return own
        self.log.info(
            "Job %s is older: another task has created it at the same time. Deleting %s, which "
            "nobody has run.",
            first["id"],
            own["id"],
        )
        try:
            self.api.delete(own["id"])
        except DbtCloudApiError as error:
            self.log.warning("%s. Delete it by hand: %s", error, self.api.url(own))
        return first

    def _wait_until_listed(self, place: JobPlace) -> Resource | None:
        for pause in PAUSES_UNTIL_LISTED:
            self.sleep(pause)
            jobs = self._listed(place)
            if jobs:
                return jobs[0]
        return None

    def _listed(self, place: JobPlace) -> list[Resource]:
        return jobs_called(self.api, place, self.names.job)

    def _not_allowed(self, error: DbtCloudApiError) -> TaskConfigurationError:
        return TaskConfigurationError(
            f"There is no dbt Cloud job {self.names}, and the token may not create one.",
            str(error),
            "put a token with the permission Job Admin into the Airflow connection, or create the "
            "job once with `make jobs-sync`; then Clear this task",
            CREDENTIALS,
        )

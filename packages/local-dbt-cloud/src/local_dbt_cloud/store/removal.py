"""Deletes a resource together with what cannot be without it."""

from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.store.store import Store


def remove_project(store: Store, project: Resource) -> Resource:
    for environment in store.environments.active(project_id=project.id):
        remove_environment(store, environment)
    for kind in (
        store.jobs,
        store.connections,
        store.credentials,
        store.repositories,
        store.adapters,
        store.environment_variables,
    ):
        kind.delete(each.id for each in kind.active(project_id=project.id))
    return store.projects.delete_one(project.id)


def remove_environment(store: Store, environment: Resource) -> Resource:
    """The docs say so: its jobs go with it."""
    for job in store.jobs.active(environment_id=environment.id):
        remove_job(store, job.id)
    variables = store.environment_variables
    variables.delete(each.id for each in variables.active(environment_id=environment.id))
    return store.environments.delete_one(environment.id)


def remove_job(store: Store, job_id: int) -> Resource:
    variables = store.environment_variables
    variables.delete(each.id for each in variables.active(job_definition_id=job_id))
    return store.jobs.delete_one(job_id)

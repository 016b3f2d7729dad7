"""What a route may ask for. Each finds the thing or refuses in dbt Cloud's words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.runs.new_runs import NewRuns
from local_dbt_cloud.runs.run_queue import RunQueue
from local_dbt_cloud.runs.schedules import Scheduler
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.simulation.simulation import Controls
from local_dbt_cloud.store.resource_store import Resource
from local_dbt_cloud.store.store import ACTIVE_STATE, Job, Run, Store
from local_dbt_cloud.views.run_views import RunViews
from local_dbt_cloud.webhooks.webhook_delivery import WebhookDelivery
from local_dbt_cloud.wire.errors import NotFoundError, OtherAccountError
from local_dbt_cloud.wire.page_keys import PageKeys


ACCOUNT_V2 = "/api/v2/accounts/{account_id}"
ACCOUNT_V3 = "/api/v3/accounts/{account_id}"

Id = Annotated[int, Path(ge=0, lt=2**63)]


Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that lives as long as the server does."""

    settings: ServerSettings
    account: Account
    store: Store
    queue: RunQueue
    views: RunViews
    webhooks: WebhookDelivery
    new_runs: NewRuns
    scheduler: Scheduler
    controls: Controls
    page_keys: PageKeys
    redeclare: Callable[[], None]


class BothSlashForms(APIRouter):
    """
    Routes each path with and without a slash at its end, directly.

    dbt Cloud does, and clients depend on it that do not follow redirects, or that turn a
    redirected POST into a GET.
    """

    def api_route(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        def register(endpoint: Endpoint) -> Endpoint:
            forms = dict.fromkeys((path, path.removesuffix("/")))
            for form in filter(lambda form: self.prefix + form, forms):
                self.add_api_route(form, endpoint, response_class=Response, **options)
            return endpoint

        return register

    def get(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.api_route(path, methods=["GET"], **options)

    def post(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.api_route(path, methods=["POST"], **options)

    def put(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.api_route(path, methods=["PUT"], **options)

    def patch(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.api_route(path, methods=["PATCH"], **options)

    def delete(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self.api_route(path, methods=["DELETE"], **options)


def find_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(find_services)]


def find_account(account_id: Id, services: ServicesDep) -> Account:
    if account_id != services.account.id:
        raise OtherAccountError
    return services.account


AccountDep = Annotated[Account, Depends(find_account)]


def find_project(project_id: Id, account: AccountDep) -> Resource:
    return found(account.store.projects.find_active(project_id))


ProjectDep = Annotated[Resource, Depends(find_project)]


def find_environment(environment_id: Id, account: AccountDep) -> Resource:
    return found(account.store.environments.find_active(environment_id))


EnvironmentDep = Annotated[Resource, Depends(find_environment)]


def found(resource: Resource | None, project: Resource | None = None) -> Resource:
    """The resource, when there is one and, if it matters, when it is of the project."""
    if resource is None or (project and resource["project_id"] != project.id):
        raise NotFoundError
    return resource


def find_job(job_id: Id, account: AccountDep, services: ServicesDep) -> Job:  # noqa: ARG001 - the account is asked for so that another one is refused
    job = services.store.find_job(job_id)
    if job is None or job.state != ACTIVE_STATE:
        raise NotFoundError
    return job


JobDep = Annotated[Job, Depends(find_job)]


def find_run(run_id: Id, account: AccountDep, services: ServicesDep) -> Run:  # noqa: ARG001 - as in find_job
    run = services.store.find_run(run_id)
    if run is None:
        raise NotFoundError
    return run


RunDep = Annotated[Run, Depends(find_run)]

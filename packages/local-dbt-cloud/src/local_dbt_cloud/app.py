"""Puts the routers together; decides nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute

from local_dbt_cloud import VERSION
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.account.jobs_file_resources import list_declared
from local_dbt_cloud.declared.jobs_file import JobsFile
from local_dbt_cloud.pages import deploy_pages
from local_dbt_cloud.pages.page_login import PageLogin
from local_dbt_cloud.routes import not_implemented
from local_dbt_cloud.routes.dependencies import Services
from local_dbt_cloud.routes.local import links, simulation
from local_dbt_cloud.routes.v2 import (
    accounts,
    artifacts,
    job_artifacts,
    job_definitions,
    jobs,
    run_retry,
    runs,
    steps,
    users,
)
from local_dbt_cloud.routes.v3 import (
    account_connections,
    adapters,
    connections,
    credentials,
    environment_variables,
    environment_variables_bulk,
    environments,
    projects,
    repositories,
    webhooks,
)
from local_dbt_cloud.runs.job_completion import JobCompletion
from local_dbt_cloud.runs.new_runs import NewRuns
from local_dbt_cloud.runs.run_queue import RunQueue
from local_dbt_cloud.runs.schedules import Scheduler
from local_dbt_cloud.settings import LOCAL_HOST_NAMES, ServerSettings
from local_dbt_cloud.simulation.faults import FaultInjection
from local_dbt_cloud.simulation.simulated_runs import RunsOnDemand
from local_dbt_cloud.simulation.simulation import Controls
from local_dbt_cloud.store.store import Store
from local_dbt_cloud.views.run_views import RunViews
from local_dbt_cloud.webhooks.webhook_delivery import WebhookDelivery
from local_dbt_cloud.webhooks.webhook_events import RunEvents
from local_dbt_cloud.wire.edge import AccessLog, Edge, HeadAsGet
from local_dbt_cloud.wire.errors import install_error_handlers
from local_dbt_cloud.wire.page_keys import PageKeys
from local_dbt_cloud.wire.token_auth import ApiToken, TokenAuth


# Routes are tried one after the other: what is polled comes first.
ROUTERS = (
    runs.router,
    run_retry.router,
    artifacts.router,
    steps.router,
    jobs.router,
    job_artifacts.router,
    job_definitions.router,
    accounts.router,
    projects.router,
    environments.router,
    connections.router,
    account_connections.router,
    credentials.router,
    environment_variables_bulk.router,
    environment_variables.router,
    repositories.router,
    adapters.router,
    users.router,
    webhooks.router,
    not_implemented.router,
    simulation.router,
    links.router,
    deploy_pages.router,
)


def create_app(settings: ServerSettings, declared: JobsFile) -> FastAPI:
    """Raise `UserError` when the state cannot be opened."""
    services = create_services(settings, declared)
    app = FastAPI(
        title="local dbt Cloud",
        version=VERSION,
        lifespan=run_the_queue,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.services, app.state.settings = services, settings
    app.state.routes = list_routes()
    for router in ROUTERS:
        app.include_router(router)
    install_error_handlers(app)
    # The last one added is the first to see a request.
    controls = services.controls
    app.add_middleware(HeadAsGet)
    app.add_middleware(PageLogin, settings=settings, keys=services.page_keys, token=controls.token)
    app.add_middleware(TokenAuth, token=controls.token)
    app.add_middleware(FaultInjection, faults=controls.faults)
    host_names = {*LOCAL_HOST_NAMES, urlsplit(settings.url).hostname or "localhost"}
    app.add_middleware(Edge, host_names=host_names)
    app.add_middleware(AccessLog, journal=controls.journal)
    return app


def list_routes() -> list[BaseRoute]:
    return [route for router in ROUTERS for route in router.routes]


def create_services(settings: ServerSettings, declared: JobsFile) -> Services:
    store = Store(settings.state / "dbt_cloud.sqlite")
    redeclare = partial(store.declare, list_declared(declared, settings.jobs.parent))
    redeclare()
    account = Account(declared.local_dbt_cloud, store, settings.warehouse)
    on_demand = RunsOnDemand("simulated" if settings.simulated else "real", account, store)
    queue = RunQueue(settings, account, store, on_demand)
    delivery = WebhookDelivery(store.webhooks, settings)
    store.listeners.append(RunEvents(account.id, delivery.wake))
    new_runs = NewRuns(account, store, queue)
    store.listeners.append(JobCompletion(new_runs))
    views = RunViews(settings, account, store, queue)
    scheduler = Scheduler(store, new_runs)
    controls = Controls(ApiToken(settings.token), on_demand)
    return Services(
        settings,
        account,
        store,
        queue,
        views,
        delivery,
        new_runs,
        scheduler,
        controls,
        PageKeys(settings.token),
        redeclare,
    )


@asynccontextmanager
async def run_the_queue(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.webhooks.open()
    services.queue.open()
    services.scheduler.open()
    yield
    await run_in_threadpool(services.scheduler.close)
    await run_in_threadpool(services.queue.close)
    await run_in_threadpool(services.webhooks.close)
    services.store.close()

"""/projects/{id}/environment-variables/ (v3): one variable, and the tables of all of them."""

from typing import Annotated, Literal

from fastapi import Depends, Request
from pydantic import model_validator
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import USER_ID, Account
from local_dbt_cloud.account.run_variables import by_name, variables_by_scope
from local_dbt_cloud.declared.jobs_file_account import VariableName
from local_dbt_cloud.routes.dependencies import (
    ACCOUNT_V3,
    AccountDep,
    BothSlashForms,
    Id,
    ProjectDep,
    found,
)
from local_dbt_cloud.store.references import check_references
from local_dbt_cloud.store.resource_store import Definition, Resource
from local_dbt_cloud.views.environment_variable_views import by_name_and_scope, variable_view
from local_dbt_cloud.wire.envelope import created, one
from local_dbt_cloud.wire.errors import InvalidRequestError, NotFoundError
from local_dbt_cloud.wire.evidence import OPENAPI_V3, graded
from local_dbt_cloud.wire.query_parameters import integer, read_filters
from local_dbt_cloud.wire.request_body import (
    MISSING,
    Identifier,
    Name,
    ResourceBody,
    body_of,
    missing,
)


PREFIX = f"{ACCOUNT_V3}/projects/{{project_id}}/environment-variables"
JOBS_AS_CODE = "dbt-labs/dbt-jobs-as-code client/__init__.py"
TERRAFORM = "dbt-labs/terraform-provider-dbtcloud pkg/dbt_cloud/environment_variable.go"
# Which id a variable of such a type must name.
SCOPE_KEYS = {"environment": "environment_id", "job": "job_definition_id", "user": "user_id"}

router = BothSlashForms(prefix=PREFIX, tags=["environment variables"])


class VariableUpdate(ResourceBody):
    """A value that is only displayed is never taken for a value."""

    name: VariableName | None = None
    raw_value: Name | None = None


class VariableBody(VariableUpdate):
    project_id: Identifier | None = None
    name: VariableName
    type: Literal["project", "environment", "job", "user"]
    raw_value: Name
    environment_id: Identifier | None = None
    job_definition_id: Identifier | None = None
    user_id: Identifier | None = None

    @model_validator(mode="after")
    def check_scope(self) -> "VariableBody":
        key = SCOPE_KEYS.get(self.type)
        if key and getattr(self, key) is None:
            raise missing(key)
        return self


BodyDep = Annotated[VariableBody, Depends(body_of(VariableBody))]
UpdateDep = Annotated[VariableUpdate, Depends(body_of(VariableUpdate))]


@router.get("/job/", openapi_extra=graded("C", JOBS_AS_CODE))
def read_for_job(account: AccountDep, project: ProjectDep, request: Request) -> JSONResponse:
    """What a job would get, scope by scope."""
    query = read_filters(request.query_params, {"job_definition_id": integer})
    if "job_definition_id" not in query:
        raise InvalidRequestError(job_definition_id=MISSING)
    job = found(account.store.jobs.find_active(query["job_definition_id"]), project)
    scopes = variables_by_scope(account.store, project.id, job["environment_id"], job.id)
    return one(by_name_and_scope(scopes))


@router.get("/environment/", openapi_extra=graded("C", TERRAFORM))
def read_for_environments(account: AccountDep, project: ProjectDep) -> JSONResponse:
    """Variables down, environments across, the project's default first."""
    environments = account.store.environments.active(project_id=project.id)
    variables = account.store.environment_variables.active(project_id=project.id)
    table = {"project": by_name(each for each in variables if each["type"] == "project")}
    for environment in environments:
        table[environment.name] = by_name(
            each for each in variables if each["environment_id"] == environment.id
        )
    return one({"environments": list(table), "variables": by_name_and_scope(table)})


@router.get("/user/", openapi_extra=graded("D", OPENAPI_V3))
def read_for_user(account: AccountDep, project: ProjectDep, request: Request) -> JSONResponse:
    user_id = read_filters(request.query_params, {"user_id": integer}).get("user_id", USER_ID)
    if user_id != USER_ID:
        raise NotFoundError
    variables = account.store.environment_variables.active(project_id=project.id)
    development = account.store.environments.active(project_id=project.id, type="development")
    ids = {environment.id for environment in development}
    return one(
        by_name_and_scope(
            {
                "project": by_name(each for each in variables if each["type"] == "project"),
                "environment": by_name(each for each in variables if each["environment_id"] in ids),
                "user": by_name(each for each in variables if each["type"] == "user"),
            }
        )
    )


def find_variable(variable_id: Id, account: AccountDep, project: ProjectDep) -> Resource:
    return found(account.store.environment_variables.find_active(variable_id), project)


VariableDep = Annotated[Resource, Depends(find_variable)]


@router.post("/", openapi_extra=graded("C", JOBS_AS_CODE))
def create_variable(account: AccountDep, project: ProjectDep, body: BodyDep) -> JSONResponse:
    if body.project_id not in {None, project.id}:
        raise InvalidRequestError(project_id=f"'{body.project_id}' is not the project of the path")
    definition = body.definition(account.id) | {"project_id": project.id}
    definition["value"] = definition.pop("raw_value")
    for kind, key in SCOPE_KEYS.items():
        if kind != body.type:
            definition.pop(key, None)
    variables = account.store.environment_variables
    with variables.changing:
        check_scope(account, definition)
        variable = variables.add(definition, body.state)
    return created(variable_view(account, variable))


@router.post("/{variable_id}/", openapi_extra=graded("C", JOBS_AS_CODE))
def update_variable(account: AccountDep, variable: VariableDep, body: UpdateDep) -> JSONResponse:
    """Name and value change; a variable never moves to another scope."""
    given = body.definition(account.id)
    if "raw_value" in given:
        given["value"] = given.pop("raw_value")
    variables = account.store.environment_variables
    with variables.changing:
        if given.get("name", variable.name) != variable.name:
            check_scope(account, variable.definition | given)
        changed = variables.change(variable.id, lambda before: before | given, body.state)
    return one(variable_view(account, changed))


@router.delete("/{variable_id}/", openapi_extra=graded("C", JOBS_AS_CODE))
def delete_variable(account: AccountDep, variable: VariableDep) -> JSONResponse:
    deleted = account.store.environment_variables.delete_one(variable.id)
    return one(variable_view(account, deleted))


def check_scope(account: Account, definition: Definition) -> None:
    """Raise `InvalidRequestError` for ids of elsewhere, and for a name that the scope has."""
    check_references(account.store, definition, definition["project_id"])
    if definition.get("user_id") not in {None, USER_ID}:
        raise InvalidRequestError(user_id=f"'{definition['user_id']}' does not exist")
    same = account.store.environment_variables.active(
        project_id=definition["project_id"],
        name=definition["name"],
        type=definition["type"],
        **{key: definition.get(key) for key in SCOPE_KEYS.values()},
    )
    if same:
        raise InvalidRequestError(name=f"'{definition['name']}' is set there already")

"""
/environment-variables/bulk/ (v3): a variable by its name, in all of a project's environments.

The keys of a body are names of environments, `project` for the default, and, in an update, the
ids of values that exist; an empty value deletes one. As Terraform's provider sends it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import JSONResponse

from local_dbt_cloud.account.account import Account
from local_dbt_cloud.declared.jobs_file_account import VARIABLE_NAME
from local_dbt_cloud.routes.dependencies import AccountDep, BothSlashForms, ProjectDep
from local_dbt_cloud.routes.v3.environment_variables import PREFIX, TERRAFORM
from local_dbt_cloud.store.resource_store import Definition, Resource
from local_dbt_cloud.wire.envelope import one
from local_dbt_cloud.wire.errors import InvalidRequestError, NotFoundError
from local_dbt_cloud.wire.evidence import graded
from local_dbt_cloud.wire.request_body import MISSING, read_json_object


ContentDep = Annotated[dict[str, Any], Depends(read_json_object)]

router = BothSlashForms(prefix=f"{PREFIX}/bulk", tags=["environment variables"])


@router.post("/", openapi_extra=graded("C", TERRAFORM))
def create_in_bulk(account: AccountDep, project: ProjectDep, content: ContentDep) -> JSONResponse:
    """One variable as an object, or several as a list, as the docs show it."""
    wanted = content.get("env_var")
    definitions: list[Definition] = []
    variables = account.store.environment_variables
    with variables.changing:
        for each in wanted if isinstance(wanted, list) else [wanted]:
            texts = read_texts("env_var", each)
            name = take_name(texts, "new_name")
            again = any(definition["name"] == name for definition in definitions)
            if again or find_values(account, project, name):
                raise InvalidRequestError(new_name=f"'{name}' is set there already")
            definitions += define(account, project, name, texts)
        new = [variables.add(definition).id for definition in definitions]
    return one(done(new, []))


@router.put("/", openapi_extra=graded("C", TERRAFORM))
def update_in_bulk(account: AccountDep, project: ProjectDep, content: ContentDep) -> JSONResponse:
    texts = read_texts("env_vars", content.get("env_vars"))
    name = take_name(texts, "name")
    new_name = take_name(texts, "new_name") if "new_name" in texts else name
    variables = account.store.environment_variables
    with variables.changing:
        values = find_values(account, project, name)
        if not values:
            raise NotFoundError
        if new_name != name and find_values(account, project, new_name):
            raise InvalidRequestError(new_name=f"'{new_name}' is set there already")
        by_id = {key: texts.pop(str(key)) for key in values if str(key) in texts}
        wanted = define(account, project, new_name, texts)
        for key, value in values.items():
            write(account, key, {"name": new_name, "value": by_id.get(key) or value["value"]})
        deleted = [key for key, text in by_id.items() if not text]
        variables.delete(deleted)
        new = set_values(account, values.values(), wanted)
    return one(done(new, deleted))


@router.delete("/", openapi_extra=graded("C", TERRAFORM))
def delete_in_bulk(account: AccountDep, project: ProjectDep, content: ContentDep) -> JSONResponse:
    """Every value of the name, those of jobs and users too."""
    values = find_values(account, project, take_name(read_texts("body", content), "name"))
    if not values:
        raise NotFoundError
    account.store.environment_variables.delete(values)
    return one(done([], list(values)))


def read_texts(field: str, content: Any) -> dict[str, str]:
    if not isinstance(content, dict):
        raise InvalidRequestError(**{field: "expected a dictionary"})
    wrong = {key: "expected a string" for key, value in content.items() if type(value) is not str}
    if wrong:
        raise InvalidRequestError(**{field: wrong})
    return dict(content)


def take_name(texts: dict[str, str], key: str) -> str:
    name = texts.pop(key, None)
    if name is None:
        raise InvalidRequestError(**{key: MISSING})
    if not re.fullmatch(VARIABLE_NAME, name):
        raise InvalidRequestError(**{key: f"'{name}' must be DBT_ and capital letters"})
    return name


def define(
    account: Account, project: Resource, name: str, texts: Mapping[str, str]
) -> list[Definition]:
    """What the names of environments mean; an empty text sets nothing."""
    environments = account.store.environments.active(project_id=project.id)
    ids = {environment.name: environment.id for environment in environments}
    unknown = dict.fromkeys(texts.keys() - {"project", *ids}, "is no environment of the project")
    if unknown:
        raise InvalidRequestError(**unknown)
    return [
        {
            "project_id": project.id,
            "name": name,
            "type": "project" if key == "project" else "environment",
            "environment_id": ids.get(key) if key != "project" else None,
            "value": text,
        }
        for key, text in texts.items()
        if text
    ]


def find_values(account: Account, project: Resource, name: str) -> dict[int, Resource]:
    found = account.store.environment_variables.active(project_id=project.id, name=name)
    return {value.id: value for value in found}


def set_values(
    account: Account, values: Iterable[Resource], wanted: Iterable[Definition]
) -> list[int]:
    """Change what the scope has, add what it has not; answer the ids of what is new."""
    by_scope = {(value["type"], value["environment_id"]): value.id for value in values}
    new = []
    for definition in wanted:
        same = by_scope.get((definition["type"], definition["environment_id"]))
        if same is None:
            new.append(account.store.environment_variables.add(definition).id)
        else:
            write(account, same, definition)
    return new


def write(account: Account, identifier: int, changes: Definition) -> None:
    account.store.environment_variables.change(identifier, lambda before: before | changes)


def done(new: Sequence[int], deleted: Sequence[int]) -> dict[str, Any]:
    return {
        "message": "Environment variables were updated.",
        "new_var_ids": new,
        "deleted_var_ids": deleted,
        "failures": [],
    }

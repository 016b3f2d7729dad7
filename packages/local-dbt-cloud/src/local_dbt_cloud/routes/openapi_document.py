"""The OpenAPI document of this server, from its own routes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import isclass
from typing import Any, get_type_hints

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import BaseRoute

from local_dbt_cloud import VERSION
from local_dbt_cloud.routes.resource_lists import Listing
from local_dbt_cloud.wire.query_parameters import MAX_LIMIT, Parser, boolean, integer
from local_dbt_cloud.wire.token_auth import OPEN


DESCRIPTION = (
    "The part of dbt Cloud's Administrative API that this server answers, and its own controls "
    "under /_local/. Every other path under /api/ answers 501. `x-evidence` says how sure we are."
)
COMPONENTS = "#/components/schemas/{model}"
STATUS = {
    "type": "object",
    "required": ["code", "is_success", "user_message", "developer_message"],
    "properties": {
        "code": {"type": "integer"},
        "is_success": {"type": "boolean"},
        "user_message": {"type": "string"},
        "developer_message": {"type": ["string", "null"]},
    },
}
PAGE = {
    "type": "object",
    "required": ["filters", "order_by", "pagination"],
    "properties": {
        "filters": {"type": "object"},
        "order_by": {"type": ["string", "null"]},
        "pagination": {
            "type": "object",
            "required": ["count", "total_count"],
            "properties": {"count": {"type": "integer"}, "total_count": {"type": "integer"}},
        },
    },
}
ENVELOPE = {
    "type": "object",
    "required": ["status", "data"],
    "properties": {
        "status": {"$ref": COMPONENTS.format(model="Status")},
        "data": {"description": "The object, or the list of them; in a 400, each wrong field."},
        "extra": {
            "anyOf": [
                {"$ref": COMPONENTS.format(model="Page")},
                {"type": "object", "maxProperties": 0},
            ]
        },
        "error_code": {"type": "null"},
    },
}
# What the webhook endpoints answer is thinner.
WEBHOOK_ENVELOPE = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {
            "type": "object",
            "required": ["code"],
            "properties": {"code": {"type": "integer"}, "is_success": {"type": "boolean"}},
        },
        "data": {},
        "extra": {"type": "object"},
    },
}
NOT_ALLOWED = {
    "type": "object",
    "required": ["detail"],
    "additionalProperties": False,
    "properties": {"detail": {"type": "string"}},
}
SCHEMAS = {
    "Status": STATUS,
    "Page": PAGE,
    "Envelope": ENVELOPE,
    "WebhookEnvelope": WEBHOOK_ENVELOPE,
    "MethodNotAllowed": NOT_ALLOWED,
}
ERRORS = {
    "400": "The request was invalid.",
    "401": "The token is missing, wrong or revoked.",
    "403": "The token is not scoped to this account.",
    "404": "There is no such thing, or no such id.",
    "501": "dbt Cloud may have this; the local dbt Cloud has not.",
}
CONTROL_ERRORS = {code: ERRORS[code] for code in ("400", "401", "404")}


def describe_body(route: APIRoute) -> dict[str, Any]:
    """The JSON body that a dependency of the route reads: the parameter that is a model."""
    if not route.methods & {"POST", "PUT", "PATCH"}:
        return {}
    hints = get_type_hints(route.endpoint)
    models = [hint for hint in hints.values() if isclass(hint) and issubclass(hint, BaseModel)]
    if not models:
        return {}
    schema = models[0].model_json_schema(ref_template=COMPONENTS)
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def describe_query(route: APIRoute) -> list[dict[str, Any]]:
    """The query parameters that a list reads: by a `Listing`, or by its FILTERS… and ORDERS."""
    code, known = route.endpoint.__code__, route.endpoint.__globals__
    filters: Mapping[str, Parser] = {}
    orders: tuple[str, ...] = ()
    for name, value in [(name, known[name]) for name in code.co_names if name in known]:
        if name.startswith("FILTERS"):
            filters = value
        elif name == "ORDERS":
            orders = value
        elif value is Listing:
            orders = Listing({}).orders
        elif isinstance(value, Listing):
            filters, orders = value.filters, value.orders
    schemas = {name: schema_of(parser) for name, parser in filters.items()}
    if orders:
        schemas |= {
            "limit": {"type": "integer", "minimum": 1, "default": MAX_LIMIT},
            "offset": {"type": "integer", "minimum": 0, "default": 0},
            "order_by": {"enum": [sign + order for order in orders for sign in ("", "-")]},
        }
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in schemas.items()
    ]


def schema_of(parser: Parser) -> dict[str, Any]:
    known: dict[Callable[..., Any], str] = {integer: "integer", boolean: "boolean"}
    return {"type": known.get(parser, "string")}


def describe_api(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Each path once, in the form that ends as dbt Cloud's documents end it."""
    shown = list(documented(routes))
    document = get_openapi(
        title="local dbt Cloud", version=VERSION, description=DESCRIPTION, routes=shown
    )
    for route in shown:
        for method in route.methods if route.include_in_schema else ():
            operation = document["paths"][route.path_format][method.lower()]
            operation.setdefault("parameters", []).extend(describe_query(route))
            operation.update(describe_body(route))
    components = document.setdefault("components", {})
    components["schemas"] = dict(SCHEMAS)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`Token …` is the same."}
    }
    document["security"] = [{"token": []}]
    for path, operation in operations(document):
        operation["responses"] = responses(path)
        if path.removesuffix("/") in OPEN:
            operation["security"] = []
        for body in operation.get("requestBody", {}).get("content", {}).values():
            components["schemas"] |= body["schema"].pop("$defs", {})
    return document


def documented(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    found = [
        route
        for route in routes
        if isinstance(route, APIRoute) and route.path.startswith(("/api/", "/_local/"))
    ]
    paths = {route.path for route in found}
    return (route for route in found if f"{route.path}/" not in paths)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def responses(path: str) -> dict[str, Any]:
    if path.startswith("/_local/"):
        answers = {code: json_answer("Done.", {"type": "object"}) for code in ("200", "201")}
        return answers | refusals(CONTROL_ERRORS)
    if "/artifacts/{" in path:
        success = {"description": "The file.", "content": {"*/*": {"schema": {}}}}
        return {"200": success, **refusals(ERRORS)}
    name = "WebhookEnvelope" if "/webhooks/" in path else "Envelope"
    envelope = {"$ref": COMPONENTS.format(model=name)}
    answers = {code: json_answer("Success!", envelope) for code in ("200", "201")}
    return answers | refusals(ERRORS)


def refusals(errors: Mapping[str, str]) -> dict[str, Any]:
    envelope = {"$ref": COMPONENTS.format(model="Envelope")}
    not_allowed = {"$ref": COMPONENTS.format(model="MethodNotAllowed")}
    return {
        **{code: json_answer(text, envelope) for code, text in errors.items()},
        "405": json_answer("No such method here.", not_allowed),
    }


def json_answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}

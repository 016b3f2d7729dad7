"""Reads the body of a request as dbt Cloud does, and says what is wrong in its words."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import ClientDisconnect, Request

from local_dbt_cloud.wire.errors import InvalidRequestError


MAX_BODY_BYTES = 1_000_000
MAX_DEPTH = 64
MISSING = "required key not provided"
MISSING_PART = "missing_part"


Identifier = Annotated[int, Field(gt=0, lt=2**63)]
Name = Annotated[str, Field(min_length=1)]


class RequestBody(BaseModel):
    """Keys that are not known are ignored: clients send back whole objects that they have read."""

    model_config = ConfigDict(strict=True, frozen=True)


class ResourceBody(RequestBody):
    """What creates or replaces a resource; deleting one is also replacing it with state 2."""

    account_id: Identifier | None = None
    state: Literal[1, 2] = 1

    def definition(self, account_id: int) -> dict[str, Any]:
        """All that was said of the resource; null says nothing. Raise `InvalidRequestError`."""
        if self.account_id not in {None, account_id}:
            raise InvalidRequestError(account_id=f"'{self.account_id}' is not this account")
        given = self.model_dump(mode="json", exclude_unset=True, exclude={"account_id", "state"})
        return {key: value for key, value in given.items() if value is not None}


Body = TypeVar("Body", bound=BaseModel)


def body_of(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """The dependency that reads such a body, or refuses it naming the fields."""

    async def read(request: Request) -> Body:
        content = await read_json_object(request)
        try:
            return model.model_validate(content)
        except ValidationError as error:
            raise InvalidRequestError(**describe(error)) from None

    return read


async def read_json_object(request: Request) -> dict[str, Any]:
    body = await read_body(request)
    if not body.strip():
        return {}
    try:
        content = json.loads(body, parse_constant=refuse_constant)
        # Half a surrogate pair is legal in JSON and in no other place.
        text = json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise InvalidRequestError(body="not valid JSON") from None
    if not isinstance(content, dict) or depth(content) > MAX_DEPTH:
        raise InvalidRequestError(body="expected a dictionary")
    if b"\\u0000" in text and holds_nul(content):
        raise InvalidRequestError(body="a text has a NUL in it, which no database keeps")
    return content


async def read_body(request: Request) -> bytes:
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise InvalidRequestError(body=f"larger than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:  # nobody is left to be told
        raise InvalidRequestError(body="not sent whole") from None
    return body


def holds_nul(content: Any) -> bool:
    """Whether a key or a text has a NUL in it."""
    if isinstance(content, dict):
        return any(holds_nul(each) for pair in content.items() for each in pair)
    if isinstance(content, list):
        return any(holds_nul(each) for each in content)
    return isinstance(content, str) and "\0" in content


def refuse_constant(name: str) -> Any:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def depth(content: Any) -> int:
    """How deep lists and dictionaries lie in one another."""
    level, found = [content], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        found += 1
        level = [inner for item in level for inner in members(item)]
    return found


def members(item: dict[str, Any] | list[Any]) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item


def describe(error: ValidationError) -> dict[str, Any]:
    """The first complaint about each field, nested as the fields are."""
    details: dict[str, Any] = {}
    for detail in error.errors():
        place = [part for part in detail["loc"] if isinstance(part, str)]
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "missing":
            message = MISSING
        elif detail["type"] == MISSING_PART:
            place.append(detail["ctx"]["part"])
        elif detail["type"] == "extra_forbidden":
            name = place.pop()
            message = f"Additional properties are not allowed ('{name}' was unexpected)"
        note(details, place or ["body"], message)
    return details


def missing(part: str) -> PydanticCustomError:
    """What a model raises that needs a part of itself only sometimes."""
    return PydanticCustomError(MISSING_PART, MISSING, {"part": part})


def note(details: dict[str, Any], place: list[str], message: str) -> None:
    *outer, last = place
    for part in outer:
        inner = details.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # the whole was complained about already
        details = inner
    details.setdefault(last, message)

"""One page of resources: filtered, sorted, counted, and told what was asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from local_dbt_cloud.store.resource_store import ACTIVE_STATE, DELETED_STATE, Resource, Resources
from local_dbt_cloud.wire.envelope import page
from local_dbt_cloud.wire.query_parameters import (
    Parser,
    as_echoed,
    read_filters,
    read_paging,
    read_state,
)


STATES = {"active": ACTIVE_STATE, "deleted": DELETED_STATE}
NOTHING: dict[str, Any] = {"pk__in": []}


@dataclass(frozen=True, slots=True)
class Listing:
    """
    What a list can be filtered and sorted by.

    `always` names the filters on what is the same for every resource here, with that value.
    """

    filters: Mapping[str, Parser]
    orders: tuple[str, ...] = ("id", "name", "created_at", "updated_at")
    always: Mapping[str, Any] = field(default_factory=dict)

    def read(
        self,
        request: Request,
        resources: Resources,
        view: Callable[[Resource], dict[str, Any]],
        told: Mapping[str, Any],
        only: Mapping[str, Any] | None = None,
    ) -> JSONResponse:
        """`told` is what the path says; `only` narrows the list by it."""
        query = request.query_params
        given = read_filters(query, self.filters)
        paging = read_paging(query, self.orders)
        state = read_state(query)
        stored = self._stored({**given, **(only or {})}, state)
        found, total = resources.page(stored, paging.order_by, paging.limit, paging.offset)
        effective = {**told, **as_echoed(given)}
        # v2 says which state it shows, v3 only when it was asked for one.
        if "state" in query or request.url.path.startswith("/api/v2/"):
            effective["state"] = state
        return page([view(each) for each in found], total, paging, effective)

    def _stored(self, filters: Mapping[str, Any], state: str) -> dict[str, Any]:
        if any(name in filters and filters[name] != self.always[name] for name in self.always):
            return NOTHING
        stored = {name: value for name, value in filters.items() if name not in self.always}
        return stored if state == "all" else {**stored, "state": STATES[state]}

"""The wrapper round every answer, and pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from local_dbt_cloud.wire.query_parameters import Paging


SUCCESS = {"code": 200, "is_success": True, "user_message": "Success!", "developer_message": ""}


def one(data: Any) -> JSONResponse:
    return JSONResponse({"status": SUCCESS, "data": data})


def created(data: Any) -> JSONResponse:
    return JSONResponse({"status": {**SUCCESS, "code": 201}, "data": data}, 201)


def page(
    items: Sequence[Any], total: int, paging: Paging, filters: Mapping[str, Any]
) -> JSONResponse:
    """`filters` are the effective ones besides limit and offset; dbt Cloud echoes them all."""
    return JSONResponse(
        {
            "status": SUCCESS,
            "data": items,
            "extra": {
                "filters": {"limit": paging.limit, "offset": paging.offset, **filters},
                "order_by": paging.order_by,
                "pagination": {"count": len(items), "total_count": total},
            },
        }
    )


def whole(items: Sequence[Any], filters: Mapping[str, Any]) -> JSONResponse:
    """A list that is never cut into pages."""
    count = {"count": len(items), "total_count": len(items)}
    extra = {"filters": dict(filters), "order_by": None, "pagination": count}
    return JSONResponse({"status": SUCCESS, "data": items, "extra": extra})

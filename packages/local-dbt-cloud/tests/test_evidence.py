"""Every endpoint of the API says how sure we are of it, in a form that a program can read."""

from local_dbt_cloud.app import ROUTERS
from local_dbt_cloud.routes.not_implemented import router as not_implemented
from local_dbt_cloud.wire.evidence import GRADES, KEY


def test_every_endpoint_of_the_api_is_graded():
    """Each route under /api/ that answers carries a grade and the place of its evidence."""
    routes = [
        route
        for router in ROUTERS
        if router is not not_implemented
        for route in router.routes
        if route.path.startswith("/api/")
    ]
    ungraded = {
        f"{route.methods} {route.path}"
        for route in routes
        if not (evidence := (route.openapi_extra or {}).get(KEY))
        or evidence["grade"] not in GRADES
        or not evidence["source"]
    }

    assert routes
    assert ungraded == set()

"""
How sure we are that dbt Cloud answers as a route here does, kept with the route itself.

    @router.get("/{run_id}/", openapi_extra=graded("R", "kestra plugin-dbt, responses/run.json"))

The coverage page reads it back from the OpenAPI operation, under `x-evidence`.
"""

from typing import Any, Literal


Grade = Literal["R", "D", "C", "I"]
GRADES: dict[Grade, str] = {
    "R": "recorded: a real answer of dbt Cloud can be read in public",
    "D": "documented: official docs or official OpenAPI",
    "C": "client: a shipping client works only if it is so",
    "I": "inferred: nobody has published it; our best reading",
}
KEY = "x-evidence"

# The places that most routes refer to.
OPENAPI_V2 = "dbt-labs/dbt-cloud-openapi-spec openapi-v2.yaml"
OPENAPI_V3 = "dbt-labs/dbt-cloud-openapi-spec openapi-v3.yaml"
CLI_FIXTURES = "data-mie/dbt-cloud-cli tests/data"


def graded(grade: Grade, source: str) -> dict[str, Any]:
    """A route's `openapi_extra`: its grade, and where the evidence for it can be read."""
    return {KEY: {"grade": grade, "source": source}}

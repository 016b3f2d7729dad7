"""The read-only calls of `verify`, and one side of the comparison: who is asked them."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbt_cloud_api.client import send


RELATED = "trigger,job,environment,run_steps"
NO_SUCH_ID = 1


@dataclass(frozen=True, slots=True)
class Call:
    """`learns` says where in the answer the id of a thing is that later calls ask for."""

    path: str
    query: str = ""
    learns: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"GET {self.path}{self.query}"


V2, V3 = "/api/v2/accounts/{account}", "/api/v3/accounts/{account}"
CALLS = (
    Call(f"{V2}/"),
    Call("/api/v3/accounts/"),
    Call(f"{V3}/projects/", "?limit=20", {"project": "id"}),
    Call(f"{V2}/jobs/", "?limit=20", {"job": "id", "environment": "environment_id"}),
    Call(
        f"{V2}/jobs/{{job}}/",
        "?include_related=environment,most_recent_run",
        {"project": "project_id", "environment": "environment_id"},
    ),
    Call(f"{V2}/runs/", "?job_definition_id={job}&status=10&order_by=-id&limit=3", {"run": "id"}),
    Call(f"{V2}/runs/", "?limit=20&order_by=-id&include_related=trigger,job"),
    Call(f"{V2}/runs/{{run}}/"),
    Call(f"{V2}/runs/{{run}}/", f"?include_related={RELATED}", {"step": "run_steps[].id"}),
    Call(f"{V2}/runs/{{run}}/artifacts/"),
    Call(f"{V2}/runs/{{run}}/retry/"),
    Call(f"{V2}/steps/{{step}}/"),
    Call(f"{V2}/projects/{{project}}/"),
    Call(f"{V2}/environments/"),
    Call(f"{V2}/environments/{{environment}}/"),
    Call(f"{V3}/projects/{{project}}/"),
    Call(f"{V3}/projects/{{project}}/environments/"),
    Call(f"{V3}/projects/{{project}}/environments/{{environment}}/"),
    Call(f"{V3}/environments/"),
    Call(f"{V3}/connections/"),
    Call(f"{V3}/projects/{{project}}/environment-variables/environment/"),
    Call(f"{V3}/projects/{{project}}/environment-variables/job/", "?job_definition_id={job}"),
    Call(f"{V3}/webhooks/subscriptions"),
    Call("/api/v2/whoami/"),
    # What is refused has a shape too.
    Call(f"{V2}/jobs/{NO_SUCH_ID}/"),
    Call(f"{V2}/runs/", "?status=nonsense"),
    Call(f"{V2}/runs/{{run}}/artifacts/no_such_file.json"),
)


@dataclass
class Side:
    """One of the two: asked for the same, with ids of its own."""

    host: str
    token: str = field(repr=False)
    trusted: ssl.SSLContext = field(repr=False)
    ids: dict[str, int]

    def ask(self, call: Call) -> tuple[int, Any]:
        """Status and body; `LookupError` when an id that the call needs was never learnt."""
        path = (call.path + call.query).format(**self.ids)
        answer = send(self.host, path, self.token, self.trusted)
        self._learn(call, answer.data)
        return answer.status, answer.json

    def _learn(self, call: Call, data: Any) -> None:
        for name, place in call.learns.items():
            first = next(values_at(data, place), None)
            if isinstance(first, int):
                self.ids.setdefault(name, first)


def values_at(data: Any, place: str) -> Iterator[Any]:
    """What is at that place in an object, or in the objects of a list."""
    if isinstance(data, list):
        for item in data:
            yield from values_at(item, place)
    elif isinstance(data, dict):
        key, _, rest = place.partition("[].")
        yield from values_at(data.get(key), rest) if rest else iter([data.get(key)])

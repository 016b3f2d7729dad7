"""One GET to dbt Cloud at a time: every step of the way can fail by itself."""

from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

from dbt_cloud_api.client import USER_AGENT, Answer
from dbt_cloud_api.plain_text import printable_json
from dbt_cloud_api.preflight.check import PreflightError, error
from dbt_cloud_api.preflight.route import Route
from dbt_cloud_api.preflight.tls import NETWORK, connect, start_tls


BIGGEST_ANSWER = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PreflightClient:
    """Reads, and only reads: there is no way to send anything but a GET."""

    route: Route
    token: str = field(repr=False)
    account_id: int

    def get(self, path: str, **query: object) -> Answer:
        """Read below /api/, for example `v2/accounts/1/`. Raises `PreflightError` for no answer."""
        address = f"/api/{path}" + (f"?{urlencode(query)}" if query else "")
        http = HTTPConnection(self.route.host, self.route.port)
        http.sock = start_tls(connect(self.route), self.route)
        # Without TLS it would connect anew by itself, and send the token in the clear.
        http.auto_open = 0
        headers = {
            "Authorization": f"Token {self.token}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        try:
            http.request("GET", address, headers=headers)
            answer = Answer.read(http.getresponse(), BIGGEST_ANSWER)
        except (OSError, HTTPException) as broken:
            raise self._broken(address, broken) from None
        finally:
            http.close()
        return replace(answer, json=printable_json(answer.json))

    def of_account(self, version: str, path: str, **query: object) -> Answer:
        return self.get(f"{version}/accounts/{self.account_id}/{path}", **query)

    def _broken(self, address: str, broken: Exception) -> PreflightError:
        return error(
            "answer",
            f"{self.route.shown} takes the connection and then does not answer",
            f"GET {address} gave: {broken or repr(broken)}.",
            "Try once more in a minute:   make doctor",
            "Is dbt Cloud itself in trouble?   https://status.getdbt.com",
            ask=NETWORK,
        )

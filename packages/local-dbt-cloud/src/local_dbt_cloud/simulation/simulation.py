"""What the local controls act on, for as long as the server lives; none of it is stored."""

from dataclasses import dataclass, field

from local_dbt_cloud.simulation.faults import Faults
from local_dbt_cloud.simulation.simulated_runs import RunsOnDemand
from local_dbt_cloud.wire.request_journal import RequestJournal
from local_dbt_cloud.wire.token_auth import ApiToken


@dataclass(frozen=True, slots=True)
class Controls:
    token: ApiToken
    runs: RunsOnDemand
    faults: Faults = field(default_factory=Faults)
    journal: RequestJournal = field(default_factory=RequestJournal)

    def clear(self) -> None:
        """As after a start."""
        self.token.is_revoked = False
        self.runs.clear()
        self.faults.clear()
        self.journal.clear()

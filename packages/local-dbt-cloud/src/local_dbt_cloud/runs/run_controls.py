"""
Where somebody outside may hold runs, or decide how they go, without dbt.

The queue and every run ask here; this class lets all of them go their own way. Whoever wants
otherwise hands a subclass to `RunQueue`, and calls `RunQueue.look_again` when an answer of
`may_start` may have changed.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from local_dbt_cloud.runs.run_plan import End
from local_dbt_cloud.store.store import Run


@dataclass(frozen=True, slots=True)
class StepAhead:
    """
    A step that is about to begin. `command` is None for the clone and the profile.

    `is_of_job` is false for what dbt Cloud adds to the job's own commands.
    """

    index: int
    name: str
    command: str | None
    is_of_job: bool = False


@dataclass(frozen=True, slots=True)
class StandIn:
    """
    What becomes of a step instead of doing it.

    `artifacts` are kept as if dbt had written them: by path below target/, the content.
    """

    succeeded: bool = True
    log: str = ""
    artifacts: Mapping[str, bytes] = field(default_factory=dict)


class RunControls:
    def may_start(self, run: Run) -> bool:  # noqa: ARG002 - for subclasses
        """Whether a queued run may leave the queue when its turn comes. Answers at once."""
        return True

    def before_step(
        self,
        run: Run,  # noqa: ARG002 - for subclasses
        step: StepAhead,  # noqa: ARG002 - as above
        ended: threading.Event,  # noqa: ARG002 - as above
    ) -> StandIn | End | None:
        """
        Say how a step goes: None for really, a `StandIn`, or an `End` of the whole run.

        Called in the run's own thread before the step has a row, so it may wait as long as it
        likes; `ended` is set when the run was cancelled, timed out or stopped meanwhile.
        """
        return None

"""
Runs on demand: held, sped up, ended as told.

Set through `/_local/runs/`, which `docs/local_controls.md` describes.
"""

import threading
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dbt_cloud_api.dbt_commands import read_command
from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.account.account import Account
from local_dbt_cloud.runs.run_controls import RunControls, StandIn, StepAhead
from local_dbt_cloud.runs.run_environment import describe_run
from local_dbt_cloud.runs.run_execution import ACCOUNT_LIMIT_SECONDS
from local_dbt_cloud.runs.run_plan import CANCELLED, DEPS, FRESHNESS, End, timed_out
from local_dbt_cloud.simulation.simulated_artifacts import Simulation, as_files, write_artifacts
from local_dbt_cloud.store.store import Run, Store
from local_dbt_cloud.wire.timestamps import now


Mode = Literal["real", "simulated"]
Hold = Literal["queued", "running"]
Message = Annotated[str, Field(min_length=1, max_length=10_000)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
# How soon a held run notices that it was cancelled.
SECONDS_BETWEEN_LOOKS = 0.05
ASKED_FOR = "ended through /_local/runs/"


class Controlled(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Pace(Controlled):
    """`mode` null is what the server was started with; `seconds` is what a simulated run takes."""

    mode: Mode | None = None
    seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 0
    hold: Hold | None = None


class EndNow(Controlled):
    """How a run that is queued or in progress ends."""

    end: Literal["success", "error", "cancelled", "timeout"]
    message: Message | None = None


class NextEnd(EndNow):
    """
    How the next runs that start will end, of one job or of any; dbt is not started for them.

    `failed` names the dbt nodes that fail in an error, the first one when it is empty.
    `artifacts` takes the place of the simulated ones: JSON content by file name.
    """

    times: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    job_id: Annotated[int, Field(gt=0, lt=2**63)] | None = None
    failed: list[str] = []
    artifacts: dict[FileName, Any] | None = None


@dataclass
class RunsOnDemand(RunControls):
    default_mode: Mode
    account: Account
    store: Store
    pace: Pace = field(default_factory=Pace)
    next_ends: list[NextEnd] = field(default_factory=list)
    ends: dict[int, NextEnd | None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        """Nothing held, nothing decided, the mode of the start."""
        with self.lock:
            self.pace, self.next_ends, self.ends = Pace(), [], {}

    def set_pace(self, given: Pace) -> None:
        """What is left out stays as it is."""
        with self.lock:
            self.pace = self.pace.model_copy(update=given.model_dump(exclude_unset=True))

    def end_next(self, end: NextEnd) -> None:
        with self.lock:
            self.next_ends.append(end)

    def view(self) -> dict[str, Any]:
        with self.lock:
            return {
                **self.pace.model_dump(),
                "mode": self.pace.mode or self.default_mode,
                "next": [end.model_dump(exclude={"artifacts"}) for end in self.next_ends],
            }

    # What the queue and the runs ask

    def may_start(self, run: Run) -> bool:  # noqa: ARG002 - all runs are held, or none
        return self.pace.hold != "queued"

    def before_step(
        self, run: Run, step: StepAhead, ended: threading.Event
    ) -> StandIn | End | None:
        end = self._end_of(run)
        while self.pace.hold == "running" and not ended.wait(SECONDS_BETWEEN_LOOKS):
            pass
        if step.command is None:
            return None
        if end is None:
            mode = self.pace.mode or self.default_mode
            if mode == "real":
                return None
            end = NextEnd(end="success")
        if step.command in {DEPS, FRESHNESS} and not step.is_of_job:
            return StandIn(log=say(f"Running with dbt=simulated: {step.command}"))
        ended.wait(self.pace.seconds)
        if end.end in {"cancelled", "timeout"}:
            return self.as_end(run, end)
        return self._simulate(run, step.command, end)

    def _end_of(self, run: Run) -> NextEnd | None:
        """The oldest end that fits the run's job belongs to the run that asks first."""
        with self.lock:
            if run.id not in self.ends:
                self.ends[run.id] = self._take_end(run.job_id)
            return self.ends[run.id]

    def _take_end(self, job_id: int) -> NextEnd | None:
        for place, end in enumerate(self.next_ends):
            if end.job_id in {None, job_id}:
                left = end.model_copy(update={"times": end.times - 1})
                self.next_ends[place : place + 1] = [left] if left.times else []
                return end
        return None

    def as_end(self, run: Run, end: EndNow) -> End:
        match end.end:
            case "success":
                return End(RunStatus.SUCCESS, None)
            case "error":
                return End(RunStatus.ERROR, end.message or f"The run was {ASKED_FOR}.")
            case "cancelled":
                return CANCELLED
            case "timeout":
                return timed_out(self._timeout_seconds(run))

    def _timeout_seconds(self, run: Run) -> int:
        override = run.trigger["timeout_seconds_override"]
        job = self.store.find_job(run.job_id)
        limit = job.definition["execution"]["timeout_seconds"] if job else 0
        return (limit if override is None else override) or ACCOUNT_LIMIT_SECONDS

    def _simulate(self, run: Run, command: str, end: NextEnd) -> StandIn:
        environment = self.account.environment(run.environment_id)
        simulation = Simulation(
            self.account.project(run.project_id).folder,
            read_command(command).name,
            describe_run(run, environment, self.account.id),
            fails=end.end == "error",
            named=tuple(end.failed),
            message=end.message,
        )
        lines = [f"Running with dbt=simulated: {command}"]
        artifacts = (
            write_artifacts(simulation) if end.artifacts is None else as_files(end.artifacts)
        )
        if end.artifacts is None:
            lines += simulation.lines
        if end.end == "error":
            lines.append(f"Encountered an error: {end.message or ASKED_FOR}")
        else:
            lines.append("Completed successfully")
        return StandIn(end.end == "success", "\n".join(map(say, lines)), artifacts)


def say(line: str) -> str:
    """As dbt begins its lines."""
    return f"{now():%H:%M:%S}  {line}"

"""What the local dbt Cloud costs and stands; each on a server of its own, on a free port."""

import statistics

from benchmarks import many_triggers, run_polls, sample_job
from benchmarks.many_triggers import measure_many_triggers
from benchmarks.run_polls import measure_polls
from benchmarks.sample_job import measure_sample_job


WIDTH = 44


def show_local_dbt_cloud() -> None:
    show_sample_job()
    show_polling()
    show_many_triggers()


def show_sample_job() -> None:
    found = measure_sample_job()
    print(f"the sample job against the plain command, {sample_job.GOES} goes each")
    show("    run: deps, freshness, build, docs", found.runs)
    for name, seconds in found.steps.items():
        shown = name.removeprefix("Invoke dbt with ").partition(" from connection")[0]
        show(f"        {shown}", seconds)
    show("    plain `dbt build`", found.plain_build)


def show(what: str, seconds: list[float]) -> None:
    spread = f"({min(seconds):.2f} to {max(seconds):.2f})"
    print(f"{what:<{WIDTH}} {statistics.median(seconds):6.2f} s   {spread}", flush=True)


def show_polling() -> None:
    print(f"polls with {run_polls.RUNS:,} runs in the store, {run_polls.CLIENTS} clients")
    for found in measure_polls():
        print(
            f"    {found.what:<{WIDTH - 4}} {found.requests_per_second:6.0f} a second   "
            f"(median {found.median_milliseconds:.1f} ms, 99 % within "
            f"{found.p99_milliseconds:.1f} ms)",
            flush=True,
        )


def show_many_triggers() -> None:
    found = measure_many_triggers()
    print(f"{many_triggers.TRIGGERS} triggers at once on {many_triggers.SLOTS} slots, none lost")
    print(f"{'    all accepted':<{WIDTH}} {found.seconds_until_accepted:6.2f} s")
    print(f"{'    all ended':<{WIDTH}} {found.seconds_until_ended:6.2f} s")
    print(f"{'    most in progress at once':<{WIDTH}} {found.most_at_once:6}")
    print("memory of the local dbt Cloud, idle (PSS)")
    print(f"{'    the server':<{WIDTH}} {found.server_megabytes:6.0f} MB")
    print(f"{'    dbt, loaded once':<{WIDTH}} {found.dbt_megabytes:6.0f} MB", flush=True)

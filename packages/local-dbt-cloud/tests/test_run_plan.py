"""Which commands a run has, and which of them may fail."""

from queue_in_process import add_run, wait
from server_process import JOB, job

from dbt_cloud_api.run_status import RunStatus
from local_dbt_cloud.runs.run_controls import RunControls, StandIn


FRESHNESS, DOCS = "dbt source freshness", "dbt docs generate"


class Failing(RunControls):
    """Makes the named commands fail, without dbt."""

    def __init__(self, *commands):
        self.commands = commands

    def before_step(self, run, step, ended):
        if step.command in self.commands:
            return StandIn(succeeded=False, log="Database Error: broken")
        return None


def run_to_its_end(queue, **more):
    ended = wait(queue, add_run(queue, **more))
    steps = [(step.command, step.status) for step in queue.store.list_steps([ended.id])[ended.id]]
    return ended, steps[2:]


def with_both(*steps):
    return job(JOB, "Build", *steps, run_generate_sources=True, generate_docs=True)


def test_freshness_and_docs_may_fail(make_queue):
    """The ticked steps come first and last; neither fails the run, and both show that they did."""
    queue = make_queue(Failing(FRESHNESS, DOCS), with_both("dbt build"))
    ended, steps = run_to_its_end(queue)

    assert (ended.status, ended.status_message) == (RunStatus.SUCCESS, None)
    assert steps == [
        ("dbt deps", RunStatus.SUCCESS),
        (FRESHNESS, RunStatus.ERROR),
        ("dbt build", RunStatus.SUCCESS),
        (DOCS, RunStatus.ERROR),
    ]


def test_freshness_as_a_command_must_succeed(make_queue):
    """Written among the job's own commands it is one like the others: the rest is skipped."""
    queue = make_queue(Failing(FRESHNESS), job(JOB, "Build", FRESHNESS, "dbt build"))
    ended, steps = run_to_its_end(queue, commands=[FRESHNESS, "dbt build"])

    assert ended.status is RunStatus.ERROR
    assert ended.failed_command == 0
    assert ended.retry_not_supported_reason == "RETRY_UNSUPPORTED_CMD"
    assert [command for command, _ in steps] == ["dbt deps", FRESHNESS]


def test_the_trigger_decides_about_docs(make_queue):
    """`generate_docs_override` wins over the job, both ways."""
    queue = make_queue(None, with_both("dbt build"))
    _, without = run_to_its_end(queue, generate_docs_override=False)
    _, with_docs = run_to_its_end(queue, generate_docs_override=True)

    assert [DOCS in dict(steps) for steps in (without, with_docs)] == [False, True]


def test_a_failing_hidden_step_fails_the_run(make_queue):
    """Without the project's packages nothing else is tried."""
    queue = make_queue(Failing("dbt deps"), with_both("dbt build"))
    ended, steps = run_to_its_end(queue)

    assert ended.status is RunStatus.ERROR
    assert ended.status_message.startswith("Invoke dbt with `dbt deps` failed: Database Error")
    assert steps == [("dbt deps", RunStatus.ERROR)]

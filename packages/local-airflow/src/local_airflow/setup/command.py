"""The conversation: address, token, job, `.env`, doctor, and a run on yes."""

from collections.abc import Callable, Mapping

from dbt_cloud_api.client import DbtCloudRefusedError, DbtCloudSilentError
from dbt_cloud_api.job_url import EXAMPLE, Address, read_address
from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT, dotenv_path, shown
from local_airflow.base.questions import Questions, questions
from local_airflow.doctor.dbt_cloud import explain
from local_airflow.doctor.examination import examine
from local_airflow.doctor.findings import Level, worst
from local_airflow.doctor.view import examine_visibly, show
from local_airflow.setup.account import ChosenJob, choose_job
from local_airflow.setup.env_file import change_settings
from local_airflow.setup.trigger import describe, trigger_and_follow
from local_airflow.stack.generated_secrets import peek_secrets
from local_airflow.stack.settings import StackSettings, load_settings


LOCAL = "local"
MASK = "***"
QUESTION = f"""\
The address of the job's page, for example
  {EXAMPLE}
or only the host of your account, or the word local"""


def setup(write: Callable[[str], None] = print) -> int:
    """Give 0 when `.env` is written and nothing is red, and a run that was wanted succeeded."""
    asked = questions(write)
    settings = load_settings(peek_secrets)
    address = asked.text("DBT_CLOUD_JOB_URL", QUESTION, _read)
    if address is None:
        return _back_to_local(write)
    kept = settings.dotenv["DBT_CLOUD_API_TOKEN"]
    keep = ", or Enter for the one in .env" if kept else ""
    token = asked.hidden("DBT_CLOUD_API_TOKEN", f"Service token (not shown{keep})", kept)
    try:
        api, chosen = choose_job(asked, settings, address, token)
    except UserError as refused:
        raise _explained(refused, settings, address, token) from None
    _write_settings(
        write, {"DBT_CLOUD_JOB_URL": chosen.address.job_url(), "DBT_CLOUD_API_TOKEN": token}
    )
    write("")
    areas = examine_visibly(examine)
    show(areas)
    (way,) = (area for area in areas if area.title.startswith("dbt Cloud from this machine"))
    if worst(way.findings) is Level.ERROR:
        write("\nNothing was started: first what is red there. Then once more:   make setup")
        return 1
    return _offer_run(asked, chosen, lambda: trigger_and_follow(api, chosen, write), write)


def _explained(
    refused: UserError, settings: StackSettings, address: Address, token: str
) -> UserError:
    """Say what the doctor would say, who knows what a refusal means and whom to ask."""
    if not isinstance(refused, (DbtCloudRefusedError, DbtCloudSilentError)):
        return refused
    target = {
        "DBT_CLOUD_HOST": address.host,
        "DBT_CLOUD_ACCOUNT_ID": str(address.account_id or 1),
        "DBT_CLOUD_JOB_ID": str(address.job_id or 1),
        "DBT_CLOUD_API_TOKEN": token,
    }
    found = explain(settings, target)
    # Without an account in the address, only what comes before the account is known.
    if found is None or (found.name in {"account", "job"} and address.account_id is None):
        return refused
    ask = (f"Ask {found.ask}",) if found.ask else ()
    return UserError(found.found, found.cause, (*found.remedies, *ask))


def _read(answer: str) -> Address | None:
    return None if answer.lower() == LOCAL else read_address(answer)


def _back_to_local(write: Callable[[str], None]) -> int:
    _write_settings(write, {"DBT_CLOUD_JOB_URL": "", "DBT_CLOUD_API_TOKEN": ""})
    write("\nThe local dbt Cloud it is. Now:   make up")
    return 0


def _write_settings(write: Callable[[str], None], changes: Mapping[str, str]) -> None:
    # These would win over the address.
    emptied = dict.fromkeys(("DBT_CLOUD_HOST", "DBT_CLOUD_ACCOUNT_ID", "DBT_CLOUD_JOB_ID"), "")
    change_settings(dotenv_path(), ROOT / ".env.example", {**emptied, **changes})
    write(f"\nwrote {shown(dotenv_path())}")
    for name, value in changes.items():
        write(f"  {name}={MASK if value and 'TOKEN' in name else value}")


def _offer_run(
    asked: Questions, chosen: ChosenJob, start: Callable[[], int], write: Callable[[str], None]
) -> int:
    write("\nA run would be")
    for name, value in describe(chosen):
        write(f"  {name:<9} {value}")
    if not asked.confirm("TRIGGER", "Start it now, in dbt Cloud itself, without Airflow?"):
        write("\nNothing was started. Now:   make up")
        return 0
    code = start()
    write("\nNow the same from Airflow:   make up, then:   make run")
    return code

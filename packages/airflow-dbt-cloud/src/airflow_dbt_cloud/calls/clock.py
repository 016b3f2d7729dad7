"""How far dbt Cloud's clock and this machine's are apart, which every answer of dbt Cloud tells."""

import email.utils
import time
from collections.abc import Mapping


# A date has no parts of a second, may be written once a second only, and takes its time to come.
SAME_TIME = 5.0


def seconds_ahead(headers: Mapping[str, str], before: float = 0.0) -> float:
    """
    Give the seconds that dbt Cloud's clock is ahead of ours, by the `Date` of an answer.

    `before` is what was known until then, and stays so where an answer has no date.
    """
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("Date") or "")
    except ValueError:
        return before
    ahead = moment.timestamp() - time.time()
    return ahead if abs(ahead) > SAME_TIME else 0.0

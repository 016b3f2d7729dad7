"""How long to wait before the next request when dbt Cloud is busy or away."""

import random


LONGEST_BACKOFF = 60.0


def backoff(failures: int, retry_after: float | None = None) -> float:
    """
    Choose the pause after so many failures in a row: doubled each time, and never the same twice.

    The jitter keeps a hundred tasks from coming back in the same instant. What dbt Cloud asks for
    with `Retry-After` is kept, and never shortened.
    """
    pause = min(2.0 ** min(failures - 1, 10), LONGEST_BACKOFF)
    jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311 # not a secret
    return jittered if retry_after is None else retry_after + jittered / 2

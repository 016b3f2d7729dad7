"""Ids as dbt Cloud's webhooks have them: a prefix and a KSUID, which sorts by its time."""

import secrets
import string
import time


ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
EPOCH = 1_400_000_000
LENGTH, RANDOM_BYTES = 27, 16


def new_id(prefix: str) -> str:
    """`wev_2L6Z3l8uPedXKPq9D2nWbPIip7Z`: four bytes of time, sixteen of chance, in base 62."""
    seconds = int(time.time()) - EPOCH
    number = seconds << (8 * RANDOM_BYTES) | secrets.randbits(8 * RANDOM_BYTES)
    digits = ""
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return f"{prefix}_{digits}"

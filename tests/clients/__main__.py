"""python -m tests.clients lock | install"""

import sys

from local_airflow.user_error import UserError
from tests.clients.clients import CLIENTS
from tests.clients.environments import install_client, lock_clients


def main(arguments: list[str]) -> int:
    match arguments:
        case ["lock"]:
            lock_clients()
        case ["install"]:
            for client in CLIENTS:
                install_client(client)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)

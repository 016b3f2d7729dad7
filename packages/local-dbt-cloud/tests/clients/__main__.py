"""python -m clients lock | install | page"""

import sys

from clients.clients import CLIENTS
from clients.environments import install_client, lock_clients
from clients.page import PAGE, REPOSITORY, read_facts, write_page

from dbt_cloud_api.user_error import UserError


def main(arguments: list[str]) -> int:
    match arguments:
        case ["lock"]:
            lock_clients()
        case ["install"]:
            for client in CLIENTS:
                install_client(client)
        case ["page"]:
            PAGE.write_text(write_page(read_facts()), encoding="utf-8")
            print(f"wrote {PAGE.relative_to(REPOSITORY)}")
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

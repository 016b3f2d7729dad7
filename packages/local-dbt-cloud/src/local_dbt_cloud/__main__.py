"""python -m local_dbt_cloud serve | health | certificates | verify | check-jobs FILE | schema"""

import os
import sys
from pathlib import Path

from dbt_cloud_api.user_error import UserError


COMMANDS = "serve | health | certificates | verify | check-jobs FILE | schema"
USAGE = f"usage: python -m local_dbt_cloud {COMMANDS}"


def main(arguments: list[str]) -> int:
    # Each command imports what it needs: health is asked often and must answer at once.
    match arguments:
        case ["serve", *options] if options in ([], ["--with-parent"]):
            from local_dbt_cloud.server import serve  # noqa: PLC0415 - see above
            from local_dbt_cloud.settings import ServerSettings  # noqa: PLC0415 - see above

            serve(ServerSettings.read(), with_parent=bool(options))
        case ["health"]:
            from local_dbt_cloud.health import report_health  # noqa: PLC0415 - see above

            return report_health()
        case ["certificates"]:
            make_certificates()
        case ["check-jobs", file]:
            from local_dbt_cloud.declared.jobs_file import read_jobs_file  # noqa: PLC0415 - see above

            read_jobs_file(Path(file))
        case ["schema"]:
            from local_dbt_cloud.declared.jobs_file import editor_schema  # noqa: PLC0415 - see above

            print(editor_schema())
        case ["verify"]:
            from local_dbt_cloud.verify.verify import verify  # noqa: PLC0415 - see above

            return verify()
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0


def make_certificates() -> None:
    from local_dbt_cloud.certificates import ensure_certificates  # noqa: PLC0415 - see main
    from local_dbt_cloud.settings import read_tls_folder  # noqa: PLC0415 - see main

    folder = read_tls_folder(os.environ)
    made = ensure_certificates(folder)
    print(f"{'made' if made else 'kept'}: {folder / 'bundle.pem'}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)

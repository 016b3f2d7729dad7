"""Asks a running server how it is."""

import json
import os
import ssl
from http.client import HTTPException, HTTPSConnection

from local_dbt_cloud.settings import read_port, read_tls_folder


def report_health() -> int:
    """Print one line; answer the exit code, 0 only for a healthy local dbt Cloud."""
    port = read_port(os.environ, "LOCAL_DBT_CLOUD_PORT", "8443")
    try:
        health = ask(port)
    except (OSError, HTTPException, ValueError) as error:
        print(f"unhealthy: https://localhost:{port} gave: {error}")
        return 1
    if health.get("service") != "local-dbt-cloud":
        print(f"unhealthy: something else answers at https://localhost:{port}")
        return 1
    print(f"{health['status']}: account {health['account_id']}, {health['jobs']} jobs")
    return 0


def ask(port: int) -> dict[str, str]:
    context = ssl.create_default_context(cafile=str(read_tls_folder(os.environ) / "ca.pem"))
    connection = HTTPSConnection("localhost", port, timeout=5, context=context)
    try:
        connection.request("GET", "/_local/health")
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}

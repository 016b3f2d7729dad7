"""
dbt-heartbeat watches a run of cloud.getdbt.com; it cannot be told another host.

What a name server would do, a proxy does here: whoever asks for cloud.getdbt.com is connected
with the local dbt Cloud, whose certificate has that name too.
"""

import socket
import socketserver
import threading
import time
from urllib.parse import urlsplit

import pytest
from seeded_dbt_cloud import CommandLine


def pump(source, target):
    """Hand on what comes, until it ends."""
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
    except OSError:
        pass
    finally:
        target.close()


def proxy_to(address):
    """A class that answers CONNECT for cloud.getdbt.com with a connection to the address."""

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self):
            asked = self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            if not asked.startswith(b"CONNECT cloud.getdbt.com:443 "):
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            with socket.create_connection(address) as server:
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                threading.Thread(target=pump, args=(server, self.connection), daemon=True).start()
                pump(self.connection, server)

    return Tunnel


@pytest.fixture
def heartbeat(dbt_cloud):
    """The command line, behind the proxy."""
    port = urlsplit(dbt_cloud.url).port
    proxy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), proxy_to(("127.0.0.1", port)))
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    yield CommandLine(
        "dh",
        {
            "DBT_CLOUD_API_KEY": dbt_cloud.token,
            "DBT_CLOUD_ACCOUNT_ID": str(dbt_cloud.account),
            "HTTPS_PROXY": f"http://127.0.0.1:{proxy.server_address[1]}",
        },
    )
    proxy.shutdown()
    proxy.server_close()


def test_finished_run(heartbeat, dbt_cloud):
    """A run that has succeeded is shown with its job, its steps and how long it took."""
    shown = heartbeat(dbt_cloud.runs["success"], "--poll-interval", 1)

    assert "Build" in shown
    assert "dbt build --exclude broken" in shown
    assert "Success" in shown


def test_failed_run(heartbeat, dbt_cloud):
    """A run that has failed is shown with the reason."""
    shown = heartbeat(dbt_cloud.runs["error"], "--poll-interval", 1)

    assert "Error" in shown
    assert "division by zero" in " ".join(shown.split())


def let_go_once_watched(dbt_cloud, run_id):
    """Hold the run until somebody has asked for it twice: to show it first, and then to poll."""
    path = f"/api/v2/accounts/{dbt_cloud.account}/runs/{run_id}/"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        requests = dbt_cloud.call("GET", "/_local/requests/")["requests"]
        if [each["path"] for each in requests].count(path) >= 2:
            break
        time.sleep(0.1)
    dbt_cloud.hold(None)


def test_run_in_progress(heartbeat, dbt_cloud, held_run):
    """A run in progress is watched until it ends."""
    watcher = threading.Thread(target=let_go_once_watched, args=(dbt_cloud, held_run))
    watcher.start()
    shown = heartbeat(held_run, "--poll-interval", 1)
    watcher.join()

    assert "Running" in shown
    assert "Success" in shown

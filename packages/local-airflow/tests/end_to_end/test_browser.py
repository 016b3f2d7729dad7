"""What a person sees: Airflow in a real browser."""

import json
import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright


# A first page of Airflow is a megabyte of scripts, and a run takes as long as dbt does.
SECONDS_FOR_A_PAGE, SECONDS_FOR_A_RUN = 90, 300
expect.set_options(timeout=SECONDS_FOR_A_PAGE * 1000)
# Without these a browser of root's does not start, or calls home.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, or the one that Playwright installed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, running_stack):
    """Airflow, logged in with what `make up` printed."""
    page = browser.new_page(ignore_https_errors=True)
    page.set_default_timeout(SECONDS_FOR_A_PAGE * 1000)
    page.goto(running_stack.airflow_url)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", running_stack.admin_password)
    page.click("button[type=submit]")
    page.get_by_role("link", name="Dags").first.wait_for()
    yield page
    page.close()


def test_one_click_runs_the_job_and_the_page_shows_it(page, running_stack):
    """
    Trigger in the UI gives a green dag_run; the dbt Cloud page then shows the run, drawn.

    The run's own page in the local dbt Cloud opens from there.
    """
    page.goto(f"{running_stack.airflow_url}/dags/dbt_cloud_job")
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
    page.wait_for_url("**/runs/manual__*")
    # The dag_run's badge, and one for each of its two tasks.
    expect(page.get_by_text("Success", exact=True)).to_have_count(
        3, timeout=SECONDS_FOR_A_RUN * 1000
    )

    page.get_by_text("Browse").first.click()
    page.get_by_role("menuitem", name="dbt Cloud").click()
    shown = page.frame_locator("iframe")
    expect(shown.locator("h1")).to_have_text(re.compile("LOCAL"))
    expect(shown.get_by_role("cell", name="Build flights").first).to_be_visible()
    expect(shown.get_by_role("heading", name=re.compile(r"Run \d+ · Success"))).to_be_visible()
    expect(shown.locator(".lane", has_text="stg_flights").first).to_be_visible()
    expect(shown.locator("svg text", has_text="daily_delays_by_carrier")).to_be_visible()

    with page.expect_popup() as opened:
        shown.get_by_role("link", name="open in dbt Cloud").first.click()
    expect(opened.value.get_by_text("dbt build").first).to_be_visible()
    assert "key" not in opened.value.url


def test_plain_link_leads_through_the_login_to_its_page(browser, running_stack):
    """
    The link *Monitor Job Run*, and those in logs and chats, have no key.

    A new browser is asked for Airflow's login, and is then at the very page.
    """
    status = json.loads(running_stack.make("status", "--format", "json").stdout)
    address = status["dbt_cloud"]["job_url"]
    with browser.new_context(ignore_https_errors=True).new_page() as page:
        page.set_default_timeout(SECONDS_FOR_A_PAGE * 1000)
        page.goto(address)
        expect(page.get_by_text("dbt build")).to_have_count(0)
        page.get_by_role("link", name="login of Airflow").click()
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", running_stack.admin_password)
        page.click("button[type=submit]")
        expect(page.get_by_role("heading", name="Build flights")).to_be_visible()

        assert page.url == address


def test_page_asks_for_the_login(browser, running_stack):
    """Without Airflow's login the page shows nothing of the account."""
    with browser.new_context().new_page() as page:
        answer = page.goto(f"{running_stack.airflow_url}/dbt-cloud/")

        assert answer.status == 401
        assert "Build flights" not in page.content()

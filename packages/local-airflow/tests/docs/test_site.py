"""The documentation as a site: it builds without a warning, and a browser needs nothing else."""

import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright


ROOT = Path(__file__).parents[4]
MKDOCS = [str(ROOT / ".local/docs/bin/python"), "-m", "mkdocs", "build", "--strict"]


def build(repository, site):
    return subprocess.run(
        [*MKDOCS, "--config-file", str(repository / "mkdocs.yml"), "--site-dir", str(site)],
        cwd=repository,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages, built as `make docs` builds them."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder


@pytest.fixture
def copy(tmp_path):
    """The texts of this repository, in a folder where they may be spoilt."""
    for name in ("docs", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("mkdocs.yml", *(path.name for path in ROOT.glob("*.md"))):
        shutil.copy(ROOT / name, tmp_path / name)
    # Links may also lead to the other folders; their names are enough.
    for path in ROOT.iterdir():
        if path.name not in {".git", ".local"} and not (tmp_path / path.name).exists():
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


class Loaded(HTMLParser):
    """The addresses that a browser loads by itself when it shows a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in {"script", "img", "iframe"} and given.get("src"):
            self.addresses.append(given["src"])
        if tag == "link" and given.get("rel") in {"stylesheet", "icon", "preconnect", "preload"}:
            self.addresses.append(given["href"])


class TestPages:
    def test_every_text_is_a_page(self, site):
        """Each Markdown file of docs/ and the texts beside the code are in the site."""
        texts = (ROOT / "docs").rglob("*.md")
        wanted = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in texts}
        wanted |= {Path("index.html"), Path("contributing.html"), Path("changelog.html")}
        packages = ROOT.glob("packages/*/README.md")
        wanted |= {Path("packages", f"{readme.parent.name}.html") for readme in packages}

        assert {str(page) for page in wanted if not (site / page).is_file()} == set()

    def test_loads_nothing_from_elsewhere(self, site):
        """No font, script, picture or style comes from another host: reading tells nobody."""
        pages = list(site.rglob("*.html"))
        loaded = {
            address
            for page in pages
            for address in Loaded(page.read_text(encoding="utf-8")).addresses
        }

        assert len(pages) > 10
        assert loaded
        assert {address for address in loaded if re.match(r"(https?:)?//", address)} == set()

    def test_no_diagram_needs_a_script(self, site):
        """A mermaid diagram would be drawn by a script from another host: there is none."""
        drawn = {
            str(page) for page in site.rglob("*.html") if 'class="mermaid"' in page.read_text()
        }

        assert drawn == set()


class TestLinks:
    @pytest.mark.parametrize(
        "line",
        [
            "[a page](no_such_page.md)",
            "[a folder](no_such_folder/)",
            "[a heading](settings.md#no-such-heading)",
            "[a file beside the code](../no_such_file.md)",
        ],
    )
    def test_a_broken_link_fails_the_build(self, copy, tmp_path, line):
        """A link that leads nowhere ends the build, and the message names the page and the link."""
        page = copy / "docs/settings.md"
        page.write_text(f"{page.read_text()}\n{line}\n")

        done = build(copy, tmp_path / "built")

        assert done.returncode != 0
        assert "settings.md" in done.stdout + done.stderr
        assert re.search(r"no[_-]such[_-]\w+", done.stdout + done.stderr)

    def test_a_text_beside_the_code_is_linked_to_its_page(self, site):
        """CONTRIBUTING.md is a page, and its link into docs/ leads there."""
        text = (site / "contributing.html").read_text(encoding="utf-8")

        assert 'href="architecture.html"' in text

    def test_examples_may_be_deleted(self, copy, tmp_path):
        """Without examples/ the texts that speak of it are built all the same."""
        (copy / "examples").unlink()

        done = build(copy, tmp_path / "built")

        assert done.returncode == 0, done.stdout + done.stderr
        assert not (tmp_path / "built/examples.html").exists()


class TestSearch:
    def test_finds_a_message(self, site):
        """In a browser, searching for a message finds its place, and asks no other host."""
        asked = []
        with served(site) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"{address}/index.html")
            # Its script reads keys, and only once it has loaded the index; until then it says so.
            ready = page.locator(".md-search-result__meta")
            expect(ready).to_have_text("Type to start searching", timeout=90_000)
            box = page.get_by_role("textbox", name="Search")
            box.click()
            box.press_sequentially("port is taken", delay=50)
            found = page.locator(".md-search-result__item").filter(has_text="Troubleshooting")
            found.first.wait_for(timeout=90_000)
            browser.close()

        assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing for each file."""


@contextmanager
def served(folder):
    """The site on a free port of this machine."""
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

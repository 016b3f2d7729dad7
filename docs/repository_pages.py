"""Texts that live beside the code are pages of the site too, and links to files outside it hold."""

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page


ROOT = Path(__file__).parents[1]
LOG = logging.getLogger("mkdocs.hooks.repository_pages")

# Where a text of the repository is in the site.
PAGES = {
    "README.md": "index.md",
    "tests/README.md": "testing.md",
    "examples/README.md": "examples.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    **{
        f"packages/{readme.parent.name}/README.md": f"packages/{readme.parent.name}.md"
        for readme in sorted(ROOT.glob("packages/*/README.md"))
    },
}
# A folder that may be deleted as a whole: a link into it is then no mistake.
MAY_BE_GONE = "examples"
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    for source, page in PAGES.items():
        if (ROOT / source).exists():
            files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    here = page.file.src_uri
    sources = {of_site: source for source, of_site in PAGES.items()}
    source = sources.get(here, f"docs/{here}")
    return LINK.sub(lambda link: _led(link, source, here), markdown)


def _led(link: re.Match[str], source: str, here: str) -> str:
    """Lead a link that is meant for the repository to where its target is in the site."""
    if "://" in link["target"] or link["target"].startswith("mailto:"):
        return link[0]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
    if target.startswith(f"{MAY_BE_GONE}/") and not (ROOT / MAY_BE_GONE).exists():
        return link["text"]
    if not (ROOT / target).exists():
        LOG.warning("%s links to %s, which is not there", source, target)
        return link[0]
    if (ROOT / target).is_dir() or not target.endswith(".md"):
        # A folder or a program: it has no page, its name is enough.
        return link["text"]
    of_site = PAGES.get(target) or target.removeprefix("docs/")
    if target not in PAGES and not target.startswith("docs/"):
        return link["text"]
    relative = posixpath.relpath(of_site, posixpath.dirname(here) or ".")
    return f"[{link['text']}]({relative}{link['anchor'] or ''})"

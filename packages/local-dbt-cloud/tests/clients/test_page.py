"""docs/clients.md says which clients were tried, in which version, and what they call."""

from clients.page import PAGE, read_page, write_page


def test_page_is_up_to_date():
    """Versions, checks and what they state are those of the lock files and the checks."""
    assert write_page(read_page()) == PAGE.read_text(encoding="utf-8"), "make docs-write"


def test_every_call_is_true(client, report_of):
    """What the page says that a client calls is what it has called."""
    assert read_page()[client.title] == report_of(client).endpoints, "make docs-write"

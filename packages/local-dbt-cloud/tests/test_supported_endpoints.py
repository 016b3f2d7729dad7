"""The coverage page says what is there, how sure it is, and which tests prove it."""

import pytest
from endpoint_calls import EndpointCalls
from supported_endpoints import (
    implemented,
    not_implemented,
    official,
    read_page,
    same_for_all,
    untrue_claims,
    write_page,
)


def test_page_is_up_to_date():
    """Every endpoint with its grade and source, and what is not implemented: `make docs-write`."""
    rows, absent = read_page()
    proven = {row.endpoint: list(row.tests) for row in rows}
    shown = {(row.endpoint, row.grade) for row in rows}

    assert shown == {(row.endpoint, row.grade) for row in implemented()}
    assert absent == not_implemented()
    # Only the order of the tests in a row may be older than the tests are.
    assert strip_tests(write_page({}, proven)) == strip_tests(page_text())


def page_text():
    from supported_endpoints import PAGE

    return PAGE.read_text(encoding="utf-8")


def strip_tests(page):
    return [
        line.rpartition(" | ")[0] if line.startswith("| `") else line for line in page.split("\n")
    ]


def test_every_endpoint_has_a_test():
    """Nothing is called implemented that no test has called with success."""
    rows, _ = read_page()

    assert {row.endpoint for row in rows if not row.tests} == set()


def test_nothing_is_invented():
    """What the official documents do not name is there because a client calls it."""
    known = {same_for_all(endpoint) for endpoint in official()}
    invented = {
        row.endpoint
        for row in implemented()
        if same_for_all(row.endpoint) not in known and row.grade not in {"R", "C"}
    }

    assert invented == set()


def test_the_others_answer_501(dbt_cloud):
    """Each endpoint of the official documents that is not implemented says so of itself."""
    connection = dbt_cloud.connection
    wrong = {}
    for endpoint in not_implemented():
        method, path = endpoint.split()
        path = (
            path.replace("{account_id}", str(connection.account_id))
            .replace("{", "")
            .replace("}", "")
        )
        answer = dbt_cloud.server.answer(method, path)
        if answer.status != 501 or path not in answer.text:
            wrong[endpoint] = answer.status

    assert wrong == {}


class TestCalls:
    def test_a_claim_that_is_not_true(self):
        """A module that was run as a whole and did not call an endpoint is found out."""
        row = next(row for row in read_page()[0] if row.tests)
        calls = EndpointCalls([row.endpoint])
        calls.modules.add(row.tests[0])

        assert (row.endpoint, row.tests[0]) in untrue_claims(calls)

        calls.found[row.endpoint] = {row.tests[0]}

        assert (row.endpoint, row.tests[0]) not in untrue_claims(calls)

    def test_what_processes_tell_each_other(self):
        """What was noted in one process arrives whole in another."""
        told = EndpointCalls(["GET /a/"], found={"GET /a/": {"test_it"}}, modules={"test_it"})
        other = EndpointCalls(["GET /a/"], found={"GET /a/": {"test_other"}})
        other.add(told.as_json())

        assert other.found == {"GET /a/": {"test_it", "test_other"}}
        assert other.whole_modules == {"test_it"}

    @pytest.mark.parametrize(
        ("line", "endpoint"),
        [
            ("GET /api/v2/accounts/7/runs/ 200 1.0 ms", "GET /api/v2/accounts/{a}/runs/"),
            ("GET /api/v2/accounts/7/runs 200 1.0 ms", "GET /api/v2/accounts/{a}/runs/"),
            ("GET /api/v2/accounts/7/runs/5/ 200 1.0 ms", "GET /api/v2/accounts/{a}/runs/{r}/"),
            (
                "GET /api/v2/accounts/7/runs/5/artifacts/ 200 1.0 ms",
                "GET /api/v2/accounts/{a}/runs/{r}/artifacts/",
            ),
            (
                "GET /api/v2/accounts/7/runs/5/artifacts/a/b.sql 200 1.0 ms",
                "GET /api/v2/accounts/{a}/runs/{r}/artifacts/{path}",
            ),
            ("GET /api/v2/accounts/7/runs/5/ 404 1.0 ms", None),
            ("GET /api/v2/accounts/7/runs/5/ cut 1.0 ms", None),
            ("POST /api/v2/accounts/7/runs/5/ 200 1.0 ms", None),
            ("run 5 ended: Success", None),
        ],
    )
    def test_line_of_a_log(self, tmp_path, line, endpoint):
        """A call that succeeded counts for the endpoint that answered it."""
        calls = EndpointCalls(
            [
                "GET /api/v2/accounts/{a}/runs/",
                "GET /api/v2/accounts/{a}/runs/{r}/",
                "GET /api/v2/accounts/{a}/runs/{r}/artifacts/",
                "GET /api/v2/accounts/{a}/runs/{r}/artifacts/{path}",
            ]
        )
        log = tmp_path / "a.log"
        log.write_text(f"2026-11-24 18:45:20,967 {line}\n")
        calls.read([log], "test_it")
        calls.read([log], "test_other")

        assert calls.found == ({endpoint: {"test_it"}} if endpoint else {})

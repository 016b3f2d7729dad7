"""The encodings of lists, ranges and pages that shipping clients send."""

from datetime import UTC, datetime

import pytest
from starlette.datastructures import QueryParams

from local_dbt_cloud.wire.errors import InvalidRequestError
from local_dbt_cloud.wire.query_parameters import (
    integers,
    moments,
    read_filters,
    read_paging,
    read_related,
)


class TestReadRelated:
    @pytest.mark.parametrize(
        "query",
        [
            "include_related=run_steps&include_related=job",
            "include_related=run_steps%2Cjob",
            "include_related=run_steps,job",
            "include_related=%5B%22run_steps%22%2C+%22job%22%5D",
            "include_related=['run_steps', 'job']",
            "include_related=[run_steps,job]",
            'include_related=["run_steps",,"job"]',
        ],
        ids=["repeated", "airflow", "dbtc", "json", "python-repr", "terraform", "kestra"],
    )
    def test_every_encoding_means_the_same(self, query):
        """What one client sends as JSON and another with commas is the same list."""
        assert read_related(QueryParams(query)) == {"run_steps", "job"}

    @pytest.mark.parametrize("query", ["", "include_related=", "include_related=[]"])
    def test_nothing_is_nothing(self, query):
        """An empty list in any spelling asks for nothing."""
        assert read_related(QueryParams(query)) == frozenset()


class TestReadFilters:
    def test_airflow_asks_for_statuses_with_a_python_list(self):
        """`[1, 2, 3]` as one text is three numbers."""
        query = QueryParams("status__in=%5B1%2C+2%2C+3%5D&unknown=1")

        assert read_filters(query, {"status__in": integers}) == {"status__in": [1, 2, 3]}

    def test_range_of_two_iso_timestamps(self):
        """A range is read in any list encoding; a timestamp without a zone is UTC."""
        query = QueryParams('created_at__range=["2024-07-03T13:59:00Z","2024-07-04T00:00:00"]')

        assert read_filters(query, {"created_at__range": moments}) == {
            "created_at__range": [
                datetime(2024, 7, 3, 13, 59, tzinfo=UTC),
                datetime(2024, 7, 4, tzinfo=UTC),
            ]
        }

    @pytest.mark.parametrize("value", ["X", "[1,X]", "9" * 40])
    def test_unreadable_value_is_refused_in_the_recorded_words(self, value):
        """The 400 names the parameter and quotes the value."""
        with pytest.raises(InvalidRequestError) as caught:
            read_filters(QueryParams({"status__in": value}), {"status__in": integers})

        assert caught.value.data == {
            "status__in": f"'{value}' is not valid under any of the given schemas"
        }


class TestReadPaging:
    @pytest.mark.parametrize(("given", "effective"), [("5", 5), ("100", 100), ("101", 100)])
    def test_limit_is_cut_to_100(self, given, effective):
        """More than a hundred a page is a hundred."""
        assert read_paging(QueryParams({"limit": given})).limit == effective

    @pytest.mark.parametrize("query", ["limit=0", "offset=-1", "order_by=password", "limit=x"])
    def test_nonsense_is_refused(self, query):
        """What cannot be a page is a 400 that names the parameter."""
        with pytest.raises(InvalidRequestError) as caught:
            read_paging(QueryParams(query))

        assert list(caught.value.data) == [query.partition("=")[0]]

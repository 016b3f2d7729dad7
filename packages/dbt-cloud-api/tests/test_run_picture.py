from dbt_cloud_api.run_picture import graph, owner, timeline
from dbt_cloud_api.run_results import RunResults


def result(name, started_at, seconds, status="success"):
    return {
        "unique_id": name,
        "status": status,
        "execution_time": seconds,
        "timing": [{"name": "compile", "started_at": started_at}] if started_at else [],
    }


RESULTS = RunResults.parse(
    [
        {
            "metadata": {"invocation_id": "i"},
            "elapsed_time": 4.0,
            "results": [
                result("model.f.a", "2026-01-01T00:00:00.000000Z", 2.0),
                result("model.f.b", "2026-01-01T00:00:01.000000Z", 1.0),
                result("model.f.c", "2026-01-01T00:00:02.000000Z", 2.0, "error"),
                result("model.f.d", None, 0.0, "skipped"),
                result("test.f.t.1a", "2026-01-01T00:00:02.000000Z", 0.5, "pass"),
            ],
        }
    ]
)
MANIFEST = {
    "nodes": {
        "model.f.a": {"group": "operations", "config": {}},
        "model.f.b": {"group": None, "config": {"meta": {"owner": "Bea"}}},
        "model.f.c": {"config": {}},
        "test.f.t.1a": {"attached_node": "model.f.a", "config": {}},
    },
    "groups": {
        "group.f.operations": {
            "name": "operations",
            "owner": {"name": None, "email": "o@example.com"},
        }
    },
    "parent_map": {
        "model.f.a": ["source.f.raw.x"],
        "model.f.b": ["model.f.a"],
        "model.f.c": ["model.f.a", "model.f.b"],
        "model.f.d": ["model.f.c"],
    },
}


class TestTimeline:
    def test_bars_are_percent_of_the_run(self):
        """A node that starts after a quarter of the run and takes a quarter lies there."""
        bars = {bar.node.name: bar for bar in timeline(RESULTS, MANIFEST)}

        assert (bars["a"].left, bars["a"].width) == (0.0, 50.0)
        assert (bars["b"].left, bars["b"].width) == (25.0, 25.0)

    def test_node_that_never_started_has_no_bar(self):
        """A skipped node is not on the time axis."""
        assert "d" not in {bar.node.name for bar in timeline(RESULTS, MANIFEST)}

    def test_run_without_results_is_empty(self):
        """A run that wrote nothing gives no bars instead of an error."""
        assert timeline(RunResults.parse([]), {}) == []


class TestOwner:
    def test_group_owner_by_name_or_mail(self):
        """The owner of the group is taken, by mail where it has no name."""
        assert owner("model.f.a", MANIFEST) == "o@example.com"

    def test_meta_owner(self):
        """Without a group, `meta.owner` names the owner."""
        assert owner("model.f.b", MANIFEST) == "Bea"

    def test_dbt_test_belongs_to_its_models_owner(self):
        """A dbt test is owned by whom the model belongs that it tests."""
        assert owner("test.f.t.1a", MANIFEST) == "o@example.com"

    def test_nobody(self):
        """A node that nobody claims has an empty owner."""
        assert owner("model.f.c", MANIFEST) == ""


class TestGraph:
    def test_columns_are_the_longest_way(self):
        """A model stands right of everything that it selects from."""
        columns = {box.name: box.column for box in graph(RESULTS, MANIFEST).boxes}

        assert columns == {"a": 0, "b": 1, "c": 2, "d": 3}

    def test_lines_join_models_only(self):
        """Lines go from parent to child; sources and dbt tests are not in the picture."""
        lines = {(one.name, other.name) for one, other in graph(RESULTS, MANIFEST).lines}

        assert lines == {("a", "b"), ("a", "c"), ("b", "c"), ("c", "d")}

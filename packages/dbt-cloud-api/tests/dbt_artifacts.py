"""The artifacts of one small run, as dbt 1.11 writes them but for what nobody reads."""

RUN_RESULTS = {
    "metadata": {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
        "dbt_version": "1.11.16",
        "generated_at": "2026-11-27T02:57:07.947955Z",
        "invocation_id": "c9f6a2f5-4a6d-4d7c-8a62-3f5f0a5d7b11",
    },
    "results": [
        {
            "status": status,
            "timing": [
                {
                    "name": "compile",
                    "started_at": f"2026-11-27T02:57:0{second}.947955Z",
                    "completed_at": f"2026-11-27T02:57:0{second}.957955Z",
                }
            ]
            * (status != "skipped"),
            "execution_time": 0.25,
            "adapter_response": {"_message": "SELECT 3", "code": "SELECT", "rows_affected": 3},
            "message": message,
            "failures": failures,
            "unique_id": unique_id,
        }
        for second, (unique_id, status, message, failures) in enumerate(
            [
                ("seed.p.raw", "success", "INSERT 3", None),
                ("model.p.a", "success", "SELECT 3", None),
                ("model.p.b.v2", "error", "Database Error in b\n  no such column", None),
                ("test.p.not_null_a_id.1a2b", "warn", "Got 2 results", 2),
                ("model.p.c", "skipped", None, None),
            ]
        )
    ],
    "elapsed_time": 1.5,
    "args": {"which": "build"},
}
MANIFEST = {
    "nodes": {
        "model.p.a": {"group": "finance", "original_file_path": "models/a.sql", "config": {}},
        "model.p.b.v2": {"group": None, "config": {"meta": {"owner": "Bea"}}},
        "test.p.not_null_a_id.1a2b": {"attached_node": "model.p.a", "config": {}},
    },
    "sources": {"source.p.raw.a": {"config": {"meta": {"owner": "Data platform"}}}},
    "groups": {"group.p.finance": {"name": "finance", "owner": {"name": None, "email": "f@x"}}},
    "parent_map": {
        "model.p.a": ["seed.p.raw"],
        "model.p.b.v2": ["model.p.a"],
        "model.p.c": ["model.p.a", "model.p.b.v2"],
    },
    "child_map": {"model.p.a": ["model.p.b.v2", "model.p.c"], "model.p.b.v2": ["model.p.c"]},
}
SOURCES = {
    "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/sources/v3.json"},
    "results": [
        {
            "unique_id": "source.p.raw.a",
            "max_loaded_at": "2026-11-26T02:57:06Z",
            "max_loaded_at_time_ago_in_s": 86400.5,
            "status": "warn",
        },
        {"unique_id": "source.p.raw.b", "error": "no such table", "status": "runtime error"},
    ],
    "elapsed_time": 0.5,
}

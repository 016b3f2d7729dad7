"""
For tests of DAGs: an Airflow of their own, `dag.test()` with its outcome, and the policies.

    # pyproject.toml
    [tool.pytest.ini_options]
    addopts = ["-p", "airflow_dbt_cloud.testing.pytest_plugin"]
"""

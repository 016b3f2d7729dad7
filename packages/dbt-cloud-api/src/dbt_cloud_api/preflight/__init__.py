"""
Ask dbt Cloud, step by step, whether the job can be run from here. Changes nothing.

    python3 -m dbt_cloud_api.preflight                what .env says, from this process
    python3 -m airflow_dbt_cloud.preflight            the connection as Airflow sees it

Only the second needs Airflow; everything else is the standard library, so that it also answers
before anything is installed.
"""

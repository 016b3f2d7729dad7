"""
What the DAGs know about dbt Cloud.

Imports nothing, so that `connection` and `job_url` also run where Airflow is not installed.
"""

CONNECTION_ID = "dbt_cloud_default"

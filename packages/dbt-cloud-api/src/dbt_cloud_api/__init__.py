"""
What everybody must know of dbt Cloud, said once.

Imports the standard library only, so that it runs where neither Airflow nor dbt is installed.
"""

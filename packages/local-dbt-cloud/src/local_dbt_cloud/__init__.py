"""
dbt Cloud on this machine: its Administrative API over TLS, with real dbt Core runs behind it.

Knows nothing of Airflow. Three surfaces that never mix: `/api/` exactly as dbt Cloud,
`/deploy/` pages for people, `/_local/` its own controls.
"""

VERSION = "0.1.0"

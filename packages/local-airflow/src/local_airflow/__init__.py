"""Start, watch and stop everything without Docker. Talks to Airflow only as processes."""

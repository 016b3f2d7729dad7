"""What is left out where the local dbt Cloud is not installed: in Astro's image."""

from importlib.util import find_spec


collect_ignore = [] if find_spec("local_dbt_cloud") else ["test_dbt_cloud_job.py"]

"""
`make jobs-plan`, `jobs-sync`, `jobs-import`: the jobs of dbt_cloud_jobs.yml and of an account.

What differs, what is sent and what is read is the work of the package dbt-jobs-as-code. Ours is to
say which account, under which ids, and to ask before anything is changed. Runs in
`.local/jobs-as-code`.
"""

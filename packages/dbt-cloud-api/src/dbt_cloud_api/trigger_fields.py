"""What a request that starts a run may say: the body of `POST …/jobs/{id}/run/`."""

PULL_REQUEST_FIELDS = (
    "azure_pull_request_id",
    "github_pull_request_id",
    "gitlab_merge_request_id",
    "non_native_pull_request_id",
)
# What makes this run another one than the job's usual.
OVERRIDE_FIELDS = (
    "git_branch",
    "git_sha",
    *PULL_REQUEST_FIELDS,
    "schema_override",
    "dbt_version_override",
    "threads_override",
    "target_name_override",
    "generate_docs_override",
    "timeout_seconds_override",
    "steps_override",
)
# In the order in which a run shows them.
TRIGGER_FIELDS = ("cause", *OVERRIDE_FIELDS)

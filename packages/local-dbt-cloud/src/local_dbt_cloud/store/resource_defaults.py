"""What a resource is where nobody said otherwise, by kind."""

from dbt_cloud_api.job_model import FRESH, SETTINGS
from local_dbt_cloud.store.resource_store import Definition


PROJECT: Definition = {
    "description": "",
    "connection_id": None,
    "repository_id": None,
    "semantic_layer_config_id": None,
    "dbt_project_subdirectory": None,
    "docs_job_id": None,
    "freshness_job_id": None,
    "type": 0,
}
ENVIRONMENT: Definition = {
    "connection_id": None,
    "credentials_id": None,
    "repository_id": None,
    "extended_attributes_id": None,
    "dbt_version": "1.11.0-latest",
    "type": "deployment",
    "deployment_type": None,
    "use_custom_branch": False,
    "custom_branch": None,
    "dbt_project_subdirectory": None,
    "supports_docs": False,
    "enable_model_query_history": False,
    "enable_dbt_state": False,
    "primary_profile_id": None,
}
CONNECTION: Definition = {
    "project_id": None,
    "type": "postgres",
    "adapter_version": "postgres_v0",
    "config": {},
    "private_link_endpoint_id": None,
    "is_ssh_tunnel_enabled": False,
    "oauth_configuration_id": None,
    # Only dbt_cloud_jobs.yml says these: the dbt adapter to install, and what its profile holds.
    "adapter": None,
    "profile": None,
}
CREDENTIALS: Definition = {
    "type": "postgres",
    "threads": None,
    "username": None,
    "password": None,
    "default_schema": None,
    "target_name": "default",
    "adapter_version": None,
}
REPOSITORY: Definition = {
    "full_name": None,
    "remote_backend": None,
    "git_clone_strategy": "deploy_key",
    "deploy_key_id": None,
    "repository_credentials_id": None,
    "github_installation_id": None,
    "github_webhook_id": None,
    "pull_request_url_template": None,
    "private_link_endpoint_id": None,
    "git_provider_id": None,
}
ADAPTER: Definition = {"metadata_json": {}}
JOB: Definition = {
    **FRESH,
    "execute_steps": [],
    "generate_docs": False,
    "run_generate_sources": False,
    "settings": SETTINGS,
    "lifecycle_webhooks": False,
    "lifecycle_webhooks_url": None,
    "force_node_selection": None,
}
ENVIRONMENT_VARIABLE: Definition = {
    "environment_id": None,
    "job_definition_id": None,
    "user_id": None,
}

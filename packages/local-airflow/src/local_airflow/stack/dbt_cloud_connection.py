"""The connection that `.env` describes, and the way to dbt Cloud itself."""

from dbt_cloud_api.client import DbtCloudApi, https_proxy, is_socks
from dbt_cloud_api.connection_settings import DbtCloudConnection, connection_from
from local_airflow.stack.settings import StackSettings
from local_airflow.stack.trust import tls_context


def read_connection(settings: StackSettings) -> DbtCloudConnection:
    """Raise `UserError` for a `.env` that contradicts itself or leaves something open."""
    return connection_from(settings.dbt_cloud_variables())


def leaves_out_socks(connection: DbtCloudConnection) -> bool:
    """Tell whether the shell has a SOCKS proxy before dbt Cloud: none of our processes gets it."""
    return is_socks(https_proxy(connection.host))


def dbt_cloud_api(connection: DbtCloudConnection, settings: StackSettings) -> DbtCloudApi:
    return DbtCloudApi.of(connection, tls_context(settings))

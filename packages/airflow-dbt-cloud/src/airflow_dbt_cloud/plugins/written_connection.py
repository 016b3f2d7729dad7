"""Write a connection into Airflow's metadata database, where people see it and can test it."""

from collections.abc import Mapping

from airflow.models.connection import Connection
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError


def write_connection(connection_id: str, fields: Mapping[str, str]) -> None:
    """Create the connection or bring it up to date, whoever else does so in the same instant."""
    try:
        _write(connection_id, fields)
    except IntegrityError:
        # Another component created it just now: what is left is an update.
        _write(connection_id, fields)


def _write(connection_id: str, fields: Mapping[str, str]) -> None:
    with create_session() as session:
        connection = session.scalar(select(Connection).where(Connection.conn_id == connection_id))
        if connection is None:
            connection = Connection(conn_id=connection_id)
            session.add(connection)
        # `set_password` and `set_extra` encrypt; the others are plain columns.
        connection.set_password(fields.get("password"))
        connection.set_extra(fields.get("extra", ""))
        for name in ("conn_type", "host", "login", "schema", "description"):
            setattr(connection, name, fields.get(name))
        connection.port = int(fields["port"]) if "port" in fields else None

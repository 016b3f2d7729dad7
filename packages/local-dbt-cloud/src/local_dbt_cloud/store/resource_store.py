"""The resources of one table: found, listed, added, changed, and brought in line with a file."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, insert, select, update

from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.store.stored_filters import condition, read_page
from local_dbt_cloud.wire.timestamps import now


ACTIVE_STATE, DELETED_STATE = 1, 2
Definition = dict[str, Any]
# What a row of the file that has been dropped says: not what the file may say again later.
DROPPED: Definition = {}


@dataclass(frozen=True, slots=True)
class Resource:
    """One row; `definition` is what it is, in the API's own keys."""

    id: int
    state: int
    created_at: datetime
    updated_at: datetime
    declaration: Definition | None
    definition: Definition

    @property
    def name(self) -> str:
        name: str = self.definition["name"]
        return name

    @property
    def is_active(self) -> bool:
        return self.state == ACTIVE_STATE

    def __getitem__(self, key: str) -> Any:
        return self.definition[key]


class Resources:
    """Every method is one transaction and safe to call from any thread."""

    def __init__(self, engine: Engine, table: Table, defaults: Definition) -> None:
        self.engine, self.table, self.defaults = engine, table, defaults
        # A change reads before it writes; two at once must not read the same.
        self.changing = threading.RLock()

    def find(self, identifier: int | None) -> Resource | None:
        """Also a deleted one: runs outlive what they ran."""
        query = select(self.table).where(self.table.c.id == identifier)
        with self.engine.connect() as reader:
            row = reader.execute(query).first()
        return None if row is None else self._to_resource(row)

    def find_active(self, identifier: int | None) -> Resource | None:
        found = self.find(identifier)
        return found if found and found.is_active else None

    def page(
        self, filters: Mapping[str, Any], order_by: str, limit: int, offset: int
    ) -> tuple[list[Resource], int]:
        rows, total = read_page(self.engine, self.table, filters, order_by, limit, offset)
        return [self._to_resource(row) for row in rows], total

    def active(self, **filters: Any) -> list[Resource]:
        """All that are not deleted, by id."""
        return self.every(**filters, state=ACTIVE_STATE)

    def every(self, **filters: Any) -> list[Resource]:
        """Also those that are deleted."""
        where = [condition(self.table, name, value) for name, value in filters.items()]
        query = select(self.table).where(*where).order_by(self.table.c.id)
        with self.engine.connect() as reader:
            rows = reader.execute(query).all()
        return [self._to_resource(row) for row in rows]

    def add(self, definition: Definition, state: int = ACTIVE_STATE) -> Resource:
        moment = now()
        values = {"definition": self.defaults | definition, "state": state}
        values |= {"created_at": moment, "updated_at": moment}
        with self.engine.begin() as transaction:
            new = transaction.execute(insert(self.table).values(values).returning(self.table)).one()
        return self._to_resource(new)

    def change(
        self, identifier: int, change: Callable[[Definition], Definition], state: int | None = None
    ) -> Resource:
        """Replace the definition by what the function makes of it."""
        row = self.table.c.id == identifier
        with self.changing, self.engine.begin() as transaction:
            before = transaction.execute(select(self.table).where(row)).one()
            definition = self.defaults | change(self.defaults | before.definition)
            values: dict[str, Any] = {"definition": definition, "updated_at": now()}
            if state is not None:
                values["state"] = state
            changed = update(self.table).where(row).values(values).returning(self.table)
            return self._to_resource(transaction.execute(changed).one())

    def delete(self, identifiers: Iterable[int]) -> None:
        """Softly: what is deleted is still found by its id, by those who ask for it so."""
        rows = self.table.c.id.in_(set(identifiers)) & (self.table.c.state == ACTIVE_STATE)
        deleted = update(self.table).where(rows)
        with self.engine.begin() as transaction:
            transaction.execute(deleted.values(state=DELETED_STATE, updated_at=now()))

    def delete_one(self, identifier: int) -> Resource:
        """Answer it as it is then: dbt Cloud shows what it deleted."""
        return self.change(identifier, lambda definition: definition, DELETED_STATE)

    # What a file declares

    def declare(self, transaction: Connection, declared: Mapping[int, Definition]) -> None:
        """
        Apply what has changed in the file since it was last applied, and nothing else.

        What the API changed stays, until the file says something new about the same resource.
        """
        was_declared = self.table.c.declaration.is_not(None)
        for row in transaction.execute(select(self.table).where(was_declared)):
            if row.id not in declared and row.declaration != DROPPED:
                self._write(transaction, row.id, state=DELETED_STATE, declaration=DROPPED)
        for identifier, definition in declared.items():
            self._declare_one(transaction, identifier, definition)

    def _declare_one(self, transaction: Connection, identifier: int, declared: Definition) -> None:
        before = transaction.execute(
            select(self.table).where(self.table.c.id == identifier)
        ).first()
        definition = self.defaults | declared
        values = {"state": ACTIVE_STATE, "declaration": declared, "definition": definition}
        if before is None:
            moment = now()
            values |= {"id": identifier, "created_at": moment, "updated_at": moment}
            transaction.execute(insert(self.table).values(values))
        elif before.declaration is None and before.definition["name"] != declared["name"]:
            raise UserError(
                f"the id {identifier} is taken among the {self.table.name}",
                "dbt_cloud_jobs.yml declares it, and the API has created something else under it.",
                ("declare another id", "make reset   (deletes what the API created, and all runs)"),
            )
        elif before.declaration != declared:
            self._write(transaction, identifier, **values)

    def _write(self, transaction: Connection, identifier: int, **values: Any) -> None:
        row = update(self.table).where(self.table.c.id == identifier)
        transaction.execute(row.values(**values, updated_at=now()))

    def _to_resource(self, row: Row[Any]) -> Resource:
        definition = self.defaults | row.definition
        return Resource(
            row.id, row.state, row.created_at, row.updated_at, row.declaration, definition
        )

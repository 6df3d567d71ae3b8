"""One request to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weir.edges.embedded.clickhouse_facade.catalogue import Rights
from weir.edges.embedded.clickhouse_facade.statement import Statement

if TYPE_CHECKING:
    from weir.edges.embedded.clickhouse_facade.sessions import Session


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """Rows that come with a statement, for it to read as a table.

    structure: names and types of the columns as in CREATE TABLE.
    """

    name: str
    structure: str
    format: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A statement with everything that a request says beside it.

    settings: of this statement only.
    parameters: for {name:Type} in the statement, bound by the engine; escaped as HTTP clients send them.
    readonly: 0, 1 (reads only) or 2 (reads and settings), as in ClickHouse.
    session: the handle that is used; None for one that lives as long as the statement.
    tables: external ones, which are there for this statement only.
    query_id: under which KILL QUERY finds the statement; unique among those that run.
    """

    statement: Statement
    rights: Rights
    database: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    readonly: int = 0
    session: Session | None = None
    tables: tuple[ExternalTable, ...] = ()
    query_id: str = ""

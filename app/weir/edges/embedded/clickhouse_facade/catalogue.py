"""How much a request may do, and which functions it may call for that, by the engine's own lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from weir.edges.embedded.clickhouse_facade import allowed


class Rights(IntEnum):
    """How much a request may do. READER is the least: tables and how results look; READS changes settings too."""

    READER = 1
    READS = 2
    OWNER = 3


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Names of functions and table functions, in small letters, that may not be called.

    outside: by nobody.
    reader: by a reader; includes `outside`.
    outside_functions, reader_functions: of these, the ones that can be handed to another function.
    plain: functions, table functions aside, that take values only. Every other one may call what it is handed.
    combined: an aggregate with combinators behind it, as sumIf; it takes values only too.
    """

    outside: frozenset[str]
    reader: frozenset[str]
    outside_functions: frozenset[str]
    reader_functions: frozenset[str]
    plain: frozenset[str]
    combined: re.Pattern[str]

    @classmethod
    def of(
        cls,
        tables: Iterable[str],
        functions: Iterable[tuple[str, str]],
        higher_order: Iterable[str] = (),
        combinators: Iterable[str] = (),
    ) -> Catalogue:
        """From the engine's lists: table functions, (function, category), those that take functions, combinators."""
        tables = {name.lower() for name in tables}
        known = [(name.lower(), category) for name, category in functions]
        outside = frozenset(tables - allowed.INSIDE_TABLES) | allowed.OUTSIDE_FUNCTIONS
        outside |= {name for name, category in known if category in allowed.OUTSIDE_CATEGORIES}
        # A name that is both, such as `format`: the engine itself keeps the table function from a read-only user.
        scalars = {
            name for name, category in known if category in allowed.READER_CATEGORIES
        } - allowed.READER_REFUSED | allowed.PLAIN_INTERNALS
        strange = {name for name, _ in known} - scalars
        every = frozenset(name for name, _ in known) | allowed.OUTSIDE_FUNCTIONS
        reader = outside | strange | (tables - allowed.READER_TABLES - scalars)
        plain = every - {name.lower() for name in higher_order}
        aggregates = plain & {name for name, category in known if category == allowed.AGGREGATES}
        combined = re.compile(f"{_any_of(aggregates)}{_any_of(name.lower() for name in combinators)}+")
        return cls(outside, reader, outside & every, reader & every, plain, combined)

    @classmethod
    def read(cls, ask: Callable[[str], str]) -> Catalogue:
        """Of an engine. ask: the answer to a SELECT, as TSVRaw.

        An alias of a function stands under the category of what it stands for.
        """
        columns = "name, categories, is_aggregate, higher_order, alias_to"
        functions = ask(f"SELECT {columns} FROM system.functions WHERE origin = 'System'")
        rows = [line.split("\t") for line in functions.splitlines()]
        categories = {name: allowed.AGGREGATES if aggregate == "1" else kind for name, kind, aggregate, _, _ in rows}
        higher = {name for name, _, _, higher_order, _ in rows if higher_order == "1"}
        return cls.of(
            ask("SELECT name FROM system.table_functions").split(),
            [(name, categories.get(alias, "") if alias else categories[name]) for name, _, _, _, alias in rows],
            higher | {name for name, _, _, _, alias in rows if alias in higher},
            ask("SELECT name FROM system.aggregate_function_combinators").split(),
        )

    def takes_values(self, name: str) -> bool:
        """Whether a function of this name, in small letters, takes values and nothing that it may call."""
        return name in self.plain or self.combined.fullmatch(name) is not None

    def refused(self, rights: Rights) -> frozenset[str]:
        """Names that may not be called with these rights."""
        return self.reader if rights is Rights.READER else self.outside


def _any_of(names: Iterable[str]) -> str:
    """A pattern for one of several names; for none of them, one that matches nothing."""
    return "(?:" + ("|".join(map(re.escape, sorted(names))) or "(?!)") + ")"

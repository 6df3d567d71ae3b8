"""The columns of an external table, as a client describes them: a name and a type each, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from weir.edges.embedded.clickhouse_facade.calls import check_called
from weir.edges.embedded.clickhouse_facade.catalogue import Catalogue, Rights
from weir.edges.embedded.clickhouse_facade.faults import ACCESS_DENIED, Fault
from weir.edges.embedded.clickhouse_facade.words import Brackets, Token, words_of

_HEAD = ["CREATE", "TEMPORARY", "TABLE"]
_TAIL = ["ENGINE", "=", "Memory"]
# What may follow the first word of a type of SQL, as in DOUBLE PRECISION and CHARACTER VARYING.
_SECOND_WORDS = frozenset(["PRECISION", "VARYING", "LARGE", "OBJECT", "CHAR", "CHARACTER", "SIGNED", "UNSIGNED"])
_NO_TYPES = frozenset(["DEFAULT", "MATERIALIZED", "ALIAS", "EPHEMERAL", "CODEC", "TTL", "COMMENT", "NULL", "NOT"])
_SIGNS = re.compile(r"[(),=.+\-]")


def description(table: str, structure: str) -> bytes:
    """A statement that makes the table, if the structure is one: for the formatter, and never run."""
    text = f"CREATE TEMPORARY TABLE `{table}` ({structure}\n) ENGINE = Memory"  # a comment may end the structure
    return text.encode("utf-8", "surrogateescape")


def listed(normal: str, table: str, rights: Rights, catalogue: Catalogue) -> str:
    """Names and types of the columns, with commas between them.

    normal: the description as the engine's formatter writes it.

    Raises Fault for a structure that holds anything else, or a name that these rights do not cover.
    """
    words = words_of(normal, rights)
    texts = [word.text for word in words]
    brackets = Brackets.of(words)
    opening = len(_HEAD) + 1
    end = brackets.closing.get(opening, 0)
    is_table = texts[: opening + 1] == [*_HEAD, table, "("] and end and texts[end + 1 :] == _TAIL
    bounds = [opening, *brackets.commas[opening], end] if is_table else []
    if not bounds or not all(_is_column(words[before + 1 : after], normal) for before, after in pairwise(bounds)):
        text = f"The structure of the external table {table} is names and types of columns, and nothing else"
        raise Fault(ACCESS_DENIED, "ACCESS_DENIED", text)
    check_called(words[opening:end], rights, catalogue)
    return normal[words[opening].end : words[end].start]


def _is_column(words: Sequence[Token], normal: str) -> bool:
    """Whether this is a name, which the formatter quotes, and a type with its arguments or none."""
    if len(words) < 2 or not normal.startswith("`", words[0].start):
        return False
    kind = words[1]
    if kind.kind != "name" or kind.text.upper() in _NO_TYPES or normal.startswith("`", kind.start):
        return False
    rest = 2
    while rest < len(words) and words[rest].text in _SECOND_WORDS:
        rest += 1
    arguments = words[rest:]
    if not arguments:
        return True
    return (
        arguments[0].text == "("
        and arguments[0].start == words[rest - 1].end  # with a space before it, it is an expression
        and Brackets.of(arguments).closing.get(0) == len(arguments) - 1
        and all(word.kind or _SIGNS.fullmatch(word.text) for word in arguments)
    )

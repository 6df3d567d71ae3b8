"""What a statement may do: read and write the tables of its own directory, and nothing beside.

The engine is a library inside this process. Left alone it reads and writes every file that the process may, opens
connections and runs programs, for a read-only user too: `readonly` covers neither `INTO OUTFILE` nor the function
`file`. So a statement is looked at before it runs, as the engine's own formatter writes it: one statement, without
comments, every name and literal in one spelling. What may pass is listed, measured against the engine's own
catalogue, so that a function of a later version is refused until somebody has looked at it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from weir.edges.embedded.clickhouse_facade import allowed, setting_names
from weir.edges.embedded.clickhouse_facade.calls import Calls, check_handed_on, may_call
from weir.edges.embedded.clickhouse_facade.catalogue import Catalogue, Rights
from weir.edges.embedded.clickhouse_facade.faults import (
    READONLY,
    UNKNOWN_QUERY_PARAMETER,
    Denied,
    Fault,
)
from weir.edges.embedded.clickhouse_facade.kept import Kept
from weir.edges.embedded.clickhouse_facade.words import HEAD_WORDS, Token, bounded, tokens, words_of

# An INSERT of data into a plain table, the recorder's: nothing in it can call anything. What was taken is kept
# (*+, ++), so that the time grows with the text and no faster.
_NAME = r"(?:\w++|`[^`\\]++`)"
_VALUE = r"(?:'[^'\\]*+'|[\w.-]++)"
_PLAIN_INSERT = re.compile(
    rf"\s*+INSERT\s++INTO\s++(?!(?:TABLE\s++)?FUNCTION\b)(?:TABLE\s++)?{_NAME}(?:\s*+\.\s*+{_NAME})?+\s*+"
    rf"(?:\(\s*+{_NAME}\s*+(?:,\s*+{_NAME}\s*+)*+\)\s*+)?+"
    rf"(?:SETTINGS\s++(?P<settings>\w++\s*+=\s*+{_VALUE}\s*+(?:,\s*+\w++\s*+=\s*+{_VALUE}\s*+)*+))?+",
    re.IGNORECASE | re.ASCII,  # what else Python takes for a letter or a blank, the engine does not
)
_IDENTIFIER = re.compile(r"\{(\w+):Identifier\}")
PASSED_BYTES = 16 << 20  # of statements that were found to be covered
# What follows WITH where `parallel` is a column: GROUP BY parallel WITH TOTALS. No statement begins so.
_WITH_CLAUSES = frozenset({"TOTALS", "ROLLUP", "CUBE", "FILL", "TIES"})
_DEFINING = frozenset({"CREATE", "ATTACH", "REPLACE"})
_WITH_ENGINES = _DEFINING | {"ALTER"}


def is_plain_insert(head: str) -> bool:
    """Whether the text before an INSERT's data names a table, its columns and harmless settings, and nothing else."""
    found = _PLAIN_INSERT.fullmatch(head)
    return found is not None and not setting_names.leave(found["settings"] or "")


def check(normal: str, rights: Rights, catalogue: Catalogue, parameters: Mapping[str, str]) -> None:
    """Raises Fault for a statement that these rights do not cover.

    normal: as the engine's formatter writes it.
    parameters: the values of {name:Identifier}, which are names like all others.
    """
    words = bounded(_with_names(words_of(normal, rights), parameters), rights)
    if not words:
        return
    _is_one(words)
    if rights < Rights.OWNER:
        _only_reads(words, rights)
    _stays_inside(words, catalogue)
    check_handed_on(words, rights, catalogue)
    if rights is Rights.READER:
        _reads_what_it_may(words, catalogue)


class Looked:
    """Looks at each statement once. May be used by many threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._passed = Kept[tuple[Any, ...], bool](PASSED_BYTES)

    def check(self, normal: str, rights: Rights, parameters: Mapping[str, str]) -> None:
        """As `check`, of one that these rights cover only once: what it may do hangs on nothing else."""
        names = _IDENTIFIER.findall(normal)
        if len(names) != normal.count("Identifier"):  # written in another way, or in a literal
            check(normal, rights, self._catalogue, parameters)
            return
        key = (normal, rights, *(parameters.get(name) for name in names))
        if self._passed.get(key) is None:
            check(normal, rights, self._catalogue, parameters)
            self._passed.put(key, True, len(normal))


def check_values(normal: str, catalogue: Catalogue, parameters: Mapping[str, str]) -> None:
    """Raises Fault when rows of VALUES call what leaves the database.

    normal: the rows as a SELECT, as the engine's formatter writes it.
    parameters: the values of {name:Identifier}.
    """
    words = list(_with_names(tokens(normal), parameters))
    _is_one(words)
    _stays_inside(words, catalogue)
    check_handed_on(words, Rights.OWNER, catalogue)


def has_only_values(rows: str, catalogue: Catalogue) -> bool:
    """Whether rows of VALUES hold no name that is refused: only a quoted name and a parameter can hide one."""
    hides = "`" in rows or '"' in rows or ("{" in rows and "Identifier" in rows)
    return not hides and not may_call(rows, catalogue)


def _with_names(words: Sequence[Token], parameters: Mapping[str, str]) -> Iterator[Token]:
    """The words with each {name:Identifier} replaced by the names that its value holds.

    Raises Fault for one whose value is not known: in the text of a view it stays, and who reads the view gives it.
    """
    kept_from = _kept_from(words)
    i = 0
    while i < len(words):
        five = [word.text for word in words[i : i + 5]] if words[i].text == "{" else []
        if len(five) == 5 and five[2:] == [":", "Identifier", "}"]:
            if i >= kept_from:
                raise Denied(f"A view or a function names its tables and functions itself: {five[1]} is a parameter")
            if five[1] not in parameters:
                text = f"Substitution `{five[1]}` is not set"
                raise Fault(UNKNOWN_QUERY_PARAMETER, "UNKNOWN_QUERY_PARAMETER", text)
            parts = parameters[five[1]].replace("`", "").replace('"', "").split(".")
            for at, part in enumerate(parts):
                if at:
                    yield Token(".", "", 0, 0)
                yield Token(part, "name", 0, 0)
            i += 5
        else:
            yield words[i]
            i += 1


def _kept_from(words: Sequence[Token]) -> int:
    """Where the text begins that a statement keeps, to be run later; behind its end where it keeps none.

    A materialized view is no such text: the engine puts the values in when it is made.
    """
    head = [word.text for word in words[:HEAD_WORDS]]
    what = next((i for i, text in enumerate(head) if text in ("VIEW", "FUNCTION")), 0)
    if head[:1] == ["ALTER"]:
        begins = {"SELECT", "WITH"}
    elif head[:1] and head[0] in _DEFINING and what and head[what - 1] != "MATERIALIZED":
        begins = {"SELECT", "WITH", "AS"}
    else:
        return len(words)
    return next((i for i, word in enumerate(words) if word.text in begins), len(words))


def _kind(words: Sequence[Token]) -> str:
    """The first word of a statement: the first of its parts may stand in brackets."""
    return next((word.text.upper() for word in words if word.text != "(" or word.kind), "")


def _is_one(words: Sequence[Token]) -> None:
    """Raises Fault for a text that holds more than one statement, or one of a kind that is not listed.

    The checks below go by the first word of the text, so nothing may stand before the statement that it is about.
    """
    kind = _kind(words)
    if kind not in allowed.KINDS:
        raise Denied(f"{kind} is not served: statements read and write the tables of this database only")
    second = words[1].text.upper() if len(words) > 1 else ""
    if kind == "SYSTEM" and second not in allowed.SYSTEM_ACTS:
        raise Denied(f"SYSTEM {second} is not served: the embedded ClickHouse is run by its service")
    head = [word.text for word in words[:HEAD_WORDS]]
    if kind == "CREATE" and "FUNCTION" in head and any(word.text == "LANGUAGE" for word in words):
        raise Denied("A function is an expression here, not a program")
    texts = [word.text.upper() if word.kind == "name" else "" for word in words]
    for at, (text, follows) in enumerate(pairwise(texts)):
        after = texts[at + 2] if at + 2 < len(texts) else ""
        if text == "PARALLEL" and follows == "WITH" and after not in _WITH_CLAUSES:
            raise Denied("PARALLEL WITH is not served: send one statement at a time")


def _only_reads(words: Sequence[Token], rights: Rights) -> None:
    kind = _kind(words)
    if kind not in allowed.READ_KINDS:
        raise Fault(READONLY, "READONLY", f"Cannot execute {kind} in readonly mode")
    second = words[1].text.upper() if len(words) > 1 else ""
    if kind == "SHOW" and rights is Rights.READER and second not in allowed.SHOWN:
        raise Fault(READONLY, "READONLY", f"Cannot execute SHOW {second} in readonly mode")
    texts = [word.text for word in words if word.kind != "literal"]
    if kind == "EXPLAIN" and (
        changing := next((text for text in texts[1:] if text in allowed.READ_KINDS | allowed.CHANGING), "")
    ) not in (
        "SELECT",
        "WITH",
        "EXPLAIN",
    ):
        raise Fault(READONLY, "READONLY", f"Cannot explain {changing or 'this'} in readonly mode")


def _stays_inside(words: Sequence[Token], catalogue: Catalogue) -> None:
    kind = _kind(words)
    calls = Calls(words, catalogue)
    _sets_what_it_may(words, kind)
    for i, word in enumerate(words):
        follows = words[i + 1] if i + 1 < len(words) else None
        text = word.text if word.kind == "name" else ""  # a word of the formatter's is in capitals
        if text in ("INTO", "FROM") and follows is not None and follows.text.upper() in ("OUTFILE", "INFILE"):
            raise Denied(f"{text} {follows.text.upper()} is not served: send and take the data over HTTP")
        if word.calls(follows):
            calls.check(i)
        if kind in _WITH_ENGINES and text == "ENGINE" and follows and follows.text == "=":
            _engine(words, i + 2)
        if kind == "ATTACH" and text == "FROM" and follows is not None and follows.kind == "literal":
            raise Denied("ATTACH ... FROM a path is not served")
        if kind in _DEFINING and text == "SOURCE" and word.calls(follows):
            calls.source(i + 2)
        if kind in _DEFINING and text == "EXPRESSION":
            calls.expression(i + 1)


def _sets_what_it_may(words: Sequence[Token], kind: str) -> None:
    """Raises Fault where a statement assigns a setting that nobody may change: up to the end of each such clause."""
    depth, begun_at = 0, -1
    for i, word in enumerate(words):
        follows = words[i + 1] if i + 1 < len(words) else None
        if not word.kind:
            depth += 1 if word.text in ("(", "[", "{") else -1 if word.text in (")", "]", "}") else 0
        if depth < begun_at or word.text == "SELECT":
            begun_at = -1
        if word.kind != "name" or follows is None:
            continue
        if begun_at >= 0 and follows.text == "=":
            setting_names.for_anyone(word.text)
        if word.text in ("SETTINGS", "SETTING") or (word.text == "SET" and kind != "UPDATE"):
            begun_at = depth
            # one that is on or off may come without a value
            if follows.kind == "name":
                setting_names.for_anyone(follows.text)


def _engine(words: Sequence[Token], i: int) -> None:
    name = words[i].text if i < len(words) else ""
    known = allowed.DATABASE_ENGINES if words[1].text.upper() == "DATABASE" else allowed.TABLE_ENGINES
    if name.lower() not in known:
        raise Denied(f"The engine {name} is not served: the embedded ClickHouse keeps its tables itself")


def _reads_what_it_may(words: Sequence[Token], catalogue: Catalogue) -> None:
    for i, word in enumerate(words):
        follows = words[i + 1] if i + 1 < len(words) else None
        if word.calls(follows) and word.text.lower() in catalogue.reader:
            raise Denied(f"{word.text}() is not for a read-only user")
        if word.kind != "name" or follows is None:
            continue
        if word.text.lower() == "system" and follows.text == "." and i + 2 < len(words):
            table = words[i + 2].text
            if table not in allowed.SYSTEM_TABLES and table != "*":
                raise Denied(f"system.{table} is not for a read-only user")
        # a word of the formatter's is in capitals, and the name of a setting is not
        if (
            word.text == "SETTINGS"
            and words[0].text != "SHOW"
            and follows.kind == "name"
            and not follows.text.isupper()
        ):
            raise Fault(READONLY, "READONLY", f"Cannot modify '{follows.text}' setting in readonly mode")

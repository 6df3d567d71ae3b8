"""What a statement may do: read and write the tables of its own directory, and nothing beside.

The engine is a library inside this process. Left alone it reads and writes every file that the process may, opens
connections and runs programs, for a read-only user too: `readonly` covers neither `INTO OUTFILE` nor the function
`file`. So a statement is looked at before it runs, as the engine's own formatter writes it: one statement, without
comments, every name and literal in one spelling. What may pass is listed, measured against the engine's own
catalogue, so that a function of a later version is refused until somebody has looked at it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from weir.edges.embedded.clickhouse_facade import allowed, setting_names
from weir.edges.embedded.clickhouse_facade.catalogue import Catalogue, Rights
from weir.edges.embedded.clickhouse_facade.faults import (
    ACCESS_DENIED,
    READONLY,
    UNKNOWN_QUERY_PARAMETER,
    Denied,
    Fault,
)
from weir.edges.embedded.clickhouse_facade.words import Brackets, Token, bounded, tokens, words_of

# Table functions that may be told their columns in a text, and in which argument. The scalar function `format`, whose
# first argument is a pattern with braces, has none.
_STRUCTURED = {
    "values": 0,
    "sqlstandardvalues": 0,
    "format": 1,
    "input": 0,
    "generaterandom": 0,
    "null": 0,
    "fuzzjson": 0,
}
_EXPRESSION = re.compile(r"\b(?:DEFAULT|MATERIALIZED|ALIAS|EPHEMERAL)\b", re.IGNORECASE)

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
_HEAD_WORDS = 12  # more than any statement has before the name of its table
# What follows WITH where `parallel` is a column: GROUP BY parallel WITH TOTALS. No statement begins so.
_WITH_CLAUSES = frozenset({"TOTALS", "ROLLUP", "CUBE", "FILL", "TIES"})
# In the text of a dictionary's query, which the engine runs whatever statement it is.
_NO_QUERY = frozenset({"PARALLEL", "INSERT", "OUTFILE", "INFILE"})
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
    _hands_on(words, rights, catalogue)
    if rights is Rights.READER:
        _reads_what_it_may(words, catalogue)


def check_values(normal: str, catalogue: Catalogue, parameters: Mapping[str, str]) -> None:
    """Raises Fault when rows of VALUES call what leaves the database.

    normal: the rows as a SELECT, as the engine's formatter writes it.
    parameters: the values of {name:Identifier}.
    """
    words = list(_with_names(tokens(normal), parameters))
    _is_one(words)
    _stays_inside(words, catalogue)
    _hands_on(words, Rights.OWNER, catalogue)


def check_called(words: Sequence[Token], rights: Rights, catalogue: Catalogue) -> None:
    """Raises Fault where one of the words calls what these rights do not cover."""
    refused = catalogue.refused(rights)
    for word, follows in pairwise(words):
        if word.calls(follows) and word.text.lower() in refused:
            raise Fault(ACCESS_DENIED, "ACCESS_DENIED", f"{word.text}() is not served here")


def has_only_values(rows: str, catalogue: Catalogue) -> bool:
    """Whether rows of VALUES hold no name that is refused: only a quoted name and a parameter can hide one."""
    hides = "`" in rows or '"' in rows or ("{" in rows and "Identifier" in rows)
    return not hides and not may_call(rows, catalogue)


def may_call(text: str, catalogue: Catalogue) -> bool:
    """Whether a refused name stands anywhere in a text, be it within a literal."""
    return any(word in catalogue.outside for word in set(re.findall(r"\w+", text.lower())))


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
    head = [word.text for word in words[:_HEAD_WORDS]]
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
    head = [word.text for word in words[:_HEAD_WORDS]]
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
    calls = _Calls(words, catalogue)
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


def _hands_on(words: Sequence[Token], rights: Rights, catalogue: Catalogue) -> None:
    """Raises Fault for a refused function that stands where another one calls it: arrayMap(file, ...), APPLY file.

    Where a name alone is an argument, a column and a function look the same; only a function that takes values, and
    nothing else, takes it for a column for certain. In doubt the statement is refused: a column can be written with
    its table.
    """
    refused = catalogue.reader_functions if rights is Rights.READER else catalogue.outside_functions
    callers: list[bool] = []  # of each bracket that is open: whether what stands in it may be called
    takers: list[bool] = []  # of each: whether it is that of a function that takes values
    closed = False  # the same, of the one that closed last
    for i, word in enumerate(words):
        if not word.kind and word.text == "(":
            takers.append(_takes_values(words, i, catalogue, parameters=closed))
            callers.append(not takers[-1] and _may_call_arguments(words, i, within=callers))
        elif not word.kind and word.text == ")" and takers:
            closed = takers.pop()
            callers.pop()
        if word.kind != "name" or word.text.lower() not in refused:
            continue
        before = [before.text.upper() for before in words[max(0, i - 2) : i] if before.kind != "literal"]
        applied = before[-1:] == ["APPLY"] or before == ["APPLY", "("]
        follows = words[i + 1].text.upper() if i + 1 < len(words) else ""
        alone = before[-1:] in (["("], [","]) and follows in (")", ",", "AS")
        if applied or (alone and callers and callers[-1]):
            raise Denied(
                f"{word.text} is a function that is not served, and may be called here;"
                f" write a column of this name with its table, as in t.{word.text}"
            )


def _takes_values(words: Sequence[Token], opening: int, catalogue: Catalogue, *, parameters: bool) -> bool:
    """Whether a bracket is that of a function that takes values: as the formatter writes it, a call has no space.

    parameters: whether a bracket before it, as in quantile(0.5)(n), would be.
    """
    before = words[opening - 1] if opening else None
    if before is None or before.end != words[opening].start:
        return False
    if before.kind == "name":
        return catalogue.takes_values(before.text.lower())
    return parameters and before.text == ")"


def _may_call_arguments(words: Sequence[Token], opening: int, within: Sequence[bool]) -> bool:
    """Whether what stands directly in a bracket, of no function that takes values, may be called."""
    before = words[opening - 1] if opening else None
    inside = words[opening + 1].text.upper() if opening + 1 < len(words) else ""
    if inside in ("SELECT", "WITH"):
        return False
    if before is not None and before.end == words[opening].start and before.text not in ("(", "[", "-"):
        return True
    return bool(within) and within[-1]


class _Calls:
    """What the calls of a statement are given. Its brackets are found once, so that nested calls cost no more."""

    def __init__(self, words: Sequence[Token], catalogue: Catalogue) -> None:
        self._words, self._catalogue = words, catalogue
        self._brackets = Brackets.of(words)
        self._expressions = [
            i for i, word in enumerate(words) if word.kind == "literal" and _EXPRESSION.search(word.text)
        ]

    def check(self, i: int) -> None:
        """Raises Fault for a call, whose name is word `i`, that leaves the database."""
        name = self._words[i].text
        if name.lower() in self._catalogue.outside and not _is_column_list(self._words, i):
            raise Denied(f"{name}() is not served: statements read and write the tables of this database only")
        if name.lower() in _STRUCTURED and not _is_column_list(self._words, i):
            self._structure(name, i + 1)

    def _structure(self, name: str, opening: int) -> None:
        """Raises Fault for columns that can hold an expression, which would run: one literal, or not given."""
        words, end = self._words, self._end(opening)
        first = bisect_right(self._expressions, opening)
        if first < len(self._expressions) and self._expressions[first] < end:
            raise Denied(f"{name}() takes columns without DEFAULT, MATERIALIZED or ALIAS here")
        bounds = [opening, *self._brackets.commas[opening][:2], end]
        at = _STRUCTURED[name.lower()]
        if len(bounds) < at + 2:
            return
        start, stop = bounds[at] + 1, bounds[at + 1]
        pattern = words[opening + 1]
        is_scalar = at == 1 and pattern.kind == "literal" and "{" in pattern.text
        if start < stop and not is_scalar and not self._is_as_it_looks(start, stop):
            raise Denied(f"{name}() takes its columns as one literal here")

    def _is_as_it_looks(self, start: int, stop: int) -> bool:
        """Whether an argument is one literal or number, or a row of several values, which is no text of columns."""
        word = self._words[start]
        if stop - start == 1:
            return word.kind == "literal" or word.text.isdigit()
        is_row = word.text == "(" and not word.kind and self._end(start) == stop - 1
        return is_row and bool(self._brackets.commas[start])

    def source(self, i: int) -> None:
        """Check a dictionary's source: a table or query of this database, whose text is SQL that runs later."""
        words = self._words
        if words[i].text.lower() not in allowed.SOURCES:
            raise Denied(f"A dictionary's source is CLICKHOUSE or NULL here, not {words[i].text}")
        inner = words[i + 2 : self._end(i + 1)]
        if any(key.text.lower() not in allowed.SOURCE_KEYS for key in inner[0::2]):
            raise Denied(
                f"The source of a dictionary names {', '.join(sorted(allowed.SOURCE_KEYS))} here, and nothing else"
            )
        for key, value in zip(inner[0::2], inner[1::2], strict=False):
            if not self._is_read(value, whole=key.text.lower() in allowed.SOURCE_QUERIES):
                raise Denied("A dictionary's source may not leave the database, and only reads")

    def expression(self, i: int) -> None:
        """Check how a dictionary's attribute is made: a literal, in brackets or not, is SQL that runs later."""
        value = next((word for word in self._words[i:] if word.text != "("), None)
        if value is not None and value.kind == "literal" and not self._is_read(value, whole=False):
            raise Denied("The expression of a dictionary's attribute may not leave the database, and only reads")

    def _is_read(self, value: Token, *, whole: bool) -> bool:
        """Whether a text that the engine runs by itself only reads: a literal, or a name that stands for one.

        whole: it is a statement, not a part of one.
        """
        literal = value.text[1:-1].replace("''", "'") if value.kind == "literal" else value.text
        if not value.kind or "\\" in literal or may_call(literal, self._catalogue):
            return False
        words = tokens(literal)
        texts = [word.text.upper() for word in words]
        if whole and texts[:1] not in (["SELECT"], ["WITH"]):
            return False
        return not setting_names.leave(literal) and ";" not in literal and _NO_QUERY.isdisjoint(texts)

    def _end(self, opening: int) -> int:
        return self._brackets.closing.get(opening, len(self._words))


def _is_column_list(words: Sequence[Token], i: int) -> bool:
    """INSERT INTO url (a, b): a table's name and its columns, not a call."""
    if i > _HEAD_WORDS:
        return False
    before = words[1 : i - 2] if words[i - 1].text == "." else words[1:i]
    kind = words[0].text.upper()
    return kind in ("INSERT", "CREATE", "ALTER") and all(word.text.upper() in allowed.BEFORE_TABLES for word in before)


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

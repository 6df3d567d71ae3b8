"""What a statement calls: functions and table functions, what they are given, and what is handed on to be called."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from weir.edges.embedded.clickhouse_facade import allowed, setting_names
from weir.edges.embedded.clickhouse_facade.catalogue import Catalogue, Rights
from weir.edges.embedded.clickhouse_facade.faults import ACCESS_DENIED, Denied, Fault
from weir.edges.embedded.clickhouse_facade.words import HEAD_WORDS, Brackets, Token, tokens

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
# In the text of a dictionary's query, which the engine runs whatever statement it is.
_NO_QUERY = frozenset({"PARALLEL", "INSERT", "OUTFILE", "INFILE"})


def check_called(words: Sequence[Token], rights: Rights, catalogue: Catalogue) -> None:
    """Raises Fault where one of the words calls what these rights do not cover."""
    refused = catalogue.refused(rights)
    for word, follows in pairwise(words):
        if word.calls(follows) and word.text.lower() in refused:
            raise Fault(ACCESS_DENIED, "ACCESS_DENIED", f"{word.text}() is not served here")


def may_call(text: str, catalogue: Catalogue) -> bool:
    """Whether a refused name stands anywhere in a text, be it within a literal."""
    return any(word in catalogue.outside for word in set(re.findall(r"\w+", text.lower())))


def check_handed_on(words: Sequence[Token], rights: Rights, catalogue: Catalogue) -> None:
    """Raises Denied for a refused function that stands where another one calls it: arrayMap(file, ...), APPLY file.

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


class Calls:
    """What the calls of a statement are given. Its brackets are found once, so that nested calls cost no more."""

    def __init__(self, words: Sequence[Token], catalogue: Catalogue) -> None:
        self._words, self._catalogue = words, catalogue
        self._brackets = Brackets.of(words)
        self._expressions = [
            i for i, word in enumerate(words) if word.kind == "literal" and _EXPRESSION.search(word.text)
        ]

    def check(self, i: int) -> None:
        """Raises Denied for a call, whose name is word `i`, that leaves the database."""
        name = self._words[i].text
        if name.lower() in self._catalogue.outside and not _is_column_list(self._words, i):
            raise Denied(f"{name}() is not served: statements read and write the tables of this database only")
        if name.lower() in _STRUCTURED and not _is_column_list(self._words, i):
            self._structure(name, i + 1)

    def _structure(self, name: str, opening: int) -> None:
        """Raises Denied for columns that can hold an expression, which would run: one literal, or not given."""
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
        """Raises Denied for a dictionary's source that is no table or query of this database.

        Its text is SQL that runs later.
        """
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
        """Raises Denied for how a dictionary's attribute is made, where that may leave the database.

        A literal, in brackets or not, is SQL that runs later.
        """
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
    if i > HEAD_WORDS:
        return False
    before = words[1 : i - 2] if words[i - 1].text == "." else words[1:i]
    kind = words[0].text.upper()
    return kind in ("INSERT", "CREATE", "ALTER") and all(word.text.upper() in allowed.BEFORE_TABLES for word in before)

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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice, pairwise

from weir.edges.embedded.clickhouse_facade import allowed
from weir.edges.embedded.clickhouse_facade.faults import ACCESS_DENIED, READONLY, Fault

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

# Settings that name files, addresses or SQL, change how a statement is read, or switch on what is listed above.
_SETTINGS = re.compile(
    r".*dialect.*|format_schema.*|format_template_.*|output_format_schema|.*registry_url|.*errors_file_path|url_base"
    r"|additional_(?:table_filters|result_filter)|filter|http_allow_.*|parallel_replicas_custom_key.*"
    r"|allow_(?:python_table_function|introspection_functions|get_client_http_header|experimental_ai_functions)"
    r"|ai_function_.*|rename_files_after_processing|promql_.*|dynamic_disk_.*|into_outfile_.*|jemalloc_.*"
    r"|schema_inference_hints"
)
# What a reader may ask for: how a result looks, and what drivers send with every statement. All else is the owner's.
_READER_SETTINGS = re.compile(
    r"output_format_\w+|format_csv_\w+|date_time_output_format|bool_\w+_representation|session_timezone|extremes"
    r"|join_use_nulls|max_block_size|max_query_size|async_insert|wait_for_async_insert|log_queries|use_query_cache"
)

_TOKEN = re.compile(
    r"""(?P<literal>'(?:[^'\\]|\\.|'')*+')|(?P<quoted>`(?:[^`\\]|\\.|``)*+`|"(?:[^"\\]|\\.|"")*+")|(?P<name>\w+)|\S""",
    re.DOTALL,
)
# An INSERT of data into a plain table, the recorder's: nothing in it can call anything. What was taken is kept
# (*+, ++), so that the time grows with the text and no faster.
_NAME = r"(?:\w++|`[^`\\]++`)"
_VALUE = r"(?:'[^'\\]*+'|[\w.-]++)"
_PLAIN_INSERT = re.compile(
    rf"\s*+INSERT\s++INTO\s++(?!(?:TABLE\s++)?FUNCTION\b)(?:TABLE\s++)?{_NAME}(?:\s*+\.\s*+{_NAME})?+\s*+"
    rf"(?:\(\s*+{_NAME}\s*+(?:,\s*+{_NAME}\s*+)*+\)\s*+)?+"
    rf"(?:SETTINGS\s++(?P<settings>\w++\s*+=\s*+{_VALUE}\s*+(?:,\s*+\w++\s*+=\s*+{_VALUE}\s*+)*+))?+",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(r"(\w+)\s*=")
READER_WORDS = 50_000  # of a statement: looking at each takes time that no client's going away ends
_HEAD_WORDS = 12  # more than any statement has before the name of its table
# What follows WITH where `parallel` is a column: GROUP BY parallel WITH TOTALS. No statement begins so.
_WITH_CLAUSES = frozenset({"TOTALS", "ROLLUP", "CUBE", "FILL", "TIES"})
# In the text of a dictionary's query, which the engine runs whatever statement it is.
_NO_QUERY = frozenset({"PARALLEL", "INSERT", "OUTFILE", "INFILE"})


class Rights(IntEnum):
    """How much a request may do. READER is the least: tables and how results look; READS changes settings too."""

    READER = 1
    READS = 2
    OWNER = 3


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a statement: a literal with its quotes, a name without them, or a sign."""

    text: str
    kind: str  # "literal", "name" or ""
    start: int
    end: int

    def calls(self, follows: Token | None) -> bool:
        """Whether this is the name of something called."""
        return self.kind == "name" and follows is not None and follows.text == "(" and not follows.kind


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Names of functions and table functions, in small letters, that may not be called.

    outside: by nobody.
    reader: by a reader; includes `outside`.
    outside_functions, reader_functions: of these, the ones that can be handed to another function.
    functions: every function there is, table functions aside: what can be handed to another one by its name.
    plain: of these, those that take values only. Every other one may call what it is handed.
    """

    outside: frozenset[str]
    reader: frozenset[str]
    outside_functions: frozenset[str]
    reader_functions: frozenset[str]
    functions: frozenset[str]
    plain: frozenset[str]

    @classmethod
    def of(
        cls, tables: Iterable[str], functions: Iterable[tuple[str, str]], higher_order: Iterable[str] = ()
    ) -> Catalogue:
        """From the engine's own lists: table functions, (function, category), and functions that take functions.

        An alias stands under the category of what it stands for.
        """
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
        return cls(outside, reader, outside & every, reader & every, every, plain)

    def refused(self, rights: Rights) -> frozenset[str]:
        """Names that may not be called with these rights."""
        return self.reader if rights is Rights.READER else self.outside


@dataclass(frozen=True, slots=True)
class Brackets:
    """Where the brackets of a statement end, and the commas that stand directly in each, by where they begin."""

    closing: Mapping[int, int]
    commas: Mapping[int, Sequence[int]]

    @classmethod
    def of(cls, words: Sequence[Token]) -> Brackets:
        """Found in one pass. A bracket that is not closed has no end here.

        >>> Brackets.of(tokens("f(a, g(b, c))")).commas
        {1: [3], 5: [7]}
        """
        closing: dict[int, int] = {}
        commas: dict[int, list[int]] = {}
        open_at: list[int] = []
        for i, word in enumerate(words):
            if word.kind:
                continue
            if word.text in ("(", "[", "{"):
                open_at.append(i)
                commas[i] = []
            elif word.text in (")", "]", "}") and open_at:
                closing[open_at.pop()] = i
            elif word.text == "," and open_at:
                commas[open_at[-1]].append(i)
        return cls(closing, commas)


def tokens(sql: str) -> list[Token]:
    """The words of a statement as the engine's formatter writes it.

    >>> [token.text for token in tokens("SELECT `file`('x'), 1")]
    ['SELECT', 'file', '(', "'x'", ')', ',', '1']
    """
    return list(_each(sql))


def _each(sql: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(sql):
        if found.lastgroup == "quoted":
            yield Token(found[0][1:-1], "name", *found.span())
        else:
            yield Token(found[0], found.lastgroup or "", *found.span())


def words_of(normal: str, rights: Rights) -> list[Token]:
    """The words of a statement. Raises Fault for one of a reader that has too many."""
    return _bounded(_each(normal), rights)


def _bounded(words: Iterable[Token], rights: Rights) -> list[Token]:
    if rights is not Rights.READER:
        return list(words)
    found = list(islice(words, READER_WORDS + 1))
    if len(found) > READER_WORDS:
        raise _denied(f"A statement of a read-only user has at most {READER_WORDS:,} words, names and signs")
    return found


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def is_plain_insert(head: str) -> bool:
    """Whether the text before an INSERT's data names a table, its columns and harmless settings, and nothing else."""
    found = _PLAIN_INSERT.fullmatch(head)
    return found is not None and not any(
        _SETTINGS.fullmatch(name) for name in _ASSIGNED.findall(found["settings"] or "")
    )


def check(normal: str, rights: Rights, catalogue: Catalogue, parameters: Mapping[str, str]) -> None:
    """Raises Fault for a statement that these rights do not cover.

    normal: as the engine's formatter writes it.
    parameters: the values of {name:Identifier}, which are names like all others.
    """
    words = _bounded(_with_names(words_of(normal, rights), parameters), rights)
    if not words:
        return
    _is_one(words)
    if rights < Rights.OWNER:
        _only_reads(words)
    _stays_inside(words, catalogue)
    _hands_on(words, rights, catalogue)
    if rights is Rights.READER:
        _reads_what_it_may(words, catalogue)


def check_values(normal: str, catalogue: Catalogue) -> None:
    """Raises Fault when rows of VALUES call what leaves the database.

    normal: the rows as a SELECT, as the engine's formatter writes it.
    """
    words = tokens(normal)
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
    """Whether rows of VALUES hold no name that is refused, in no spelling: only a quoted name can hide one."""
    return "`" not in rows and '"' not in rows and not may_call(rows, catalogue)


def may_call(text: str, catalogue: Catalogue) -> bool:
    """Whether a refused name stands anywhere in a text, be it within a literal."""
    return any(word in catalogue.outside for word in set(re.findall(r"\w+", text.lower())))


def setting_for_anyone(name: str) -> None:
    """Raises Fault for a setting that nobody may change here."""
    if _SETTINGS.fullmatch(name):
        text = f"The setting {name} is not for the embedded ClickHouse: it leaves the database"
        raise Fault(ACCESS_DENIED, "ACCESS_DENIED", text)


def setting_for_reader(name: str) -> None:
    """Raises Fault, as a server does, for a setting that a read-only user may not change."""
    setting_for_anyone(name)
    if not _READER_SETTINGS.fullmatch(name):
        raise Fault(READONLY, "READONLY", f"Cannot modify '{name}' setting in readonly mode")


def _with_names(words: Sequence[Token], parameters: Mapping[str, str]) -> Iterator[Token]:
    """The words with each {name:Identifier} replaced by the names that its value holds."""
    i = 0
    while i < len(words):
        five = [word.text for word in words[i : i + 5]] if words[i].text == "{" else []
        if len(five) == 5 and five[2:] == [":", "Identifier", "}"]:
            parts = parameters.get(five[1], "").replace("`", "").replace('"', "").split(".")
            for at, part in enumerate(parts):
                if at:
                    yield Token(".", "", 0, 0)
                yield Token(part, "name", 0, 0)
            i += 5
        else:
            yield words[i]
            i += 1


def _is_one(words: Sequence[Token]) -> None:
    """Raises Fault for a text that holds more than one statement, or one of a kind that is not listed.

    The checks below go by the first word of the text, so nothing may stand before the statement that it is about.
    """
    kind = words[0].text.upper()
    if kind not in allowed.KINDS:
        raise _denied(f"{kind} is not served: statements read and write the tables of this database only")
    second = words[1].text.upper() if len(words) > 1 else ""
    if kind == "SYSTEM" and second not in allowed.SYSTEM_ACTS:
        raise _denied(f"SYSTEM {second} is not served: the embedded ClickHouse is run by its service")
    head = [word.text.upper() for word in words[:_HEAD_WORDS]]
    if kind == "CREATE" and "FUNCTION" in head and any(word.text.upper() == "LANGUAGE" for word in words):
        raise _denied("A function is an expression here, not a program")
    texts = [word.text.upper() if word.kind == "name" else "" for word in words]
    for at, (text, follows) in enumerate(pairwise(texts)):
        after = texts[at + 2] if at + 2 < len(texts) else ""
        if text == "PARALLEL" and follows == "WITH" and after not in _WITH_CLAUSES:
            raise _denied("PARALLEL WITH is not served: send one statement at a time")


def _only_reads(words: Sequence[Token]) -> None:
    kind = words[0].text.upper()
    if kind not in allowed.READ_KINDS:
        raise Fault(READONLY, "READONLY", f"Cannot execute {kind} in readonly mode")
    second = words[1].text.upper() if len(words) > 1 else ""
    if kind == "SHOW" and second not in allowed.SHOWN:
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
    kind = words[0].text.upper()
    calls = _Calls(words, catalogue)
    in_settings = False
    for i, word in enumerate(words):
        follows = words[i + 1] if i + 1 < len(words) else None
        text = word.text.upper() if word.kind == "name" else ""
        if text in ("INTO", "FROM") and follows is not None and follows.text.upper() in ("OUTFILE", "INFILE"):
            raise _denied(f"{text} {follows.text.upper()} is not served: send and take the data over HTTP")
        if word.calls(follows):
            calls.check(i)
        # a setting that is on or off may come without a value
        if in_settings and text and follows is not None and follows.text == "=":
            setting_for_anyone(word.text)
        if text in ("SETTINGS", "SETTING") or (text == "SET" and kind != "UPDATE"):
            in_settings = True
            if follows is not None and follows.kind == "name":
                setting_for_anyone(follows.text)
        if kind in ("CREATE", "ATTACH", "REPLACE", "ALTER") and text == "ENGINE" and follows and follows.text == "=":
            _engine(words, i + 2)
        if kind == "ATTACH" and text == "FROM" and follows is not None and follows.kind == "literal":
            raise _denied("ATTACH ... FROM a path is not served")
        if kind in ("CREATE", "ATTACH", "REPLACE") and text == "SOURCE" and word.calls(follows):
            calls.source(i + 2)


def _hands_on(words: Sequence[Token], rights: Rights, catalogue: Catalogue) -> None:
    """Raises Fault for a refused function that stands where another one calls it: arrayMap(file, ...), APPLY file.

    Where a name alone is an argument, a column and a function look the same; only a function that takes values, and
    nothing else, takes it for a column for certain. In doubt the statement is refused: a column can be written with
    its table.
    """
    refused = catalogue.reader_functions if rights is Rights.READER else catalogue.outside_functions
    callers: list[bool] = []  # of each bracket that is open: whether what stands in it may be called
    for i, word in enumerate(words):
        if not word.kind and word.text == "(":
            callers.append(_may_call_arguments(words, i, catalogue, within=callers))
        elif not word.kind and word.text == ")":
            del callers[-1:]
        if word.kind != "name" or word.text.lower() not in refused:
            continue
        before = [before.text.upper() for before in words[max(0, i - 2) : i] if before.kind != "literal"]
        applied = before[-1:] == ["APPLY"] or before == ["APPLY", "("]
        follows = words[i + 1].text.upper() if i + 1 < len(words) else ""
        alone = before[-1:] in (["("], [","]) and follows in (")", ",", "AS")
        if applied or (alone and callers and callers[-1]):
            raise _denied(
                f"{word.text} is a function that is not served, and may be called here;"
                f" write a column of this name with its table, as in t.{word.text}"
            )


def _may_call_arguments(words: Sequence[Token], opening: int, catalogue: Catalogue, within: Sequence[bool]) -> bool:
    """Whether what stands directly in a bracket may be called: as the formatter writes it, a call has no space."""
    before = words[opening - 1] if opening else None
    inside = words[opening + 1].text.upper() if opening + 1 < len(words) else ""
    if inside in ("SELECT", "WITH"):
        return False
    if before is not None and before.end == words[opening].start and before.text not in ("(", "[", "-"):
        return before.kind != "name" or before.text.lower() not in catalogue.plain
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
            raise _denied(f"{name}() is not served: statements read and write the tables of this database only")
        if name.lower() in _STRUCTURED and not _is_column_list(self._words, i):
            self._structure(name, i + 1)

    def _structure(self, name: str, opening: int) -> None:
        """Raises Fault for columns that can hold an expression, which would run: one literal, or not given."""
        words, end = self._words, self._end(opening)
        first = bisect_right(self._expressions, opening)
        if first < len(self._expressions) and self._expressions[first] < end:
            raise _denied(f"{name}() takes columns without DEFAULT, MATERIALIZED or ALIAS here")
        bounds = [opening, *self._brackets.commas[opening][:2], end]
        at = _STRUCTURED[name.lower()]
        if len(bounds) < at + 2:
            return
        start, stop = bounds[at] + 1, bounds[at + 1]
        pattern = words[opening + 1]
        is_scalar = at == 1 and pattern.kind == "literal" and "{" in pattern.text
        if start < stop and not is_scalar and not self._is_as_it_looks(start, stop):
            raise _denied(f"{name}() takes its columns as one literal here")

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
            raise _denied(f"A dictionary's source is CLICKHOUSE or NULL here, not {words[i].text}")
        inner = words[i + 2 : self._end(i + 1)]
        if any(key.text.lower() not in allowed.SOURCE_KEYS for key in inner[0::2]):
            raise _denied(
                f"The source of a dictionary names {', '.join(sorted(allowed.SOURCE_KEYS))} here, and nothing else"
            )
        for key, value in zip(inner[0::2], inner[1::2], strict=False):
            if value.kind != "name" and not self._is_read(value.text, whole=key.text.lower() in allowed.SOURCE_QUERIES):
                raise _denied("A dictionary's source may not leave the database, and only reads")

    def _is_read(self, literal: str, *, whole: bool) -> bool:
        """Whether a text that the engine runs by itself only reads.

        whole: it is a statement, not a part of one.
        """
        if "\\" in literal or may_call(literal, self._catalogue):
            return False
        words = tokens(literal[1:-1].replace("''", "'"))
        texts = [word.text.upper() for word in words]
        if whole and texts[:1] not in (["SELECT"], ["WITH"]):
            return False
        settings = any(_SETTINGS.fullmatch(name) for name in _ASSIGNED.findall(literal))
        return not settings and ";" not in literal and _NO_QUERY.isdisjoint(texts)

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
        raise _denied(f"The engine {name} is not served: the embedded ClickHouse keeps its tables itself")


def _reads_what_it_may(words: Sequence[Token], catalogue: Catalogue) -> None:
    for i, word in enumerate(words):
        follows = words[i + 1] if i + 1 < len(words) else None
        if word.calls(follows) and word.text.lower() in catalogue.reader:
            raise _denied(f"{word.text}() is not for a read-only user")
        if word.kind != "name" or follows is None:
            continue
        if word.text == "system" and follows.text == "." and i + 2 < len(words):
            table = words[i + 2].text
            if table not in allowed.SYSTEM_TABLES and table != "*":
                raise _denied(f"system.{table} is not for a read-only user")
        if (
            word.text.upper() == "SETTINGS"
            and words[0].text != "SHOW"
            and i + 2 < len(words)
            and words[i + 2].text == "="
        ):
            raise Fault(READONLY, "READONLY", f"Cannot modify '{follows.text}' setting in readonly mode")


def _denied(text: str) -> Fault:
    return Fault(ACCESS_DENIED, "ACCESS_DENIED", text)

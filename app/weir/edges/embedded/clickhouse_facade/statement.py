"""One SQL statement as an HTTP client sends it: the text, and for an INSERT the format and the data behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from weir.edges.embedded.clickhouse_facade.kept import Kept

HEAD_BYTES = 65_536  # where the FORMAT of an INSERT is looked for; data follows it
TAIL_BYTES = 4_096  # where the FORMAT of a query is looked for; it ends the statement

# The words and signs of a text, as the engine's lexer takes them; a literal and a comment are one each, whatever they
# hold. Nothing here is tried in two ways (*+, ++ and (?>) keep what they took), and what is not closed goes to the end:
# time grows with the text, and no faster, whatever the text is. A comment within brackets may hold others, which no
# pattern counts: _words does.
_SPACE = rb"\s++|--[^\n]*+|\#[ !][^\n]*+"
_LITERALS = (
    rb"|(?P<comment>/\*)"
    rb"|(?P<literal>'(?>[^'\\]+|\\(?:.|\Z)|'')*+(?:'|\Z)|\xe2\x80\x98.*?(?:\xe2\x80\x99|\Z))"
    rb"|(?P<quoted>\"(?>[^\"\\]+|\\(?:.|\Z)|\"\")*+(?:\"|\Z)|`(?>[^`\\]+|\\(?:.|\Z)|``)*+(?:`|\Z)"
    rb"|\xe2\x80\x9c.*?(?:\xe2\x80\x9d|\Z))"
    rb"|(?P<heredoc>\$\w*+\$)|(?P<name>\w[\w$]*+)|(?P<sign>.)"
)
_WORD = re.compile(rb"(?P<skipped>(?>" + _SPACE + rb")++)" + _LITERALS, re.DOTALL)
# The same without most words and signs: a long text has many, and FORMAT alone is looked for.
_FORMAT = re.compile(
    rb"(?P<skipped>(?>" + _SPACE + rb"|(?!FORMAT\b)\w[\w$]*+|[^\s\w'\"`/#$\xe2-])++)" + _LITERALS,
    re.DOTALL | re.IGNORECASE,
)
_COMMENT_ENDS = re.compile(rb"/\*|\*/")
_NO_RESULT = frozenset(
    b"CREATE ALTER DROP SET USE INSERT RENAME TRUNCATE OPTIMIZE SYSTEM GRANT REVOKE ATTACH DETACH EXCHANGE DELETE"
    b" UPDATE BACKUP RESTORE REPLACE UNDROP MOVE".split()
)
_FORMAT_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9]*")
_FORMAT_END = re.compile(rb"[ \t;]*+(?:\r?\n)?")
_AFTER_FORMAT = re.compile(rb"\s*+(?:SETTINGS\s.*)?;?\s*+", re.IGNORECASE | re.DOTALL)
# Where `format` is a column of a SELECT, one of these may follow; none is a format.
_AFTER_COLUMN = frozenset(b"FROM AS IN IS NOT LIKE ILIKE BETWEEN AND OR ASC DESC WHERE GROUP ORDER LIMIT UNION".split())
# Behind one of these within WITH, `insert` is a name.
_BEFORE_NAME = frozenset(b", RECURSIVE AS . + - * / % = < > ! AND OR NOT".split())

_KEPT_BYTES = 2 << 20  # of texts
_KINDS, _FORMATS = Kept[bytes, bytes](_KEPT_BYTES), Kept[bytes, str](_KEPT_BYTES)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement ready for the engine.

    sql: without the data and the FORMAT clause when it is an INSERT of data, else as sent.
    format: of the data for an INSERT of data, of the result otherwise.
    data: the bytes to insert, or None for everything else.
    has_result: the statement answers with rows, however few.
    values_at: where in `sql` the word VALUES of an INSERT of rows stands; 0 for everything else.
    """

    sql: bytes
    format: str
    data: bytes | None = None
    has_result: bool = True
    values_at: int = field(default=0, repr=False, compare=False)

    @property
    def insert(self) -> tuple[bytes, str, bytes] | None:
        """Of an INSERT with data or rows: the text before its format, the format, and the data; None for all others."""
        if self.data is not None:
            return self.sql, self.format, self.data
        if self.values_at:
            return self.sql[: self.values_at].rstrip(), "Values", self.sql[self.values_at + len("VALUES") :]
        return None


def parse(query: bytes, body: bytes, default_format: str) -> Statement:
    r"""Join the URL's query and the body as ClickHouse does, and take an INSERT of data apart.

    A format named inside a literal or a comment is not one. INSERT ... VALUES and INSERT ... SELECT stay whole.

    >>> parse(b"", b"INSERT INTO t FORMAT CSV\n1,2", "TSV")
    Statement(sql=b'INSERT INTO t', format='CSV', data=b'1,2', has_result=False)
    >>> parse(b"SELECT ' FORMAT CSV'", b"", "TSV").format
    'TSV'
    """
    text = query + b"\n" + body if query and body else query or body
    head = text[:HEAD_BYTES]
    kind = _kind(head) if head.lstrip()[:6].upper() == b"INSERT" else _kind_again(head)
    if kind == b"INSERT":
        head = query or text[:HEAD_BYTES]
        clause = _data_clause(head)
        if clause is None:
            return Statement(text, default_format, has_result=False)
        if clause.upper == b"VALUES":
            return Statement(text, default_format, has_result=False, values_at=clause.start)
        name = next(_words(head, clause.end))
        begin = _FORMAT_END.match(head, name.end).end()  # type: ignore[union-attr]  # it matches nothing too
        data = (head[begin:] if query else b"") + body if query else text[begin:]
        return Statement(head[: clause.start].rstrip(), name.text.decode(), data, has_result=False)
    return Statement(text, _result_format(text) or default_format, has_result=kind not in _NO_RESULT)


def _kind(text: bytes) -> bytes:
    """The first word of a statement; INSERT where WITH, and what it names, stand before that."""
    words = _words(text)
    kind = next(words, _END).upper
    return b"INSERT" if kind == b"WITH" and _reaches_insert(words) else kind


def _kind_again(text: bytes) -> bytes:
    """The same of what may begin with WITH: it is looked at up to its SELECT, and the same ones come over and over."""
    kind = _KINDS.get(text)
    if kind is None:
        kind = _kind(text)
        _KINDS.put(text, kind, len(text))
    return kind


def _reaches_insert(words: Iterator[_Word]) -> bool:
    """Whether the word INSERT comes behind WITH, what it names, and no SELECT: an INSERT, of which WITH is a part."""
    depth, before = 0, b","
    for word in words:
        if not depth and word.upper == b"SELECT":
            return False
        if not depth and word.upper == b"INSERT" and before not in _BEFORE_NAME:
            return True
        depth += {b"(": 1, b"[": 1, b"{": 1, b")": -1, b"]": -1, b"}": -1}.get(word.text, 0)
        before = word.upper or word.text
    return False


def split_settings(insert: bytes) -> tuple[bytes, bytes]:
    """An INSERT's text before its SETTINGS clause, and that clause; b"" when it has none.

    >>> split_settings(b"INSERT INTO `SETTINGS` (a) SETTINGS x = 1")
    (b'INSERT INTO `SETTINGS` (a)', b'SETTINGS x = 1')
    """
    found = next((word for word, depth in _behind_target(insert) if not depth and word.upper == b"SETTINGS"), None)
    return (insert[: found.start].rstrip(), insert[found.start :]) if found else (insert, b"")


def escaped(value: str) -> str:
    r"""A text as the engine wants the value of a parameter: as a field of TSV.

    >>> escaped("a\\b")
    'a\\\\b'
    """
    for sign, instead in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0")):
        value = value.replace(sign, instead)
    return value


def _result_format(text: bytes) -> str:
    """The FORMAT that ends a query; "" when there is none."""
    if b"FORMAT" not in text[-TAIL_BYTES:].upper():  # spares most statements the scan
        return ""
    if (name := _FORMATS.get(text)) is None:
        name = _last_format(text)
        _FORMATS.put(text, name, len(text))
    return name


def _last_format(text: bytes) -> str:
    last = _END
    for word in _words(text, pattern=_FORMAT):
        name = next(_words(text, word.end), _END) if word.upper == b"FORMAT" else _END
        last = name if _FORMAT_NAME.fullmatch(name.text) else last
    return last.text.decode() if last is not _END and _AFTER_FORMAT.fullmatch(text, last.end) else ""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a text: a name, a literal, or a sign."""

    kind: str
    text: bytes
    start: int
    end: int

    @property
    def upper(self) -> bytes:
        """A keyword as keywords are written; b"" for everything that cannot be one."""
        return self.text.upper() if self.kind == "name" else b""


_END = _Word("", b"", 0, 0)


def _words(text: bytes, at: int = 0, pattern: re.Pattern[bytes] = _WORD) -> Iterator[_Word]:
    """The words of a text from `at` on, without space and comments."""
    while found := pattern.match(text, at):
        kind, start, at = found.lastgroup or "", at, found.end()
        if kind == "comment":
            at = _comment_end(text, at)
        elif kind == "heredoc":
            closing = text.find(found[0], at)
            at = closing + len(found[0]) if closing >= 0 else len(text)
            yield _Word("literal", text[start:at], start, at)
        elif kind != "skipped":
            yield _Word(kind, found[0], start, at)


def _comment_end(text: bytes, at: int) -> int:
    """Where a comment ends whose content begins at `at`; one within it belongs to it."""
    depth = 1
    for found in _COMMENT_ENDS.finditer(text, at):
        depth += 1 if found[0] == b"/*" else -1
        if depth == 0:
            return found.end()
    return len(text)


def _data_clause(insert: bytes) -> _Word | None:
    """The word VALUES or FORMAT that ends an INSERT's text, with data behind it; None where no data comes.

    Of an INSERT ... SELECT data comes only where it reads `input`; `format` may be a column there.
    """
    selects = reads_input = False
    for word, depth in _behind_target(insert):
        selects |= not depth and word.upper in (b"SELECT", b"WITH")
        reads_input |= word.upper == b"INPUT"
        if depth or (selects and not reads_input):
            continue
        if word.upper == b"VALUES" and not selects:
            return word
        if word.upper == b"FORMAT":
            name = next(_words(insert, word.end), _END)
            if _FORMAT_NAME.fullmatch(name.text) and not (selects and name.upper in _AFTER_COLUMN):
                return word
    return None


def _behind_target(insert: bytes) -> Iterator[tuple[_Word, int]]:
    """The words of an INSERT behind its target, each with the number of brackets that it stands in.

    The target is a name, with its database or not, or FUNCTION and a call. Its name may be any word.
    """
    words = _words(insert)
    if next(words, _END).upper == b"WITH":
        _reaches_insert(words)
    before = [b"INTO", b"TABLE", b"FUNCTION"]
    depth, named, after_point = 0, False, False
    for word in words:
        if word.text in (b")", b"]", b"}"):
            depth -= 1
        if not named and word.upper in before:
            del before[: before.index(word.upper) + 1]
        elif not named:
            named = True
        elif not after_point:
            yield word, depth
        after_point = word.text == b"."
        if word.text in (b"(", b"[", b"{"):
            depth += 1

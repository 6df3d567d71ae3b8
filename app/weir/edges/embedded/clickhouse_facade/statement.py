"""One SQL statement as an HTTP client sends it: the text, and for an INSERT the format and the data behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HEAD_BYTES = 65_536  # where the FORMAT of an INSERT is looked for; data follows it
TAIL_BYTES = 4_096  # where the FORMAT of a query is looked for; it ends the statement

# Nothing here is tried in two ways (*+ and (?>) keep what they took), and what is not closed goes to the end: time
# grows with the text, and no faster, whatever the text is.
_LITERALS = (
    rb"'(?>[^'\\]+|\\(?:.|\Z)|'')*+(?:'|\Z)|\"(?>[^\"\\]+|\\(?:.|\Z))*+(?:\"|\Z)|`(?>[^`\\]+|\\(?:.|\Z))*+(?:`|\Z)"
    rb"|--[^\n]*+|/\*.*?(?:\*/|\Z)"
)
_SPACE = rb"(?>\s+|--[^\n]*+\n|/\*.*?\*/)*+"
_INSERT = re.compile(_SPACE + rb"INSERT\s", re.IGNORECASE | re.DOTALL)
_NO_RESULT = re.compile(
    _SPACE + rb"(?:CREATE|ALTER|DROP|SET|USE|INSERT|RENAME|TRUNCATE|OPTIMIZE|SYSTEM|GRANT|REVOKE|ATTACH|DETACH"
    rb"|EXCHANGE|DELETE|UPDATE|BACKUP|RESTORE|REPLACE|UNDROP|MOVE)\b",
    re.IGNORECASE | re.DOTALL,
)
_KEYWORD = re.compile(
    _LITERALS + rb"|\b(?:(?P<format>FORMAT)\s++(?P<name>[A-Za-z][A-Za-z0-9]*)[ \t;]*(?:\r?\n)?|(?P<values>VALUES)\b)",
    re.IGNORECASE | re.DOTALL,
)
_SETTINGS = re.compile(_LITERALS + rb"|\b(?P<settings>SETTINGS)\s", re.IGNORECASE | re.DOTALL)
_AFTER_FORMAT = re.compile(rb"\s*+(?:SETTINGS\s.*)?;?\s*+", re.IGNORECASE | re.DOTALL)


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
    if _INSERT.match(text[:HEAD_BYTES]):
        head = query or text[:HEAD_BYTES]
        for found in _KEYWORD.finditer(head):
            if found["values"] is not None:
                return Statement(text, default_format, has_result=False, values_at=found.start())
            if found["format"] is not None:
                inline = head[found.end() :] if query else b""
                data = inline + body if query else text[found.end() :]
                return Statement(head[: found.start()].rstrip(), found["name"].decode(), data, has_result=False)
        return Statement(text, default_format, has_result=False)
    return Statement(text, _result_format(text) or default_format, has_result=not _NO_RESULT.match(text[:HEAD_BYTES]))


def split_settings(insert: bytes) -> tuple[bytes, bytes]:
    """An INSERT's text before its SETTINGS clause, and that clause; b"" when it has none.

    >>> split_settings(b"INSERT INTO `SETTINGS` (a) SETTINGS x = 1")
    (b'INSERT INTO `SETTINGS` (a)', b'SETTINGS x = 1')
    """
    found = next((found for found in _SETTINGS.finditer(insert) if found["settings"] is not None), None)
    return (insert[: found.start()].rstrip(), insert[found.start() :]) if found else (insert, b"")


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
    named = [found for found in _KEYWORD.finditer(text) if found["format"] is not None]
    if named and _AFTER_FORMAT.fullmatch(text, named[-1].end()):
        return str(named[-1]["name"].decode())
    return ""

"""A body that is a multipart form: parameters too long for a URL, and external tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser

from weir.edges.embedded.clickhouse_facade.asked import ExternalTable
from weir.edges.embedded.clickhouse_facade.faults import BAD_ARGUMENTS, Fault

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_SUFFIXES = ("_format", "_structure", "_types")


def read(content_type: str, raw: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """The fields of a form, and its files by name.

    A part is a value, whatever it says of itself: a form within a form is not looked into. Raises ValueError for a
    form without a boundary.
    """
    boundary = str(_head(b"Content-Type: " + content_type.encode("latin-1")).get_param("boundary") or "")
    if not boundary:
        raise ValueError("a form without a boundary")
    between = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("latin-1")) + rb"(?:--)?[ \t]*(?:\r?\n|\Z)")
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in between.split(raw)[1:-1]:  # what stands before the first and behind the last one is no part
        lines, *value = _HEAD_END.split(part, maxsplit=1)
        head, data = _head(lines), b"".join(value)
        name = str(head.get_param("name", header="content-disposition"))
        if head.get_filename():
            files[name] = data
        else:
            fields[name] = data.decode("utf-8", "surrogateescape")
    return fields, files


def _head(lines: bytes) -> Message:
    return BytesParser().parsebytes(lines + b"\r\n\r\n", headersonly=True)


def external_tables(files: Mapping[str, bytes], parameters: dict[str, str]) -> tuple[ExternalTable, ...]:
    """The files as tables; what describes them is taken out of the parameters.

    Columns that have types only are called _1, _2, ... Raises Fault for a table without either.
    """
    tables = []
    for name, data in files.items():
        kind, structure, types = (parameters.pop(name + suffix, "") for suffix in _SUFFIXES)
        if not structure and not types:
            raise Fault(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"The external table {name} needs {name}_structure")
        described = structure or ", ".join(f"_{i} {column}" for i, column in enumerate(_split(types), 1))
        tables.append(ExternalTable(name, described, kind or "TabSeparated", data))
    return tuple(tables)


def _split(types: str) -> list[str]:
    """Types between the commas that stand in no parentheses."""
    out, depth = [""], 0
    for sign in types:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            out.append("")
        else:
            out[-1] += sign
    return [column.strip() for column in out]

"""A body that is a multipart form: parameters too long for a URL, and external tables."""

from __future__ import annotations

from collections.abc import Mapping
from email.parser import BytesParser

from weir.edges.embedded.clickhouse_facade.asked import ExternalTable
from weir.edges.embedded.clickhouse_facade.faults import BAD_ARGUMENTS, Fault

_SUFFIXES = ("_format", "_structure", "_types")


def read(content_type: str, raw: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """The fields of a form, and its files by name."""
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + raw)
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.walk():
        value = part.get_payload(decode=True)
        if not isinstance(value, bytes):  # the container of the others
            continue
        name = str(part.get_param("name", header="content-disposition"))
        if part.get_filename():
            files[name] = value
        else:
            fields[name] = value.decode("utf-8", "surrogateescape")
    return fields, files


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

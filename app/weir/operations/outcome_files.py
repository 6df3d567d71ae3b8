"""What came true, from a file of a business system: CSV, JSON lines or Parquet, as fields of the outcome contract."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from weir.core.errors import Refused
from weir.operations import text_file

FIELDS: Final = (
    *("service", "prediction_id", "request_id", "label", "observed", "attributes"),
    *("revision", "withdrawn", "occurred_at"),
)
WHOLE: Final = re.compile(r"([+-]?\d+)(\.0+)?|[+-]?\d(\.\d+)?e\+\d+")  # 1.5e+17 is how frames write long ones
YES, NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
EXACT: Final = 2.0**53  # from here on a float is not every whole number
SECONDS_MS: Final = 10**11  # 1973: a smaller number of milliseconds was meant in seconds


class Form(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


SUFFIXES: Final = {
    ".csv": Form.CSV,
    ".jsonl": Form.JSON,
    ".ndjson": Form.JSON,
    ".json": Form.JSON,
    ".parquet": Form.PARQUET,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file. number: from 1, a CSV's heading included; of Parquet the row. fault: why it is no record."""

    number: int
    record: dict[str, Any]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a file become what.

    named: column -> field, for those that are not called as the contract calls them. attributes: columns of amounts;
    None for every other one that holds numbers only.
    """

    named: Mapping[str, str]
    attributes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Fields of the contract by line number, what is wrong with each other line, and which columns became what."""

    outcomes: dict[int, dict[str, Any]]
    faults: dict[int, str]
    attributes: tuple[str, ...]
    left_out: tuple[str, ...]


def form_of(path: Path, content: bytes) -> Form:
    """The form that the name says, or else the content. Raises Refused for a name that says another one."""
    if not path.suffix:
        if content.startswith(b"PAR1"):
            return Form.PARQUET
        return Form.JSON if content.lstrip()[:1] in (b"{", b"[") else Form.CSV
    if path.suffix.lower() not in SUFFIXES:
        what = f"{path} is no {', '.join(sorted(SUFFIXES))}"
        raise Refused(what, remedy="rename it, or give it as - with its content on stdin")
    return SUFFIXES[path.suffix.lower()]


def read(content: bytes, form: Form) -> list[Line]:
    """The lines of a file, those without content left out. Raises Refused when it has no such form at all."""
    try:
        match form:
            case Form.PARQUET:
                rows = pq.read_table(pa.BufferReader(content), use_threads=False).to_pylist()
                return [Line(number, row) for number, row in enumerate(rows, 1)]
            case Form.CSV:
                text_file.check(content.split(b"\n"), "the file")
                return _whole_again(list(_csv(content.decode("utf-8-sig"))))
        return list(_json(content))
    except (pa.ArrowException, csv.Error) as error:
        raise Refused(f"the file is no {form.value}: {error}", remedy="give CSV, JSON lines or Parquet") from error


def outcomes(lines: list[Line], service: str, columns: Columns, now_ms: int) -> Found:
    """The outcomes that lines say.

    now_ms: occurred_at of those that say none. Raises Refused when a column that was named is not there, and when no
    column says whose outcomes they are, or what came true.
    """
    there = dict.fromkeys(name for line in lines for name in line.record)
    if lines and (absent := [name for name in (*columns.named, *(columns.attributes or ())) if name not in there]):
        raise Refused(f"there is no column {', '.join(absent)}", remedy=f"there are {', '.join(there)}")
    other = [name for name in there if columns.named.get(name, name) not in FIELDS]
    amounts = columns.attributes
    if amounts is None:
        amounts = tuple(name for name in other if all(_is_amount(line.record.get(name)) for line in lines))
    found: dict[int, dict[str, Any]] = {}
    faults: dict[int, str] = {}
    for line in lines:
        if line.fault:
            faults[line.number] = line.fault
            continue
        try:
            found[line.number] = _outcome(line.record, service, columns.named, amounts, now_ms)
        except ValueError as error:
            faults[line.number] = str(error)
    if found:
        _check_columns({columns.named.get(name, name): name for name in there}, amounts)
    undecided = _undecided(found)
    kept = {number: one for number, one in found.items() if number not in undecided}
    return Found(kept, faults | undecided, amounts, tuple(name for name in other if name not in amounts))


def _check_columns(there: Mapping[str, str], amounts: Collection[str]) -> None:
    """Raises Refused naming the columns that there are, where no line of them can be an outcome.

    there: columns by the field that they are, or by their own name.
    """
    said = f"the columns are {', '.join(there.values())}"
    other = [column for field, column in there.items() if field not in FIELDS]
    if not {"prediction_id", "request_id"} & there.keys():
        raise Refused(
            f"neither prediction_id nor request_id is given: {said}",
            remedy=f"name the column that has it, as in --column request_id={[*other, 'COLUMN'][0]}",
        )
    if other and not amounts and not {"label", "observed", "attributes", "withdrawn"} & there.keys():
        raise Refused(
            f"neither label nor observed nor attributes are given: {said}",
            remedy=f"name the column that says what came true, as in --column label={other[-1]}",
        )


def _undecided(found: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Lines that contradict one before them, where neither revision nor time says which of the two counts."""
    first: dict[tuple[Any, ...], int] = {}
    faults = {}
    for number, one in found.items():
        key = tuple(one[name] for name in ("prediction_id", "request_id", "revision", "occurred_at"))
        before = first.setdefault(key, number)
        if one != found[before]:
            faults[number] = f"line {before} says another outcome of it: give `revision` or `occurred_at`"
    return faults


def _csv(text: str) -> Iterator[Line]:
    text_file.check_separator(text.partition("\n")[0], "the file")
    rows = csv.reader(io.StringIO(text, newline=""))
    heading = next(rows, [])
    if len(set(heading)) < len(heading):
        raise csv.Error("two columns have one name")
    for cells in rows:
        if not cells:
            continue
        fault = "" if len(cells) == len(heading) else f"{len(cells)} values under {len(heading)} headings"
        yield Line(rows.line_num, dict(zip(heading, cells, strict=False)), fault)


def _whole_again(lines: list[Line]) -> list[Line]:
    """Lines of CSV with 12.0 as 12 in columns of whole numbers alone: so frames write one that has an empty cell.

    In a column that says anything else 12.0 is a word.
    """
    columns = dict.fromkeys(name for line in lines for name in line.record)
    for name in columns:
        cells = {line.record[name] for line in lines if line.record.get(name)}
        found = {cell: _number(cell, match) for cell in cells if (match := WHOLE.fullmatch(cell))}
        if len(found) == len(cells):
            for line in lines:
                if name in line.record:
                    line.record[name] = found.get(line.record[name], "")
    return lines


def _number(cell: str, match: re.Match[str]) -> str | float:
    """A whole number as it was before it became a float; that float where digits were lost by it."""
    return match[1] if match[1] and (not match[2] or abs(float(cell)) < EXACT) else float(cell)


def _json(content: bytes) -> Iterator[Line]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            found = text_file.record(line)
            yield Line(number, found) if isinstance(found, dict) else Line(number, {}, found)


def _outcome(
    record: Mapping[str, Any], service: str, named: Mapping[str, str], amounts: Collection[str], now_ms: int
) -> dict[str, Any]:
    """The fields of one outcome. Raises ValueError naming the column that says none."""
    given = {named.get(name, name): value for name, value in record.items() if not _is_nothing(value)}
    if (said := _text("service", given.get("service", service))) != service:
        raise ValueError(f"service is {said}, not {service}")
    attributes = {name: _amount(name, record[name]) for name in amounts if not _is_nothing(record.get(name))}
    inner = given.get("attributes", {})
    if not isinstance(inner, dict):
        raise ValueError("attributes is no object of names and numbers")
    attributes |= {str(name): _amount(name, value) for name, value in inner.items()}
    return {
        "service": service,
        **{name: _text(name, given.get(name)) for name in ("prediction_id", "request_id", "label")},
        "observed": _amount("observed", given["observed"]) if "observed" in given else None,
        "attributes": attributes,
        "revision": _whole("revision", given.get("revision", 0)),
        "withdrawn": _truth("withdrawn", given.get("withdrawn", False)),
        "occurred_at": _time_ms("occurred_at", given["occurred_at"]) if "occurred_at" in given else now_ms,
    }


def _is_nothing(value: Any) -> bool:
    """Whether a cell is empty: frames write NaN where a number is not there."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _is_amount(value: Any) -> bool:
    try:
        return _is_nothing(value) or math.isfinite(_amount("", value))
    except ValueError:
        return False


def _text(name: str, value: Any) -> str | None:
    """A word, or a number as a word: the numbers 1 and 1.0 are both "1", as frames keep classes beside missing ones."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str | int | float):
        raise ValueError(f"{name} is no text")
    if isinstance(value, float) and abs(value) >= EXACT:
        raise ValueError(f"{name} has lost digits as a number: {value!r}: write it as text")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _amount(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is no number: {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} is no number: {value!r}")
    return number


def _whole(name: str, value: Any) -> int:
    number = _amount(name, value)
    if not number.is_integer() or abs(number) >= 2**63:
        raise ValueError(f"{name} is no whole number: {value!r}")
    return int(value) if isinstance(value, int) else int(number)


def _truth(name: str, value: Any) -> bool:
    word = str(value).strip().lower().removesuffix(".0")
    if word not in YES | NO:
        raise ValueError(f"{name} is neither true nor false: {value!r}")
    return word in YES


def _time_ms(name: str, value: Any) -> int:
    """Milliseconds since 1970 of such a number, or of a date in ISO 8601; without a zone it is UTC."""
    if isinstance(value, str) and not re.fullmatch(r"-?\d+(\.0+)?", value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{name} is neither milliseconds nor ISO 8601: {value!r}") from None
    if isinstance(value, datetime):
        zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
        return math.floor(zoned.timestamp() * 1000)
    time_ms = _whole(name, value)
    if 0 < time_ms < SECONDS_MS:
        year = datetime.fromtimestamp(time_ms / 1000, UTC).year
        raise ValueError(f"{name} is in {year}: write milliseconds or ISO 8601")
    return time_ms

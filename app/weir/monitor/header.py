"""The header of a monitor's file: `-- key: value` lines, read and checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, NoReturn

from weir.core.errors import Refused
from weir.core.signature import Task
from weir.monitor import durations
from weir.monitor.action import RETRAIN
from weir.monitor.baseline import NOTHING, Baseline
from weir.monitor.parameters import NEEDED, PARAMETERS, VIEWS
from weir.monitor.segment import FILTERS
from weir.monitor.spec import FINEST_S, ON_DEMAND, Level, Monitor, Panel, Series, Stroke, Unit
from weir.monitor.threshold import Threshold
from weir.monitor.usual import Way
from weir.monitor.verdicts import VERDICTS

LINE: Final = re.compile(r"--\s*(\w+):\s*(.*?)\s*")
PARAMETER: Final = re.compile(r"\{(\w+)\s*:\s*([^{}]+?)\s*\}")
COLUMN: Final = re.compile(r"[A-Za-z_]\w*")
NAME: Final = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*")
# What may hold the signs of the others is found in one pass: strings, quoted names, and comments.
QUOTED: Final = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r'|(?P<name>"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)'
    r"|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/",
    re.DOTALL,
)
SETTINGS: Final = re.compile(r"\bSETTINGS\s+\w+\s*=", re.IGNORECASE)
SERIES: Final = re.compile(r"([A-Za-z_]\w*)(?:\s+as\s+(\S[^,]*?))?(?:\s+(dashed|base))?")
RULE: Final = re.compile(r'(-?\d+(?:\.\d+)?)\s+"([^"]+)"')
MOST_SERIES: Final = 5  # of more lines nobody tells one from another
NEEDED_KEYS: Final = ("name", "question", "title", "source", "tasks", "time", "value", "unit", "n", "window", "panel")
KPI: Final = ("owner", "target", "slo")
OBJECTIVES: Final = "slo/"  # see monitor.burn
LONGEST_WINDOW_S: Final = 366 * 86_400
KPI_FOLDER: Final = "kpi/"  # of the project: what lies in it is a KPI, whatever its header says


def monitor(text: str, name: str, where: str, *, own: bool = False) -> Monitor:
    """A monitor out of its file's text.

    name: as the file is called, without its ending, from the folder of all monitors on. where: the file, for messages.
    own: whether it is the project's. Raises Refused naming the key, and what it can say.
    """
    header = lines(text, where)
    if unknown := next((key for key in header if key not in READ), ""):
        near = get_close_matches(unknown, READ, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        _deny(where, f"its header has the key {unknown}", f"{meant}there are {', '.join(READ)}")
    needed = (*NEEDED_KEYS, *(KPI if _is_kpi(name, header) else ()))
    if lacking := [key for key in needed if not header.get(key)]:
        why = ": a KPI has an owner, a target, and an SLO that it is linked with" if lacking[0] in KPI else ""
        _deny(
            where, f"its header does not say {', '.join(lacking)}{why}", f"write `-- {lacking[0]}: ...` above its SQL"
        )
    if header["name"] != name or not NAME.fullmatch(name):
        remedy = f"write `-- name: {name}`; a name is small letters, digits, _ and /"
        _deny(where, f"its header calls it {header['name']}", remedy)
    if name.startswith(OBJECTIVES):
        _deny(where, f"names that begin with {OBJECTIVES} are those of objectives", "put it into another folder")
    sql = bare(text)
    if not sql.strip():
        _deny(where, "it has a header and no SQL", "write the SELECT that gives a row for each window below the header")
    if SETTINGS.search(sql):
        _deny(where, "its SQL says SETTINGS", "leave them out: how long it may run and what it may read is not its own")
    said = {FIELDS.get(key, key): _read(key, value, where) for key, value in header.items() if value}
    parameters = _parameters(text, said, where)
    asks = said.get("baseline", NOTHING).asks_for
    if asks and not parameters.keys() & set(asks):
        remedy = f"write {{{asks[0]}:{PARAMETERS[asks[0]][0]}}} in its SQL, or leave the key out"
        _deny(where, f"its header says baseline: {said['baseline']}, and its SQL does not ask for {asks[0]}", remedy)
    if "usual" in said and {"warn", "page"} & said.keys():
        _deny(where, "its header says both what is usual and a bound", "say usual, or warn and page")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Monitor(**said, own=own, parameters=parameters, sql=text, sha256=digest)


def lines(text: str, where: str = "") -> dict[str, str]:
    """The header as it is written; it ends at the first line that is no `-- key: value`.

    Raises Refused where there is none, or a key is there twice.
    """
    header: dict[str, str] = {}
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if not found:
            break
        if found[1] in header:
            _deny(where, f"its header says {found[1]} twice", "say it once")
        header[found[1]] = found[2]
    if not header:
        _deny(where, "it begins with no header", f"begin it with `-- key: value` lines: {', '.join(NEEDED_KEYS)}")
    return header


def bare(sql: str) -> str:
    """A statement without its comments, and without what stands in its strings and quoted names.

    >>> bare("SELECT '--' AS `a b` /* twice */ FROM t -- of all")
    "SELECT '' AS q   FROM t  "
    """
    return QUOTED.sub(lambda found: "''" if found["text"] else "q" if found["name"] else " ", sql)


def uncommented(sql: str) -> str:
    """A statement without its comments.

    >>> uncommented("SELECT '--' AS `a b` /* twice */ FROM t -- of all")
    "SELECT '--' AS `a b`   FROM t  "
    """
    return QUOTED.sub(lambda found: found[0] if found["text"] or found["name"] else " ", sql)


def _is_kpi(name: str, header: Mapping[str, str]) -> bool:
    return name.startswith(KPI_FOLDER) or "target" in header or "slo" in header


def _read(key: str, value: str, where: str) -> Any:
    try:
        return READ[key](value)
    except ValueError as error:
        _deny(where, f"its header says {key}: {value}", str(error))


def _parameters(sql: str, said: Mapping[str, Any], where: str) -> dict[str, str]:
    """Parameters of the SQL, each of which somebody fills in, and which agree with the header."""
    grain, filters = said.get("grain", ()), said.get("filters", ())
    found: dict[str, str] = {}
    for name, kind in PARAMETER.findall(sql):
        kinds = PARAMETERS.get(name) or (("Identifier",) if kind == "Identifier" and name in grain else ())
        if not kinds:
            near = get_close_matches(name, PARAMETERS, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            tables = f"of tables those of its grain, {', '.join(grain)}" if grain else "of tables those of its grain"
            _deny(where, f"nobody knows its parameter {name}", f"{meant}there are {', '.join(PARAMETERS)}; {tables}")
        if kind not in kinds:
            _deny(where, f"its parameter {name} is a {kind}", f"write {{{name}:{kinds[0]}}}")
        if found.setdefault(name, kind) != kind:
            _deny(where, f"its parameter {name} is a {found[name]} and a {kind}", "write one type")
    of_one = NEEDED[1:] if found.keys() & VIEWS else NEEDED  # a view of a service says whose it is
    if lacking := [name for name in of_one if name not in found]:
        remedy = f"write {', '.join(f'{{{name}:{PARAMETERS[name][0]}}}' for name in lacking)} in its SQL"
        _deny(where, f"its SQL does not ask for {', '.join(lacking)}", remedy)
    taken = {name for name in FILTERS if name in found}
    if differing := sorted(taken ^ set(filters)):
        word = "takes" if differing[0] in taken else "does not take"
        remedy = f"write `-- filters: {' '.join(name for name in FILTERS if name in taken)}`, or mend the SQL"
        _deny(where, f"its SQL {word} {differing[0]}, and its header says filters: {' '.join(filters)}", remedy)
    return found


def _deny(where: str, what: str, remedy: str) -> NoReturn:
    raise Refused(f"this is no monitor: {what}", where=where, remedy=remedy)


def _column(text: str) -> str:
    if not COLUMN.fullmatch(text):
        raise ValueError("write the name of a column of its answer")
    return text


def _columns(text: str) -> tuple[str, ...]:
    return tuple(_column(word) for word in text.replace(",", " ").split())


def _one_of(kind: type[StrEnum]) -> Callable[[str], Any]:
    def read(text: str) -> StrEnum:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"write one of {', '.join(kind)}") from None

    return read


def _tasks(text: str) -> tuple[Task, ...]:
    words = text.replace(",", " ").split()
    if words == ["all"]:
        return tuple(Task)
    read = _one_of(Task)
    try:
        return tuple(read(word) for word in words)
    except ValueError:
        raise ValueError(f"write all, or some of {', '.join(Task)}") from None


def _usual(text: str) -> dict[str, Way]:
    """`falls`, or `mae rises, bias moves`: by subject, of all subjects under ''."""
    found: dict[str, Way] = {}
    for part in text.split(","):
        subject, _, way = part.strip().rpartition(" ")
        if way not in tuple(Way):
            raise ValueError(f"write one of {', '.join(Way)}, or some of them with a subject before each: mae rises")
        found[subject.strip()] = Way(way)
    return found


def _verdict(text: str) -> str:
    if text not in VERDICTS:
        raise ValueError(f"write one of {', '.join(VERDICTS)}")
    return text


def _action(text: str) -> str:
    if text != RETRAIN:
        raise ValueError(f"write {RETRAIN}, or leave it out")
    return text


def _series(text: str) -> tuple[Series, ...]:
    """`p99_ms as p99, p95_ms as p95 dashed, p50_ms as p50 base`."""
    found = tuple(SERIES.fullmatch(part.strip()) for part in text.split(","))
    if not all(found) or len(found) > MOST_SERIES:
        raise ValueError(
            f"write at most {MOST_SERIES} columns of its answer, each with its label and, if it is no plain line, how"
            " it is drawn: p99_ms as p99, p95_ms as p95 dashed, p50_ms as median base"
        )
    return tuple(Series(one[1], one[2] or one[1], Stroke(one[3] or "")) for one in found if one)


def _rule(text: str) -> Level:
    found = RULE.fullmatch(text)
    if not found:
        raise ValueError('write a number and its name in quotes: 250 "promise"')
    return Level(float(found[1]), found[2])


def _filters(text: str) -> tuple[str, ...]:
    words = text.replace(",", " ").split()
    if not set(words) <= set(FILTERS):
        raise ValueError(f"write some of {', '.join(FILTERS)}")
    return tuple(words)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise ValueError("write a share from 0 to 1")
    return share


def _window(text: str) -> int:
    span_s = durations.seconds(text)
    if span_s % FINEST_S or span_s > LONGEST_WINDOW_S:
        raise ValueError("write whole minutes, a year at most: 5m, 1h, 1d")
    return span_s


def _cadence(text: str) -> int:
    return ON_DEMAND if " ".join(text.split()) == "on demand" else durations.seconds(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("write a whole number of rows")
    return int(text)


# key of a header -> how its value is read
READ: Final[dict[str, Callable[[str], Any]]] = {
    "name": str,
    "question": str,
    "title": str,
    "source": str,
    "tasks": _tasks,
    "time": _column,
    "subject": _columns,
    "value": _column,
    "unit": _one_of(Unit),
    "n": _column,
    "low": _column,
    "high": _column,
    "p": _column,
    "warn": Threshold.of,
    "page": Threshold.of,
    "usual": _usual,
    "minimum": _count,
    "window": _window,
    "baseline": Baseline.of,
    "maturity": _share,
    "cadence": _cadence,
    "panel": _one_of(Panel),
    "filters": _filters,
    "grain": _columns,
    "owner": str,
    "target": Threshold.of,
    "slo": str,
    "like": str,
    "runbook": str,
    "action": _action,
    "verdict": _verdict,
    "series": _series,
    "rule": _rule,
}
FIELDS: Final = {"window": "window_s", "cadence": "cadence_s"}  # key -> field, where its unit is in the name

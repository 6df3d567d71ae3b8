"""A new service of a project: a trained model and a sample of rows -> a specification that a person can go on with."""

from __future__ import annotations

import dataclasses
import getpass
import math
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto

from weir import project
from weir.core.arrow import floats_of
from weir.core.beside import Table, Tables, values_at
from weir.core.errors import Refused
from weir.core.signature import Dtype, Held, Input, Policy, Signature, Source, Task
from weir.core.topics import SERVICE
from weir.edges.bundles import text as yaml
from weir.edges.bundles import trained
from weir.edges.bundles.adapt import Given
from weir.edges.bundles.checks import Floats
from weir.edges.bundles.model_inputs import held
from weir.edges.bundles.rows import LABEL, SCORE, exact, score_columns, table_of
from weir.edges.bundles.trained import ONNX_RUNTIME, Trained
from weir.edges.bundles.words import listed_names
from weir.operations import mistyped, replaced, services
from weir.operations import sample as samples
from weir.operations.assignment import Assigned, Said, assign, categories
from weir.operations.meaning import Meaning, meaning
from weir.operations.sample import Column, Kind
from weir.operations.score import read as read_rows
from weir.operations.service_text import Draft, text
from weir.settings import Settings
from weir.wire.request_contract import field_name

MARGIN: Final = 10.0
LARGEST: Final = 1e37  # float32 ends at 3.4e38
GOLDEN_ROWS: Final = 1_000
BASELINE_ROWS: Final = 20_000
CARD: Final = "card.md"
NOTHING_SCORED: Final = (
    "the model scores no row of the sample: a value is missing in each, or its scores are no numbers"
)
AS_ASKED: Final = "give rows as the model is asked in production"
_DTYPES: Final = {Kind.FLOAT: Dtype.FLOAT, Kind.INT: Dtype.INT, Kind.BOOL: Dtype.BOOL, Kind.TEXT: Dtype.CATEGORY}
_CARD: Final = """# {name}

What the model is for, what it was trained on, who may use it, and where it fails.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person says of a new service; what is empty is found out.

    label: the sample's column with what came true. output: the model's output that is the score. codes, texts: see
    assignment.Said. replace: the service is there, and is to be written anew.
    """

    label: str = ""
    task: Task | None = None
    output: str = ""
    codes: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    texts: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """A new service. said: what was found and chosen, in words."""

    folder: Path
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scored:
    """The rows of a sample that were scored.

    signature: what was found. matrix, tables: float32[n, k] and what it has positions of, as Model.run takes them.
    outputs: float32[n, m], as the signature describes them. kept: of the sample's rows, which these are.
    """

    signature: Signature
    kept: npt.NDArray[np.bool_]
    matrix: Floats
    tables: Tables
    outputs: Floats
    meaning: Meaning


def add(name: str, model: Path, sample: Path, wishes: Wishes, settings: Settings) -> Added:
    """Write services/<name>/ with specification, model, golden rows and baseline.

    A service that is replaced keeps its owner and the formula of its value, its old specification beside the new one,
    and every file that this does not write.
    Raises Refused naming what could not be found out and how to say it; nothing is written then.
    """
    folder = _folder(name, settings, replace=wishes.replace)
    old = replaced.read(folder / services.SPEC) if wishes.replace else {}
    owned = replaced.owned(old)
    source, whole = trained.read(model), read_rows(sample)
    table = samples.pick(whole, BASELINE_ROWS)
    if not table.num_rows:
        raise Refused("the sample has no rows", where=str(sample), remedy="give some hundred rows or more")
    columns = samples.look(table)
    label = _label(wishes.label, columns, sample)
    beside = {SCORE, *(f"{SCORE}_{word}" for word in label.words)} if label else {SCORE}
    beside |= {label.name} if label else set()
    said = Said(wishes.codes, wishes.texts)
    taken = [
        (samples.worded(column, table) if one.text and column.name not in wishes.codes else column, one)
        for column, one in assign(source, columns, beside, said)
    ]
    mistyped.check(source, taken, whole, said, proved=SCORE in columns)
    assigned = categories(source, taken, said, proved=SCORE in columns)
    found = _scored(source, table, assigned, label, wishes)
    golden, whose = _golden(table, found, source)
    used = beside | {one.column.name for one in assigned}
    draft = Draft(
        name=name,
        version=replaced.next_version(old) if wishes.replace else "1",
        owner=owned.get("owner") or _owner(),
        model=source.file[0],
        output=wishes.output,
        source=f"{model.name} and {sample.name}",
        golden=f"{golden.num_rows:,} rows of the sample, with scores that {whose}",
        baseline=f"{len(found.matrix):,} rows of the sample{', their scores and label' if label else ' and scores'}",
        signature=found.signature,
        assigned=assigned,
        left_out=[column for column in columns.values() if column.name not in used],
        why=found.meaning.why,
        value=owned.get("value", ""),
    )
    kept = _write(folder, draft, source, golden, _with_label(found))
    lost = replaced.lost(old, yaml.parse(text(draft).encode()))
    return Added(folder, (*_said(draft, whose, label), *kept, *_carried(owned, lost)))


def _folder(name: str, settings: Settings, *, replace: bool) -> Path:
    """Where the service will be. Raises Refused for a name that cannot be, is taken, or is not there to be replaced."""
    if not re.fullmatch(SERVICE, name):
        fit = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-0123456789")[:100]
        like = f", such as {fit}" if fit else ""
        what = f"{name!r} cannot name a service: topics, contracts and views are called after it"
        raise Refused(what, remedy=f"take letters, digits, - and _, no digit first, 100 at most{like}")
    if project.found() is None and "services_dir" not in settings.paths.model_fields_set:
        remedy = "run `weir init DIR`, and this command in that folder"
        raise Refused("there is no project here", where=str(Path.cwd()), remedy=remedy)
    folder = settings.paths.services_dir / name
    if folder.exists() and not replace:
        raise Refused(
            f"service {name} is there already, and nothing was changed",
            where=str(folder),
            remedy="edit its service.yaml; or add --replace, which writes it anew and keeps the old one beside it",
        )
    if replace and not (folder / services.SPEC).is_file():
        raise Refused(f"there is no service {name} to replace", where=str(folder), remedy="leave --replace out")
    others = [one for one in services.listed(settings) if one != name]
    alike = [one for one in others if one.replace("-", "_") == name.replace("-", "_")]
    if alike:
        what = f"service {alike[0]} has the same name but for - and _, which are one in SQL and Avro"
        raise Refused(what, where=str(folder.parent), remedy="take another name")
    return folder


def _label(wanted: str, columns: Mapping[str, Column], sample: Path) -> Column | None:
    if wanted and wanted not in columns:
        raise Refused(f"the sample has no column {wanted}", where=str(sample), remedy=f"it has {', '.join(columns)}")
    return columns.get(wanted or LABEL)


def _scored(
    source: Trained, table: pa.Table, assigned: Sequence[Assigned], label: Column | None, wishes: Wishes
) -> _Scored:
    """The sample as the model scores it. Rows that it has no score for, since a value is missing, are left out."""
    inputs = tuple(_input(one, ref, use=True) for one, ref in zip(assigned, _refs(assigned), strict=True))
    matrix, tables = _matrix(table, assigned, inputs)
    given = source.given(Signature(inputs=inputs), wishes.output)
    whole = ~_rejected(matrix, inputs)  # a model of texts has no number for a category that is missing
    if not whole.any():
        raise Refused(NOTHING_SCORED, remedy=AS_ASKED)
    raw = source.scores(_trial(inputs, given), wishes.output, matrix[whole], tables)
    scored = np.isfinite(raw).all(axis=1)
    if not scored.all():
        inputs = tuple(_input(one, item.ref, use=False) for one, item in zip(assigned, inputs, strict=True))
    scored &= ~_rejected(matrix[whole], inputs)
    raw, whole[whole] = raw[scored], scored
    if not whole.any():
        raise Refused(NOTHING_SCORED, remedy=AS_ASKED)
    values = table.column(label.name).filter(pa.array(whole)) if label else None
    found = meaning(given, raw, values, label, wishes.task)
    signature = Signature(inputs=inputs, task=found.task, classes=found.classes)
    outputs = raw if found.task is Task.MULTICLASS else raw[:, -1:]
    return _Scored(signature, whole, matrix[whole], tables, np.ascontiguousarray(outputs), found)


def _trial(inputs: tuple[Input, ...], given: Given) -> Signature:
    """A signature that asks for every column of the output, whatever they mean."""
    if given.columns == 1:
        return Signature(inputs=inputs, task=Task.REGRESSION)
    return Signature(inputs=inputs, task=Task.MULTICLASS, classes=tuple(map(str, range(given.columns))))


def _input(assigned: Assigned, ref: str, *, use: bool) -> Input:
    """use: whether a missing value may go to the model as NaN, where the sample has some."""
    column = assigned.column
    missing = Policy.USE if use and column.nulls and assigned.by.floats else Policy.REJECT
    whole = column.whole and not assigned.by.floats  # pandas makes floats of whole numbers of which one is missing
    dtype = _dtype(assigned, whole=whole)
    most = _most(column) if dtype in (Dtype.FLOAT, Dtype.DOUBLE, Dtype.INT) else None
    item = Input(
        name=column.name,
        source=Source.REQUEST,
        ref=ref,
        dtype=dtype,
        categories=assigned.categories,
        low=None if most is None else -most,
        high=most,
        on_missing=missing,
    )
    return dataclasses.replace(item, held=held(assigned.by.kind, item))


def _most(column: Column) -> float | None:
    """A bound that tells a value in another unit and not one that is merely new, rounded up to one digit.

    Ten times the sample's greatest; None where it has but zeros, or nothing that float32 could hold then.
    """
    greatest = max(abs(column.low or 0.0), abs(column.high or 0.0)) * MARGIN
    if not 0 < greatest < LARGEST:
        return None
    digit = 10.0 ** math.floor(math.log10(greatest))
    return math.ceil(greatest / digit) * digit


def _dtype(assigned: Assigned, *, whole: bool) -> Dtype:
    if assigned.text:
        return Dtype.STRING
    if assigned.categories:
        return Dtype.CATEGORY
    if assigned.by.kind == TensorProto.DOUBLE and assigned.column.kind is Kind.FLOAT:
        return Dtype.DOUBLE
    return Dtype.INT if whole else _DTYPES[assigned.column.kind]


def _refs(assigned: Sequence[Assigned]) -> list[str]:
    """A request field for each column: its name as Avro takes it, each once, none that every request has."""
    found: list[str] = []
    for one in assigned:
        ref = field_name(one.column.name)
        found.append(next(name for name in (ref, *(f"{ref}_{i}" for i in range(2, 10**4))) if name not in found))
    return found


def _matrix(table: pa.Table, assigned: Sequence[Assigned], inputs: Sequence[Input]) -> tuple[Floats, Tables]:
    """float32[n, k], as the model is asked, NaN for null; and the tables that it has positions in, by column."""
    columns: list[npt.NDArray[np.float64]] = []
    tables: dict[int, Table] = {}
    for place, (one, item) in enumerate(zip(assigned, inputs, strict=True)):
        values = table.column(one.column.name)
        if item.held is not Held.FLOAT32:
            encoded = _exact(table, one.column.name, item.held).dictionary_encode()
            tables[place] = table_of(encoded.dictionary)
            columns.append(floats_of(encoded.indices))
            continue
        words = one.categories
        if one.text:
            words = tables[place] = samples.distinct(values)
        coded = one.text or (one.categories and one.column.kind is Kind.TEXT)
        columns.append(samples.codes(values, words) if coded else floats_of(values))
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float32), tables


def _exact(table: pa.Table, name: str, held: Held) -> pa.Array:
    """A column of numbers with all their digits. Raises Refused for numbers that the model cannot take."""
    try:
        return exact(table, name, pa.float64() if held is Held.FLOAT64 else pa.int64())
    except ValueError as error:
        raise Refused(str(error), remedy=f"give numbers that are {held}, as the model takes them") from error


def _rejected(matrix: Floats, inputs: Sequence[Input]) -> npt.NDArray[np.bool_]:
    """bool[n], rows that the signature's own rules reject."""
    needed = [i for i, item in enumerate(inputs) if item.on_missing is Policy.REJECT]
    found: npt.NDArray[np.bool_] = np.any(np.isnan(matrix[:, needed]), axis=1)
    return found


def _golden(table: pa.Table, found: _Scored, source: Trained) -> tuple[pa.Table, str]:
    """Golden rows, and whose scores they have: those of the sample where it has them, else the model's own."""
    names = score_columns(found.signature)
    own = all(name in table.column_names for name in names)
    held = [floats_of(table.column(name))[found.kept] for name in names] if own else list(found.outputs.T)
    rows = _rows(found, held)
    whose = "the sample holds" if own else source.scorer
    return samples.pick(rows, GOLDEN_ROWS), whose


def _with_label(found: _Scored) -> pa.Table:
    return _rows(found, list(found.outputs.T)).append_column(LABEL, found.meaning.label)


def _rows(found: _Scored, scores: Sequence[npt.NDArray[Any]]) -> pa.Table:
    """The inputs as a person writes them, a category by its word and a text as it is, and scores beside them."""
    columns: dict[str, pa.Array] = {}
    for place, (item, values) in enumerate(zip(found.signature.inputs, found.matrix.T, strict=True)):
        table = found.tables.get(place, item.categories)
        columns[item.name] = _valued(values, table) if len(table) else _floats(values)
    for name, values in zip(score_columns(found.signature), scores, strict=True):
        columns[name] = _floats(values)
    return pa.table(columns)


def _valued(positions: Floats, table: Table) -> pa.Array:
    """The values at n positions; null for NaN."""
    return pa.array(values_at(positions, table), mask=np.isnan(positions))


def _floats(values: npt.NDArray[Any]) -> pa.Array:
    return pa.array(np.ascontiguousarray(values, np.float32))


def _write(folder: Path, draft: Draft, source: Trained, golden: pa.Table, baseline: pa.Table) -> list[str]:
    """The whole folder, or nothing; what became of a specification that was there, in words."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder.parent) as around:
        made = Path(around) / folder.name
        made.mkdir(mode=0o755)
        name, content = source.file
        (made / name).write_bytes(content)
        (made / services.SPEC).write_text(text(draft), encoding="utf-8")
        (made / CARD).write_text(_CARD.format(name=draft.name), encoding="utf-8")
        pq.write_table(golden, made / "golden.parquet", compression="zstd")
        pq.write_table(baseline, made / "baseline.parquet", compression="zstd")
        if not folder.exists():
            made.rename(folder)
            return []
        return _replace(folder, made)


def _replace(folder: Path, made: Path) -> list[str]:
    """Put new files into a service's folder; the old specification is kept, and the card is a person's own."""
    spec = folder / services.SPEC
    names = (f"{services.SPEC}.old", *(f"{services.SPEC}.old-{i}" for i in range(2, 10**4)))
    old = next(folder / name for name in names if not (folder / name).exists())
    spec.rename(old)
    for file in sorted(made.iterdir(), key=lambda path: path.name == services.SPEC):  # the specification last
        if file.name != CARD or not (folder / CARD).exists():
            file.replace(folder / file.name)
    return [f"kept the old {services.SPEC} as {old.name}; the card was left alone"]


def _carried(owned: Collection[str], lost: Sequence[str]) -> Iterator[str]:
    """What became of the content of an old specification."""
    if owned:
        yield f"carried over: {', '.join(owned)}"
    if lost:
        yield f"NOT carried over, though the old file differs: {listed_names(lost)}; edit {services.SPEC}"


def _said(draft: Draft, whose: str, label: Column | None) -> Iterator[str]:
    """What a person should know before building."""
    yield f"{len(draft.assigned)} inputs: {listed_names(draft.signature.names)}"
    yield from draft.why
    for one in draft.assigned:
        if one.text:
            yield (
                f"FREE TEXT {one.column.name}: {one.why}; so it has dtype string, and any text goes to the model as it "
                "is; if it is one of some words, give it dtype category and `categories` in service.yaml"
            )
        elif one.why:
            yield f"categories of {one.column.name}: {one.why}"
        if one.instead:
            yield (
                f"WARNING {one.column.name}: the model knows none of {listed_names(one.categories)}; it knows "
                f"{', or '.join(map(listed_names, one.instead))}: give a sample with the words of the training"
            )
    if bounded := sum(item.high is not None for item in draft.signature.inputs):
        yield (
            f"ranges of {bounded} inputs: {MARGIN:.0f} times what the sample has; a value outside is a dead letter: "
            f"edit low and high in {services.SPEC}"
        )
    for column in draft.left_out:
        yield f"left out {column.name}: {column.why_not}"
    yield f"golden rows: {draft.golden}"
    if whose == ONNX_RUNTIME:
        yield (
            "their scores are the exported model's own: they show that it is served as it was exported, not that the "
            f"export equals the trained model; put the trained model's scores into the sample, as column {SCORE}"
        )
    if label is None:
        yield "no label: the baseline does not say what came true; name its column by --label, with --replace"


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "nobody"

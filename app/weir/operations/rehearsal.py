"""A bundle tried with its own golden rows as requests.

What a check of the parts cannot show: that the golden rows can be asked at all under the contract that the signature
makes, that categories, whole numbers and missing values come out of a request as the model was given them, that the
features are looked up by the keys that the request has, and that the answers can be written and recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.beside import Table, Tables, values_at
from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.core.rejects import Rejects
from weir.core.signature import UNITS_S, Dtype, Input, Source
from weir.edges.bundles import checks
from weir.edges.bundles.opened import Opened
from weir.operations import trial_record
from weir.operations.trial import AT_MS, TYPES, GivenFeatures, ask, envelope
from weir.scoring.batches import Part

Floats = npt.NDArray[np.float32]

ROWS: Final = 1000
MEND: Final = "give golden rows as the model is asked in production, or correct the signature"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it.

    asked, scored: golden rows. rejected: reason and input -> golden rows that the signature's own rules reject.
    dependence: how far a row's score depends on the rows beside it; 0 where it has the same bits.
    asked_bytes, written_bytes: of the largest request, and of the largest prediction.
    """

    asked: int
    scored: int
    rejected: Mapping[str, int]
    dependence: float
    asked_bytes: int
    written_bytes: int

    @property
    def refusals(self) -> str:
        """What its author should know of rejected rows; empty for nothing."""
        if not self.rejected:
            return ""
        reasons = ", ".join(f"{why}: {count}" for why, count in self.rejected.items())
        return f"{self.asked - self.scored} of {self.asked} golden rows would be dead letters ({reasons})"

    def too_large(self, most: int) -> str:
        """What its author should know of the size of requests, of which a scorer takes `most` bytes; else empty."""
        if self.asked_bytes <= most:
            return ""
        return f"a request has {self.asked_bytes:,} bytes, and a scorer takes {most:,}: set WEIR_MAX_RECORD_BYTES"

    @property
    def company(self) -> str:
        """What its author should know of rows in company; empty where each has the same bits in any."""
        if not self.dependence:
            return ""
        return (
            f"a score differs by up to {self.dependence:.1e} with the rows beside it: what is scored again, after a "
            "crash or to reproduce it, may have other last bits"
        )


def rehearse(opened: Opened, plan: ServicePlan | None) -> Rehearsal:
    """Ask for the golden rows. plan: the feature service as applied, or None where none was applied here.

    Without the plan of a bundle that reads features only the independence of rows is tried.
    Raises Refused where no row can be asked, or one is answered with another score.
    """
    bundle, golden = opened.bundle, opened.golden
    dependence = checks.check_independence(opened.path, bundle, opened.model, golden)
    if bundle.feature_service and plan is None:
        return Rehearsal(0, 0, {}, dependence, 0, 0)
    inputs = golden.inputs[:ROWS]
    read = plan.reading(bundle.signature.looked_up) if plan is not None and bundle.feature_service else None
    try:
        done = ask(
            opened,
            requests(bundle, inputs, golden.tables),
            _golden(read, bundle, inputs, golden.tables) if read is not None else None,
        )
    except ValueError as error:
        raise Refused(f"no request can be scored: {error}", remedy=MEND) from error
    rejected = _reasons(done.rejects)
    if not done.scored:
        raise Refused(f"no golden row can be asked: {', '.join(rejected)}", remedy=MEND)
    for part in (part for part in done.parts if len(part.rows)):
        _compare(golden, bundle, part)
    asked_bytes = max(len(value) for chunk in done.batch.chunks for value in chunk.values.to_pylist())
    return Rehearsal(
        len(inputs), done.scored, rejected, dependence, asked_bytes, written_bytes=trial_record.keep(opened, done)
    )


def _compare(golden: checks.Golden, bundle: Bundle, part: Part) -> None:
    """Rows that reached the model as they were have their score; a text has no other form. Raises Refused."""
    rows, signature = part.rows, bundle.signature
    asked_tables, given_tables = golden.tables, dict(zip(signature.beside, rows.tables, strict=True))
    same = np.ones(len(rows), np.bool_)
    for column in set(range(len(signature.inputs))).difference(signature.strings):
        given = _values(rows.matrix[:, column], given_tables.get(column))
        asked = _values(golden.inputs[rows.origin, column], asked_tables.get(column))
        same &= (given == asked) | (np.isnan(given) & np.isnan(asked))
    wanted = golden.outputs[rows.origin]
    off = (np.abs(rows.outputs.astype(np.float64) - wanted) > checks.allowed(bundle, wanted)).any(axis=1)
    if (same & off).any():
        row = int(rows.origin[np.flatnonzero(same & off)[0]])
        what = f"golden row {row} is answered with another score when it comes as a request"
        raise Refused(what, remedy="export a model whose scores depend on their row alone")


def _values(column: Floats, table: Table | None) -> npt.NDArray[Any]:
    """A column as the model gets it."""
    return column if table is None else values_at(column, table)


def _reasons(rejects: Rejects) -> dict[str, int]:
    """Reason and input -> rejected rows, the commonest first."""
    found = zip(rejects.reason, rejects.detail, strict=True)
    return dict(Counter(f"{reason} {detail.partition(' ')[0]}" for reason, detail in found).most_common())


def requests(bundle: Bundle, inputs: Floats, tables: Tables) -> pa.RecordBatch:
    """The rows as a caller writes them. Raises Refused for a value that no request can say."""
    signature = bundle.signature
    columns = envelope(signature, len(inputs))
    for column, item in enumerate(signature.inputs):
        if item.source is Source.REQUEST:
            columns[item.ref] = _asked(item, inputs[:, column], tables.get(column))
    return pa.RecordBatch.from_pydict(columns)


def _asked(item: Input, values: Floats, table: Table | None) -> pa.Array:
    """A column of the matrix as the request field from which it comes; NaN is null. table: what stands beside it."""
    if item.dtype is Dtype.STRING and table is not None:
        return pa.array(values_at(values, table), TYPES[item.dtype], mask=np.isnan(values))
    return _said(item, _values(values, table), np.isnan(values))


def _said(item: Input, values: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> pa.Array:
    """Numbers, or codes of categories, as the request field from which they come."""
    whole = np.where(missing, 0, values)
    fits = {
        Dtype.FLOAT: np.isfinite(whole),
        Dtype.DOUBLE: np.isfinite(whole),
        Dtype.INT: (whole == np.round(whole)) & ((np.abs(whole) < 2**63) | (values.dtype == np.int64)),
        Dtype.BOOL: (whole == 0) | (whole == 1),
        Dtype.CATEGORY: (whole == np.round(whole)) & (whole >= 0) & (whole < max(len(item.categories), 1)),
    }[item.dtype]
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        is_not = {
            Dtype.FLOAT: "no finite number",
            Dtype.DOUBLE: "no finite number",
            Dtype.INT: "no whole number",
            Dtype.BOOL: "neither 0 nor 1",
            Dtype.CATEGORY: f"no code of its {len(item.categories)} categories",
        }[item.dtype]
        raise Refused(f"golden row {row} gives {item.name} = {values[row]:g}, which is {is_not}", remedy=MEND)
    kind = TYPES[item.dtype]
    if item.dtype is Dtype.CATEGORY:
        return pa.array(np.array([*item.categories, ""], object)[whole.astype(np.int64)], kind, mask=missing)
    return pa.array(whole.astype(kind.to_pandas_dtype()), kind, mask=missing)


def _golden(plan: ServicePlan, bundle: Bundle, inputs: Floats, tables: Tables) -> GivenFeatures:
    """The golden rows' own features."""
    values = np.full((len(inputs), len(plan.columns)), np.nan, plan.value_dtype)
    for column, item in enumerate(bundle.signature.inputs):
        if item.source is Source.FEATURE:
            place = plan.columns.index(item.ref)
            values[:, place] = _values(inputs[:, column], tables.get(column))
            if item.unit:
                values[:, place] = AT_MS / 1000 - values[:, place] * UNITS_S[item.unit]
    return GivenFeatures(plan, values, np.ones((len(inputs), len(plan.views)), np.bool_))

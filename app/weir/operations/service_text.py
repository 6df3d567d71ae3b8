"""The text of a new service.yaml, for a person to go on with: every input, and beside it what the sample shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from weir.core.signature import Dtype, Input, Policy, Signature, Task
from weir.operations.assignment import Assigned
from weir.operations.sample import Column, Kind

AT: Final = 30  # column at which comments begin
BLOCKS: Final = 100  # inputs that have lines of their own; more have one line each
SHOWN: Final = 8  # columns that a comment names
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII)
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_VALUES: Final = {
    Task.BINARY: "if(decision = {positive}, if(label = {positive}, attributes['saved'], -5), 0)",
    Task.MULTICLASS: "if(decision = label, 1, -1)",
    Task.REGRESSION: "-abs(score - observed)",
}
_BREAKS: Final = {ord(letter): f"\\u{ord(letter):04x}" for letter in "\x7f\x85\u2028\u2029\ufeff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of a new service. golden, baseline: what these rows are, in words. why: of task and classes.

    value: the formula that the service has; "" for none.
    """

    name: str
    version: str
    owner: str
    model: str
    output: str
    source: str
    golden: str
    baseline: str
    signature: Signature
    assigned: Sequence[Assigned]
    left_out: Sequence[Column]
    why: Sequence[str]
    value: str = ""


def text(draft: Draft) -> str:
    """YAML that `weir bundle build` takes as it is."""
    return "\n".join([*_head(draft), *_signature(draft), *_keys(draft), *_inputs(draft), ""])


def scalar(value: str) -> str:
    r"""A text as YAML, such that it stays text.

    >>> scalar("amount"), scalar("no"), scalar("7"), scalar('a "b"\n')
    ('amount', '"no"', '"7"', '"a \\"b\\"\\n"')
    """
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False).translate(_BREAKS)


def _head(draft: Draft) -> Iterator[str]:
    yield f"# The scoring service {draft.name}: what its model is asked, and what is done with values that are missing"
    yield f"# or out of range. Written by `weir service add` from {scalar(draft.source)}."
    yield f"# Edit it, then run `weir bundle build {draft.name}`. Paths are relative to this file."
    yield "# `weir bundle spec --example` shows every key."
    yield ""
    yield f"service: {scalar(draft.name)}"
    yield _line(f"name: {scalar(draft.name)}", "the model's own name")
    yield _line(f"version: {json.dumps(draft.version)}", "predictions are told apart by it: a new one for each bundle")
    yield _line(f"owner: {scalar(draft.owner)}", "who answers for the model")
    yield ""
    yield f"model: {draft.model}"
    if draft.output:
        yield _line(f"output: {scalar(draft.output)}", "the one of its outputs that is the score")
    yield _line("golden: golden.parquet", draft.golden)
    yield _line("baseline: baseline.parquet", draft.baseline)
    yield _line("card: card.md", "for people: what the model is for, what it was trained on, where it fails")
    yield ""
    yield _line("# training_from: 2026-01-01", "first and last day of the training data, where they are known")
    yield "# training_to: 2026-06-30"
    yield _line("# training_snapshot: main@4711", "which state of the data it was trained on")
    yield _line("# feature_service: example_v1", "needed for inputs with `source: feature`; see feature_repo/")
    yield "# What a prediction was worth, once its outcome is known: one expression of SQL over decision, score, label,"
    yield "# observed and attributes['...']; `weir migrate` takes it over. An attribute that an outcome lacks is 0;"
    yield "# for no value: if(mapContains(attributes, 'saved'), ..., NULL)"
    if draft.value:
        yield f"value: {scalar(draft.value)}"
        yield ""
        return
    positive = "'" + "".join(draft.signature.labels[1:]).replace("\\", "\\\\").replace("'", "\\'") + "'"
    yield f"# value: {scalar(_VALUES[draft.signature.task].format(positive=positive))}"
    yield ""


def _signature(draft: Draft) -> Iterator[str]:
    signature = draft.signature
    yield "signature:"
    yield _line(f"  task: {signature.task}", draft.why[0].partition(": ")[2])
    if signature.classes:
        why = draft.why[1] if len(draft.why) > 1 else ""
        yield f"  classes: {_flow(signature.classes)}" + (f"  # {why.rpartition(': ')[2]}" if why else "")
    if signature.task is Task.BINARY:
        yield _line("  threshold: 0.5", f"score >= threshold is decided {scalar(signature.labels[1])}")
    if signature.task is not Task.MULTICLASS:
        yield _line("  # bands:", "decisions by score, the lowest first; a binary model has them or a threshold")
        yield "  #   - name: low"
        yield "  #   - {name: high, from: 0.8}"


def _keys(draft: Draft) -> Iterator[str]:
    keys = [column for column in draft.left_out if column.name and column.kind in (Kind.TEXT, Kind.INT)]
    for column in draft.left_out[:SHOWN]:
        yield f"  # column {scalar(column.name)} of the sample is left out: {column.why_not}"
    if more := draft.left_out[SHOWN:]:
        yield f"  # and so are {len(more)} more columns"
    yield _line(
        "  # join_keys:", "by which features are asked, as the feature service has them; the sample may have some:"
    )
    for column in keys[:SHOWN]:
        yield f"  #   - {{name: {scalar(column.name)}, dtype: {'INT64' if column.kind is Kind.INT else 'STRING'}}}"


def _inputs(draft: Draft) -> Iterator[str]:
    yield "  # A value outside low .. high is rejected. These are ten times what the sample has, which tells another"
    yield "  # unit: narrow them where more is known. on_missing: reject, default (with `default:`), or use, which"
    yield "  # gives NaN to the model. An unknown category counts as missing."
    yield _line("  inputs:", "in the order of the model's columns")
    each = _one_line if len(draft.assigned) > BLOCKS else _block
    for item, assigned in zip(draft.signature.inputs, draft.assigned, strict=True):
        yield from each(item, assigned)


def _block(item: Input, assigned: Assigned) -> Iterator[str]:
    column = assigned.column
    yield f"    - name: {scalar(item.name)}"
    yield f"      source: {item.source}"
    yield f"      ref: {scalar(item.ref)}"
    yield f"      dtype: {item.dtype}" + (f"  # FREE TEXT, as it is: {assigned.why}" if assigned.text else "")
    if assigned.text:
        yield "      # one of some words only? then `dtype: category`, and `categories: [...]`"
    elif item.dtype is Dtype.CATEGORY:
        yield f"      categories: {_flow(item.categories)}  # {assigned.why}"
    elif item.low is not None and item.high is not None:
        yield _line(f"      low: {_number(item.low)}", f"the sample has {column.low:.6g} .. {column.high:.6g}")
        yield f"      high: {_number(item.high)}"
    yield _line(f"      on_missing: {item.on_missing}", _seen(column))


def _seen(column: Column) -> str:
    return f"{column.nulls:,} of the sample's {column.rows:,} rows have none" if column.nulls else "the sample has it"


def _one_line(item: Input, assigned: Assigned) -> Iterator[str]:
    column = assigned.column
    shown = [f"name: {scalar(item.name)}", f"source: {item.source}", f"ref: {scalar(item.ref)}", f"dtype: {item.dtype}"]
    shown += [f"categories: {_flow(item.categories)}"] if item.categories else []
    shown += [f"low: {_number(item.low)}"] if item.low is not None else []
    shown += [f"high: {_number(item.high)}"] if item.high is not None else []
    shown += [f"on_missing: {item.on_missing}"] if item.on_missing is not Policy.REJECT else []
    if assigned.text:
        yield f"    - {{{', '.join(shown)}}}  # FREE TEXT, as it is: {assigned.why}"
        return
    seen = "" if column.low is None or column.high is None else f"  # {column.low:.6g} .. {column.high:.6g}"
    yield f"    - {{{', '.join(shown)}}}{seen}"


def _number(value: float) -> str:
    """A number as YAML has it: 1e+16 would be a text.

    >>> _number(-10000.0), _number(1e16), _number(0.002)
    ('-10000', '10000000000000000', '0.002')
    """
    return np.format_float_positional(value, trim="-")


def _flow(words: Sequence[str]) -> str:
    return f"[{', '.join(map(scalar, words))}]"


def _line(content: str, comment: str) -> str:
    return f"{content:<{AT}}# {comment}" if len(content) < AT else f"{content}  # {comment}"

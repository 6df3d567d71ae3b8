"""The inputs of a new service: what its signature says of each column of the sample that the model takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import chain
from typing import Final

from onnx import TensorProto

from weir.core.signature import Dtype, Input, Policy, Source
from weir.edges.bundles.model_inputs import held
from weir.operations.assignment import Assigned
from weir.operations.sample import Column, Kind
from weir.wire.request_contract import field_name

MARGIN: Final = 10.0
LARGEST: Final = 1e37  # float32 ends at 3.4e38
_DTYPES: Final = {Kind.FLOAT: Dtype.FLOAT, Kind.INT: Dtype.INT, Kind.BOOL: Dtype.BOOL, Kind.TEXT: Dtype.CATEGORY}


def inputs(assigned: Sequence[Assigned], *, use: bool) -> tuple[Input, ...]:
    """An input for each column. use: whether a missing value may go to the model as NaN, where the sample has some."""
    return tuple(_input(one, ref, use=use) for one, ref in zip(assigned, _refs(assigned), strict=True))


def _input(assigned: Assigned, ref: str, *, use: bool) -> Input:
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
    found: dict[str, None] = {}  # keeps their order
    for one in assigned:
        ref = field_name(one.column.name)
        numbered = (f"{ref}_{i}" for i in range(2, 10**4))
        found[next(name for name in chain([ref], numbered) if name not in found)] = None
    return [*found]

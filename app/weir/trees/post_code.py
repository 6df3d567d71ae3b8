"""Writes the steps of `post` as instructions over a vector of rows.

Transforms are computed in float64 by plain additions, multiplications and divisions, each rounded as IEEE 754 says, and
rounded to float32 once: the same bits on every processor, within half a unit and a hair of the true value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from weir.trees import post
from weir.trees.ir_code import F64, I64, Code, same, vector

# Their sum is ln 2; the first ends in so many zeros that its product with a small whole number is exact.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Added and taken away again, it rounds to a whole number, which stands in the low bits.
TO_INTEGER: Final = 1.5 * 2.0**52
TERMS: Final = 13  # of the series of exp: below 0.35 the rest is under 2e-17
EXP_MOST: Final = 708.0  # exp of more overflows float64, far past what float32 tells from 0 or 1
BIAS, MANTISSA = 1023, 52


def emit(code: Code, steps: Sequence[post.Step], columns: list[Any]) -> list[Any]:
    """The columns, <lanes x float> each, after the steps."""
    for step in steps:
        columns = _emit(code, step, columns)
    return columns


def _emit(code: Code, step: post.Step, columns: list[Any]) -> list[Any]:
    builder, of = code.builder, columns[0].type
    given: list[Any]
    match step:
        case post.Add(values):
            wanted = values * len(columns) if len(values) == 1 else values
            given = [builder.fadd(x, same(value, of)) for x, value in zip(columns, wanted, strict=True)]
        case post.Multiply(values):
            wanted = values * len(columns) if len(values) == 1 else values
            given = [builder.fmul(x, same(value, of)) for x, value in zip(columns, wanted, strict=True)]
        case post.Divide(by):
            given = [builder.fdiv(x, same(by, of)) for x in columns]
        case post.Complement():
            given = [builder.fsub(same(1.0, of), columns[0]), columns[0]]
        case post.Opposite():
            given = [builder.fneg(columns[0]), columns[0]]
        case post.Logistic():
            given = [_logistic(code, x) for x in columns]
        case post.Softmax():
            given = _softmax(code, columns)
        case post.Take(chosen):
            given = [columns[i] for i in chosen]
    return given


def _logistic(code: Code, x: Any) -> Any:
    builder, wide = code.builder, vector(F64, x.type.count)
    one = same(1.0, wide)
    risen = _exp(code, builder.fneg(builder.fpext(x, wide)))
    return builder.fptrunc(builder.fdiv(one, builder.fadd(one, risen)), x.type)


def _softmax(code: Code, columns: Sequence[Any]) -> list[Any]:
    builder, narrow = code.builder, columns[0].type
    wide = vector(F64, narrow.count)
    most = columns[0]
    for x in columns[1:]:
        most = builder.select(builder.fcmp_ordered(">", x, most), x, most)
    most = builder.fpext(most, wide)
    risen = [_exp(code, builder.fsub(builder.fpext(x, wide), most)) for x in columns]
    total = risen[0]
    for value in risen[1:]:
        total = builder.fadd(total, value)
    return [builder.fptrunc(builder.fdiv(value, total), narrow) for value in risen]


def _exp(code: Code, x: Any) -> Any:
    """exp of float64: 2**k times a series around 0. Source: Cody and Waite 1980, Software Manual, ch. 6."""
    builder, wide = code.builder, x.type
    most, least = same(EXP_MOST, wide), same(-EXP_MOST, wide)
    x = builder.select(builder.fcmp_ordered(">", x, most), most, x)
    x = builder.select(builder.fcmp_ordered("<", x, least), least, x)
    magic = same(TO_INTEGER, wide)
    shifted = builder.fadd(builder.fmul(x, same(1 / math.log(2), wide)), magic)
    k = builder.fsub(shifted, magic)
    rest = builder.fsub(x, builder.fmul(k, same(LN2_HIGH, wide)))
    rest = builder.fsub(rest, builder.fmul(k, same(LN2_LOW, wide)))
    total = same(1 / math.factorial(TERMS), wide)
    for n in range(TERMS - 1, -1, -1):
        total = builder.fadd(builder.fmul(total, rest), same(1 / math.factorial(n), wide))
    whole = vector(I64, wide.count)
    exponent = builder.shl(builder.add(builder.bitcast(shifted, whole), same(BIAS, whole)), same(MANTISSA, whole))
    return builder.fmul(total, builder.bitcast(exponent, wide))

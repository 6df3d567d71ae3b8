"""Writes the walk of several trees, or rows, at a time, from root to leaf, node by node, without branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from weir.trees.ir_code import F32, I32, I64, Code
from weir.trees.program import NAN_RIGHT

SLOTS: Final = 8  # walks at a time: as many loads as a core has under way while it waits for one
FIELDS: Final = 4  # of a walked node


def walk(code: Code, walked: Any, roots: Sequence[Any], rows: Sequence[Any], stride: int) -> list[Any]:
    """The numbers of the leaves, int64, that walks reach.

    walked: address of Program.walked. roots: int64, where each begins. rows: of each the address of its first feature;
    the next feature of a row is `stride` floats further. A leaf leads to itself: all go on until none moves.
    """
    builder = code.builder
    with code.repeat(roots) as again:
        moved = I64(0)
        nexts = []
        for here, row in zip(again.carried, rows, strict=True):
            node = builder.mul(here, I64(FIELDS))
            bits = builder.load(code.at(walked, node))
            asked = builder.load(code.at(walked, builder.add(node, I64(1))))
            feature = builder.zext(builder.and_(asked, I32(~NAN_RIGHT)), I64)
            x = code.load(row, builder.mul(feature, I64(stride)))
            above = builder.fcmp_ordered(">", x, builder.bitcast(bits, F32))
            missing = builder.and_(builder.fcmp_unordered("uno", x, x), builder.icmp_signed("<", asked, I32(0)))
            side = builder.add(builder.zext(builder.or_(above, missing), I64), I64(2))
            there = code.load(walked, builder.add(node, side))
            moved = builder.or_(moved, builder.xor(here, there))
            nexts.append(there)
        again.after = (*nexts, builder.icmp_unsigned("!=", moved, I64(0)))
    return [code.load(walked, builder.mul(leaf, I64(FIELDS))) for leaf in again.carried]

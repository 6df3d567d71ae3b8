"""Writes the kernel of one kind of program as LLVM IR; the model itself, nodes and leaves, is data that it reads.

A batch is taken in blocks of rows that stay in the cache. A block's columns are laid out one behind the other, and
trees go over whole registers of rows by masks; the few rows that fill no register are walked. Both reach the same leaf
and add its value to the same sum in the order of the trees, in float32 without fused multiplications: a row's bits
depend on the row alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from llvmlite import ir

from weir.trees import post, post_code
from weir.trees.ir_code import F32, I1, I32, I64, Code, same, vector
from weir.trees.program import BITS, KINDS, Program
from weir.trees.walk_code import SLOTS, walk

LANES: Final = 32  # rows at a time by masks: two registers of AVX-512, four of AVX2
BLOCK: Final = 128  # rows; more leave the cache
WALK_BLOCK: Final = 512  # rows, where most trees are walked: the trees leave the cache sooner than the rows
WIDE, WIDE_BLOCK = 512, LANES  # columns from which on a block is smaller: 64 KiB
WALKED_ROWS: Final = 6  # rows of a block's rest that are walked; from more on LANES of them by masks are cheaper
POST_LANES: Final = 16
MANTISSA, EXPONENT, BIAS = 23, 0xFF, 127  # of float32


class Field(IntEnum):
    """Places of the model's numbers and addresses, int64 each, in what the kernel is given."""

    STRIDE = 0
    USED = 1
    TREES = 2
    COLUMNS = 3
    WORDS = 4
    STARTS = 5
    FEATURE = 6
    THRESHOLD = 7
    MASK = 8
    LOW = 9
    HIGH = 10
    MEMBERS = 11
    WALKED = 12
    ROOTS = 13
    PAIRS = 14
    PAIR_TARGET = 15
    PAIR_TABLE = 16
    TABLE = 17


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kernel is written for; models of one shape share it.

    kinds: of entries. some_walk: there are trees that are walked for every row. walked_rows: of a block's rest, at
    most. single: every tree adds to the one sum that there is. targets: sums. steps: what becomes of them. block: rows.
    """

    kinds: tuple[int, ...]
    some_walk: bool
    walked_rows: int
    single: bool
    targets: int
    steps: tuple[post.Step, ...]
    block: int

    @property
    def outputs(self) -> int:
        """Values that a row gives."""
        return post.width(self.targets, self.steps)


def shape_of(program: Program, steps: tuple[post.Step, ...]) -> Shape:
    """The shape of a program."""
    trees, walks = len(program.roots), int((np.diff(program.words) == 0).sum())
    mostly_walks = 2 * walks >= trees
    return Shape(
        kinds=program.kinds,
        some_walk=walks > 0,
        walked_rows=LANES - 1 if mostly_walks else WALKED_ROWS,  # what would be walked is not walked for nobody
        single=program.targets == 1 and len(program.pair_target) == trees and bool((program.pair_target == 0).all()),
        targets=program.targets,
        steps=steps,
        block=WIDE_BLOCK if len(program.columns) > WIDE else WALK_BLOCK if mostly_walks else BLOCK,
    )


def scratch_floats(shape: Shape, used: int) -> int:
    """How many float32 the kernel needs to work in: a block's columns, one row, sums, and results."""
    return used * shape.block + used + (shape.targets + shape.outputs) * shape.block


def module_of(shape: Shape) -> Any:
    """A module with one function, `score(x, n, out, model, scratch)`.

    x: float32[n, STRIDE]. out: float32[n, outputs]. model: int64, see Field. scratch: see scratch_floats.
    """
    module = ir.Module("trees")
    floats = F32.as_pointer()
    code = Code(module, "score", [floats, I64, floats, I64.as_pointer(), floats])
    for argument in code.function.args:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")
    _Kernel(code, shape).write()
    return module


class _Kernel:
    """The function being written."""

    def __init__(self, code: Code, shape: Shape) -> None:
        self.code, self.shape = code, shape
        self.x, self.n, self.out, model, self.xt = code.function.args
        builder = code.builder
        kinds = {Field.THRESHOLD: F32, Field.MEMBERS: F32, Field.TABLE: F32}
        self.of: dict[Field, Any] = {}
        for field in Field:
            value = code.load(model, I64(field))
            if field >= Field.COLUMNS:
                value = builder.inttoptr(value, kinds.get(field, I32).as_pointer())
            self.of[field] = value
        used = self.of[Field.USED]
        self.row = code.at(self.xt, builder.mul(used, I64(shape.block)))
        self.sums = code.at(self.row, used)
        self.results = code.at(self.sums, I64(shape.targets * shape.block))

    def write(self) -> None:
        """Blocks of rows, one behind the other."""
        code, builder, block = self.code, self.code.builder, self.shape.block
        with code.loop(I64(0), self.n, block) as blocks:
            left = builder.sub(self.n, blocks.i)
            rows = builder.select(builder.icmp_signed("<", left, I64(block)), left, I64(block))
            rest = builder.and_(rows, I64(LANES - 1))
            walked = builder.select(builder.icmp_signed(">", rest, I64(self.shape.walked_rows)), I64(0), rest)
            by_mask = builder.sub(rows, walked)
            first = code.at(self.x, builder.mul(blocks.i, self.of[Field.STRIDE]))
            self._clear()
            self._transpose(first, by_mask)
            if self.shape.some_walk:
                self._by_tree(by_mask)
            else:
                with code.loop(I64(0), by_mask, LANES) as group:
                    self._group(group.i)
            with code.loop(by_mask, rows) as row:
                self._row(first, row.i)
            self._finish(blocks.i, rows)
        builder.ret_void()

    def _clear(self) -> None:
        of = vector(F32, LANES)
        with self.code.loop(I64(0), I64(self.shape.targets * self.shape.block), LANES) as sums:
            self.code.store_vector(same(0.0, of), self.sums, sums.i)

    def _transpose(self, first: Any, rows: Any) -> None:
        """Columns that are asked, one behind the other, of so many rows."""
        code, builder = self.code, self.code.builder
        with code.loop(I64(0), rows) as row:
            at = code.at(first, builder.mul(row.i, self.of[Field.STRIDE]))
            with code.loop(I64(0), self.of[Field.USED]) as column:
                value = code.load(at, code.load(self.of[Field.COLUMNS], column.i))
                there = builder.add(builder.mul(column.i, I64(self.shape.block)), row.i)
                builder.store(value, code.at(self.xt, there))

    def _group(self, rows: Any) -> None:
        """All trees for LANES rows of the block, from number `rows` on."""
        code = self.code
        start = [same(0.0, vector(F32, LANES))] if self.shape.single else []
        with code.loop(I64(0), self.of[Field.TREES], carried=start) as tree:
            leaves = self._leaves(tree.i, rows)
            if self.shape.single:
                at = code.load(self.of[Field.PAIR_TABLE], tree.i)
                tree.after = (code.builder.fadd(tree.carried[0], self._values(at, leaves)),)
            else:
                self._add_vectors(tree.i, leaves, rows)
        if self.shape.single:
            code.store_vector(tree.carried[0], self.sums, rows)

    def _by_tree(self, rows: Any) -> None:
        """Tree by tree all rows of the block: large trees, of which a cache holds few at a time, come by but once."""
        with (
            self.code.loop(I64(0), self.of[Field.TREES]) as tree,
            self.code.loop(I64(0), rows, LANES) as group,
        ):
            self._add_vectors(tree.i, self._leaves(tree.i, group.i), group.i)

    def _add_vectors(self, tree: Any, leaves: Any, rows: Any) -> None:
        code = self.code
        with self._pairs(tree) as pair:
            total = self._sum_at(pair.i, rows)
            values = self._values(code.load(self.of[Field.PAIR_TABLE], pair.i), leaves)
            added = code.builder.fadd(code.load_vector(self.sums, total, LANES), values)
            code.store_vector(added, self.sums, total)

    def _pairs(self, tree: Any) -> Any:
        """Over the sums that a tree adds to."""
        code = self.code
        first = code.load(self.of[Field.PAIRS], tree)
        return code.loop(first, code.load(self.of[Field.PAIRS], code.builder.add(tree, I64(1))))

    def _sum_at(self, pair: Any, row: Any) -> Any:
        target = self.code.load(self.of[Field.PAIR_TARGET], pair)
        return self.code.builder.add(self.code.builder.mul(target, I64(self.shape.block)), row)

    def _leaves(self, tree: Any, rows: Any) -> Any:
        """The leaf of each row, <LANES x i32>."""
        code, builder = self.code, self.code.builder
        first = code.load(self.of[Field.WORDS], tree)
        last = code.load(self.of[Field.WORDS], builder.add(tree, I64(1)))
        if not self.shape.some_walk:
            return self._by_mask(first, last, rows)
        with builder.if_else(builder.icmp_signed("<", first, last)) as (masked, walked):
            with masked:
                by_mask = self._by_mask(first, last, rows)
                masked_end = builder.block
            with walked:
                by_walk = self._by_walk(tree, rows)
                walked_end = builder.block
        leaves = builder.phi(vector(I32, LANES))
        leaves.add_incoming(by_mask, masked_end)
        leaves.add_incoming(by_walk, walked_end)
        return leaves

    def _by_mask(self, first: Any, last: Any, rows: Any) -> Any:
        """From the last word of a tree to the first: the lowest that keeps a leaf has it."""
        code, builder = self.code, self.code.builder
        whole = vector(I32, LANES)
        with code.loop(I64(0), builder.sub(last, first), carried=[same(0, whole)]) as word:
            number = builder.sub(builder.sub(last, I64(1)), word.i)
            alive = self._alive(number, rows)
            bit = code.splat(builder.trunc(builder.mul(builder.sub(number, first), I64(BITS)), I32), LANES)
            leaf = builder.add(bit, self._lowest(alive))
            kept = builder.icmp_unsigned("!=", alive, same(0, whole))
            word.after = (builder.select(kept, leaf, word.carried[0]),)
        return word.carried[0]

    def _alive(self, word: Any, rows: Any) -> Any:
        """The leaves of a word that all nodes leave."""
        code, builder = self.code, self.code.builder
        alive: Any = same(-1, vector(I32, LANES))
        for kind in self.shape.kinds:
            at = builder.add(builder.mul(word, I64(KINDS + 1)), I64(kind))
            first = code.load(self.of[Field.STARTS], at)
            last = code.load(self.of[Field.STARTS], builder.add(at, I64(1)))
            with code.loop(first, last, carried=[alive]) as node:
                feature = code.load(self.of[Field.FEATURE], node.i)
                column = builder.add(builder.mul(feature, I64(self.shape.block)), rows)
                right = self._right(kind, node.i, code.load_vector(self.xt, column, LANES))
                mask = code.splat(builder.load(code.at(self.of[Field.MASK], node.i)), LANES)
                node.after = (builder.select(right, builder.and_(node.carried[0], mask), node.carried[0]),)
            alive = node.carried[0]
        return alive

    def _lowest(self, alive: Any) -> Any:
        """The number of the lowest bit: the exponent of the float32 that has this bit alone."""
        builder, whole = self.code.builder, alive.type
        bit = builder.and_(alive, builder.sub(same(0, whole), alive))
        bits = builder.bitcast(builder.sitofp(bit, vector(F32, LANES)), whole)
        exponent = builder.and_(builder.lshr(bits, same(MANTISSA, whole)), same(EXPONENT, whole))
        return builder.sub(exponent, same(BIAS, whole))

    def _right(self, kind: int, node: Any, x: Any) -> Any:
        """Which rows a node sends to the right, <LANES x i1>."""
        code, builder = self.code, self.code.builder
        is_set, nan_right = divmod(kind, 2)
        if not is_set:
            threshold = code.splat(code.load(self.of[Field.THRESHOLD], node), LANES)
            compare = builder.fcmp_unordered if nan_right else builder.fcmp_ordered
            return compare(">", x, threshold)
        first, last = code.load(self.of[Field.LOW], node), code.load(self.of[Field.HIGH], node)
        flags = vector(I1, LANES)
        outside = same(1, flags) if nan_right else builder.fcmp_ordered("ord", x, x)
        with code.loop(first, last, carried=[outside]) as member:
            value = code.splat(code.load(self.of[Field.MEMBERS], member.i), LANES)
            member.after = (builder.and_(member.carried[0], builder.fcmp_unordered("!=", x, value)),)
        return member.carried[0]

    def _by_walk(self, tree: Any, rows: Any) -> Any:
        code, builder = self.code, self.code.builder
        root = code.load(self.of[Field.ROOTS], tree)
        leaves: Any = ir.Constant(vector(I32, LANES), ir.Undefined)
        for start in range(0, LANES, SLOTS):
            places = [code.at(self.xt, builder.add(rows, I64(start + slot))) for slot in range(SLOTS)]
            for slot, leaf in enumerate(walk(code, self.of[Field.WALKED], [root] * SLOTS, places, self.shape.block)):
                leaves = builder.insert_element(leaves, builder.trunc(leaf, I32), I32(start + slot))
        return leaves

    def _values(self, table: Any, leaves: Any) -> Any:
        """What leaves add, <LANES x float>."""
        code, builder = self.code, self.code.builder
        values: Any = ir.Constant(vector(F32, LANES), ir.Undefined)
        for lane in range(LANES):
            leaf = builder.zext(builder.extract_element(leaves, I32(lane)), I64)
            values = builder.insert_element(
                values, code.load(self.of[Field.TABLE], builder.add(table, leaf)), I32(lane)
            )
        return values

    def _row(self, first: Any, row: Any) -> None:
        """All trees for one row of the block, SLOTS trees at a time."""
        code, builder = self.code, self.code.builder
        at = code.at(first, builder.mul(row, self.of[Field.STRIDE]))
        with code.loop(I64(0), self.of[Field.USED]) as column:
            value = code.load(at, code.load(self.of[Field.COLUMNS], column.i))
            builder.store(value, code.at(self.row, column.i))
        start = [F32(0.0)] if self.shape.single else []
        with code.loop(I64(0), self.of[Field.TREES], SLOTS, carried=start) as tree:
            trees = [builder.add(tree.i, I64(slot)) for slot in range(SLOTS)]
            roots = [code.load(self.of[Field.ROOTS], one) for one in trees]
            leaves = walk(code, self.of[Field.WALKED], roots, [self.row] * SLOTS, 1)
            if self.shape.single:
                tree.after = (self._add_in_order(tree.carried[0], trees, leaves),)
            else:
                self._add_pairs(row, trees, leaves)
        if self.shape.single:
            builder.store(tree.carried[0], code.at(self.sums, row))

    def _add_in_order(self, total: Any, trees: Sequence[Any], leaves: Sequence[Any]) -> Any:
        code, builder = self.code, self.code.builder
        for one, leaf in zip(trees, leaves, strict=True):
            at = builder.add(code.load(self.of[Field.PAIR_TABLE], one), leaf)
            total = builder.fadd(total, code.load(self.of[Field.TABLE], at))
        return total

    def _add_pairs(self, row: Any, trees: Sequence[Any], leaves: Sequence[Any]) -> None:
        code, builder = self.code, self.code.builder
        for one, leaf in zip(trees, leaves, strict=True):
            with self._pairs(one) as pair:
                total = code.at(self.sums, self._sum_at(pair.i, row))
                value = code.load(self.of[Field.TABLE], builder.add(code.load(self.of[Field.PAIR_TABLE], pair.i), leaf))
                builder.store(builder.fadd(builder.load(total), value), total)

    def _finish(self, block: Any, rows: Any) -> None:
        """Steps behind the sums, and the results as rows."""
        code, builder, shape = self.code, self.code.builder, self.shape
        with code.loop(I64(0), rows, POST_LANES) as group:
            columns = [
                code.load_vector(self.sums, builder.add(group.i, I64(target * shape.block)), POST_LANES)
                for target in range(shape.targets)
            ]
            for number, column in enumerate(post_code.emit(code, shape.steps, columns)):
                code.store_vector(column, self.results, builder.add(group.i, I64(number * shape.block)))
        out = code.at(self.out, builder.mul(block, I64(shape.outputs)))
        with code.loop(I64(0), rows) as row:
            at = builder.mul(row.i, I64(shape.outputs))
            for number in range(shape.outputs):
                value = code.load(self.results, builder.add(row.i, I64(number * shape.block)))
                builder.store(value, code.at(out, builder.add(at, I64(number))))

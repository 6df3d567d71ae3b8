"""Words for writing LLVM IR: counted loops with carried values, vectors, and memory by element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from llvmlite import ir

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
F32, F64, VOID = ir.FloatType(), ir.DoubleType(), ir.VoidType()
FLOAT_BYTES: Final = 4


def vector(of: Any, lanes: int) -> Any:
    """The type of a vector."""
    return ir.VectorType(of, lanes)


def same(value: float, of: Any) -> Any:
    """A constant vector of one value, or a constant where `of` is no vector."""
    if isinstance(of, ir.VectorType):
        return ir.Constant(of, [value] * of.count)
    return ir.Constant(of, value)


class Loop:
    """A counted loop being written: `i` is its counter, `carried` are the values that pass from turn to turn.

    The body sets `after`, as many values as are carried. Behind the loop `carried` are those of its last turn.
    """

    def __init__(self, i: Any, carried: Sequence[Any]) -> None:
        self.i, self.carried = i, tuple(carried)
        self.after: tuple[Any, ...] = ()


class Code:
    """A function being written. builder: llvmlite's own, at the place where the next instruction goes."""

    def __init__(self, module: Any, name: str, arguments: Sequence[Any]) -> None:
        self.module = module
        self.function = ir.Function(module, ir.FunctionType(VOID, arguments), name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1, carried: Sequence[Any] = ()) -> Iterator[Loop]:
        """From start while below stop, int64 both."""
        builder, before = self.builder, self.builder.block
        head, body, end = (self.function.append_basic_block(name) for name in ("head", "body", "end"))
        builder.branch(head)
        builder.position_at_end(head)
        i = builder.phi(I64)
        i.add_incoming(start, before)
        phis = [builder.phi(value.type) for value in carried]
        for phi, value in zip(phis, carried, strict=True):
            phi.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", i, stop), body, end)
        builder.position_at_end(body)
        loop = Loop(i, phis)
        yield loop
        for phi, value in zip(phis, loop.after, strict=True):
            phi.add_incoming(value, builder.block)
        i.add_incoming(builder.add(i, I64(step)), builder.block)
        builder.branch(head)
        builder.position_at_end(end)

    @contextmanager
    def repeat(self, carried: Sequence[Any]) -> Iterator[Loop]:
        """At least once, and again while the last of the values that the body sets is true; it is not carried."""
        builder, before = self.builder, self.builder.block
        body, end = (self.function.append_basic_block(name) for name in ("again", "done"))
        builder.branch(body)
        builder.position_at_end(body)
        phis = [builder.phi(value.type) for value in carried]
        for phi, value in zip(phis, carried, strict=True):
            phi.add_incoming(value, before)
        loop = Loop(None, phis)
        yield loop
        *values, more = loop.after
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, builder.block)
        loop.carried = tuple(values)
        builder.cbranch(more, body, end)
        builder.position_at_end(end)

    def splat(self, value: Any, lanes: int) -> Any:
        """A vector of one value."""
        of, builder = vector(value.type, lanes), self.builder
        none = ir.Constant(of, ir.Undefined)
        one = builder.insert_element(none, value, I32(0))
        return builder.shuffle_vector(one, none, ir.Constant(vector(I32, lanes), [0] * lanes))

    def at(self, start: Any, index: Any) -> Any:
        """The address of an element."""
        return self.builder.gep(start, [index])

    def load(self, start: Any, index: Any) -> Any:
        """An element; an int32 is widened to int64."""
        value = self.builder.load(self.at(start, index))
        return self.builder.sext(value, I64) if value.type == I32 else value

    def load_vector(self, start: Any, index: Any, lanes: int) -> Any:
        """Elements one behind the other."""
        at = self.at(start, index)
        value = self.builder.load(self.builder.bitcast(at, vector(at.type.pointee, lanes).as_pointer()))
        value.align = FLOAT_BYTES
        return value

    def store_vector(self, value: Any, start: Any, index: Any) -> None:
        """Elements one behind the other."""
        at = self.builder.bitcast(self.at(start, index), value.type.as_pointer())
        self.builder.store(value, at).align = FLOAT_BYTES

    def intrinsic(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call one of LLVM's own functions."""
        function = self.module.globals.get(name)
        if function is None:
            kinds = [argument.type for argument in arguments]
            function = ir.Function(self.module, ir.FunctionType(result, kinds), name)
        return self.builder.call(function, arguments)

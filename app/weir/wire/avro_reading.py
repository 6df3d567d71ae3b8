"""Avro bodies of flat records -> columns by one compiled loop, for records that are as they should be.

It takes a fraction of what the Rust codec takes, and reads each record where it lies. It says no more of a record
that is not as it should be than where it is: the codec, and what stands around it, then say why.
Source: Avro 1.12 specification, binary encoding.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import c_int64, c_void_p
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.native.loops import Loops
from weir.wire.avro_kinds import BOOLEAN, DOUBLE, FLOAT, KINDS, LONG, NEVER_NULL, TEXT
from weir.wire.frame import HEADER_BYTES
from weir.wire.shape import FieldShape

Octets: TypeAlias = npt.NDArray[np.uint8]

_TYPES: Final[Mapping[int, tuple[np.dtype[Any], pa.DataType]]] = {
    BOOLEAN: (np.dtype(np.uint8), pa.bool_()),
    LONG: (np.dtype(np.int64), pa.int64()),
    FLOAT: (np.dtype("<f4"), pa.float32()),
    DOUBLE: (np.dtype("<f8"), pa.float64()),
    TEXT: (np.dtype(np.uint64), pa.string()),  # where each value lies
}
WORD: Final = 8  # every part begins at a multiple of so many bytes

CODE: Final = """
%field = type { i64, i64, ptr, ptr, ptr }

; How many of the records are as they should be, up to the first that is not.
define i64 @bodies(ptr %memory, ptr %ends, i64 %count, i32 %schema, ptr %fields, i64 %width) {
begin:
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %record, label %all

record:
  %i = phi i64 [ 0, %begin ], [ %i.next, %record.end ]
  %i.next = add i64 %i, 1
  %from.at = getelementptr i64, ptr %ends, i64 %i
  %from = load i64, ptr %from.at
  %to.at = getelementptr i64, ptr %ends, i64 %i.next
  %to = load i64, ptr %to.at
  %start = getelementptr i8, ptr %memory, i64 %from
  %stop = getelementptr i8, ptr %memory, i64 %to
  %stop.number = ptrtoint ptr %stop to i64
  %size = sub i64 %to, %from
  %framed = icmp sge i64 %size, 5
  br i1 %framed, label %frame, label %bad
frame:
  %magic = load i8, ptr %start
  %is.magic = icmp eq i8 %magic, 0
  %schema.at = getelementptr i8, ptr %start, i64 1
  %schema.found = load i32, ptr %schema.at, align 1
  %is.schema = icmp eq i32 %schema.found, %schema
  %is.ours = and i1 %is.magic, %is.schema
  %body = getelementptr i8, ptr %start, i64 5
  br i1 %is.ours, label %each, label %bad

each:
  %k = phi i64 [ 0, %frame ], [ %k.next, %taken ]
  %at = phi ptr [ %body, %frame ], [ %at.next, %taken ]
  %any = icmp slt i64 %k, %width
  br i1 %any, label %one, label %record.last
one:
  %k.next = add i64 %k, 1
  %kind.at = getelementptr %field, ptr %fields, i64 %k, i32 0
  %kind = load i64, ptr %kind.at
  %null.at = getelementptr %field, ptr %fields, i64 %k, i32 1
  %null = load i64, ptr %null.at
  %values.at = getelementptr %field, ptr %fields, i64 %k, i32 2
  %values = load ptr, ptr %values.at
  %lengths.at = getelementptr %field, ptr %fields, i64 %k, i32 3
  %lengths = load ptr, ptr %lengths.at
  %at.number = ptrtoint ptr %at to i64
  %left = sub i64 %stop.number, %at.number
  %may.be.null = icmp sge i64 %null, 0
  br i1 %may.be.null, label %union, label %value

union:
  %has.branch = icmp sge i64 %left, 1
  br i1 %has.branch, label %branch, label %bad
branch:
  %branch.byte = load i8, ptr %at
  %branch.odd = and i8 %branch.byte, -3
  %is.branch = icmp eq i8 %branch.odd, 0
  br i1 %is.branch, label %branch.known, label %bad
branch.known:
  %branch.half = lshr i8 %branch.byte, 1
  %branch.number = zext i8 %branch.half to i64
  %is.value = icmp ne i64 %branch.number, %null
  %valid.at = getelementptr %field, ptr %fields, i64 %k, i32 4
  %valid = load ptr, ptr %valid.at
  %valid.row = getelementptr i8, ptr %valid, i64 %i
  %is.value.byte = zext i1 %is.value to i8
  store i8 %is.value.byte, ptr %valid.row
  %behind.branch = getelementptr i8, ptr %at, i64 1
  %left.behind = sub i64 %left, 1
  br i1 %is.value, label %value, label %nothing
nothing:
  switch i64 %kind, label %nothing.wide [ i64 0, label %nothing.byte
                                          i64 2, label %nothing.float
                                          i64 4, label %nothing.text ]
nothing.byte:
  %none.byte = getelementptr i8, ptr %values, i64 %i
  store i8 0, ptr %none.byte
  br label %taken
nothing.float:
  %none.float = getelementptr i32, ptr %values, i64 %i
  store i32 0, ptr %none.float
  br label %taken
nothing.wide:
  %none.wide = getelementptr i64, ptr %values, i64 %i
  store i64 0, ptr %none.wide
  br label %taken
nothing.text:
  %none.end.at = getelementptr i64, ptr %lengths, i64 %i
  %none.end = load i64, ptr %none.end.at
  %none.next = getelementptr i64, ptr %lengths, i64 %i.next
  store i64 %none.end, ptr %none.next
  %none.address = getelementptr i64, ptr %values, i64 %i
  store i64 0, ptr %none.address
  br label %taken

value:
  %p = phi ptr [ %at, %one ], [ %behind.branch, %branch.known ]
  %rest = phi i64 [ %left, %one ], [ %left.behind, %branch.known ]
  switch i64 %kind, label %number [ i64 0, label %boolean
                                    i64 2, label %float
                                    i64 3, label %double ]
double:
  %has.double = icmp sge i64 %rest, 8
  br i1 %has.double, label %double.take, label %bad
double.take:
  %double.value = load i64, ptr %p, align 1
  %double.row = getelementptr i64, ptr %values, i64 %i
  store i64 %double.value, ptr %double.row
  %double.behind = getelementptr i8, ptr %p, i64 8
  br label %taken
float:
  %has.float = icmp sge i64 %rest, 4
  br i1 %has.float, label %float.take, label %bad
float.take:
  %float.value = load i32, ptr %p, align 1
  %float.row = getelementptr i32, ptr %values, i64 %i
  store i32 %float.value, ptr %float.row
  %float.behind = getelementptr i8, ptr %p, i64 4
  br label %taken
boolean:
  %has.boolean = icmp sge i64 %rest, 1
  br i1 %has.boolean, label %boolean.take, label %bad
boolean.take:
  %boolean.value = load i8, ptr %p
  %is.boolean = icmp ule i8 %boolean.value, 1
  %boolean.row = getelementptr i8, ptr %values, i64 %i
  store i8 %boolean.value, ptr %boolean.row
  %boolean.behind = getelementptr i8, ptr %p, i64 1
  br i1 %is.boolean, label %taken, label %bad

; Seven bits a byte, the lowest first; of the tenth byte one bit is left.
number:
  %q = phi ptr [ %p, %value ], [ %q.next, %number.more ]
  %shift = phi i64 [ 0, %value ], [ %shift.next, %number.more ]
  %sum = phi i64 [ 0, %value ], [ %sum.next, %number.more ]
  %q.number = ptrtoint ptr %q to i64
  %has.byte = icmp slt i64 %q.number, %stop.number
  br i1 %has.byte, label %number.take, label %bad
number.take:
  %octet = load i8, ptr %q
  %q.next = getelementptr i8, ptr %q, i64 1
  %seven = and i8 %octet, 127
  %seven.wide = zext i8 %seven to i64
  %seven.placed = shl i64 %seven.wide, %shift
  %sum.next = or i64 %sum, %seven.placed
  %is.last = icmp sge i8 %octet, 0
  br i1 %is.last, label %number.last, label %number.more
number.more:
  %shift.next = add i64 %shift, 7
  %may.go.on = icmp ule i64 %shift.next, 63
  br i1 %may.go.on, label %number, label %bad
number.last:
  %is.tenth = icmp eq i64 %shift, 63
  %is.past = icmp ugt i8 %seven, 1
  %overflows = and i1 %is.tenth, %is.past
  br i1 %overflows, label %bad, label %number.read
number.read:
  %half = lshr i64 %sum.next, 1
  %sign = and i64 %sum.next, 1
  %mask = sub i64 0, %sign
  %number.value = xor i64 %half, %mask
  %is.text = icmp eq i64 %kind, 4
  br i1 %is.text, label %text, label %long
long:
  %long.row = getelementptr i64, ptr %values, i64 %i
  store i64 %number.value, ptr %long.row
  br label %taken
text:
  %text.from = ptrtoint ptr %q.next to i64
  %text.left = sub i64 %stop.number, %text.from
  %text.fits = icmp ule i64 %number.value, %text.left
  br i1 %text.fits, label %text.take, label %bad
text.take:
  %end.at = getelementptr i64, ptr %lengths, i64 %i
  %end = load i64, ptr %end.at
  %end.next = add i64 %end, %number.value
  %end.next.at = getelementptr i64, ptr %lengths, i64 %i.next
  store i64 %end.next, ptr %end.next.at
  %address.at = getelementptr i64, ptr %values, i64 %i
  store i64 %text.from, ptr %address.at
  %text.behind = getelementptr i8, ptr %q.next, i64 %number.value
  br label %taken

taken:
  %at.next = phi ptr [ %behind.branch, %nothing.byte ], [ %behind.branch, %nothing.float ],
                     [ %behind.branch, %nothing.wide ], [ %behind.branch, %nothing.text ],
                     [ %double.behind, %double.take ], [ %float.behind, %float.take ],
                     [ %boolean.behind, %boolean.take ], [ %q.next, %long ], [ %text.behind, %text.take ]
  br label %each

record.last:
  %is.end = icmp eq ptr %at, %stop
  br i1 %is.end, label %record.end, label %bad
record.end:
  %more = icmp slt i64 %i.next, %count
  br i1 %more, label %record, label %all
bad:
  ret i64 %i
all:
  ret i64 %count
}
"""
_FIELD: Final = np.dtype(
    [("kind", np.int64), ("null", np.int64), ("values", np.uint64), ("lengths", np.uint64), ("valid", np.uint64)]
)


class Layout:
    """How columns of these fields lie in one piece of memory: their values, where texts end, which are null.

    fields: in wire order, all such as `compiles` says.
    """

    def __init__(self, fields: Sequence[FieldShape]) -> None:
        self._kinds = [KINDS[field.kind] for field in fields]
        self._nullable = [field.nullable for field in fields]
        self._of = np.zeros(len(fields), _FIELD)
        self._of["kind"] = self._kinds
        self._of["null"] = [int(not field.null_first) if field.nullable else NEVER_NULL for field in fields]
        self._widths = np.array([_TYPES[kind][0].itemsize for kind in self._kinds], np.int64)
        self._is_text = np.array(self._kinds, np.int64) == TEXT
        self._is_nullable = np.array(self._nullable, np.bool_)

    def of(self, n: int) -> tuple[pa.Buffer, npt.NDArray[np.void], list[list[int]]]:
        """Memory for n rows, the loop's table of it, and where values, ends and marks of each field begin in it."""
        sizes = np.stack([self._widths * n, self._is_text * WORD * (n + 1), self._is_nullable * n])
        ends = np.cumsum(-(-sizes.ravel() // WORD) * WORD)
        begins = np.concatenate([[0], ends])[:-1].reshape(sizes.shape)
        memory = pa.allocate_buffer(int(ends[-1]) if len(ends) else 0)
        table = self._of.copy()
        for name, begin in zip(("values", "lengths", "valid"), begins, strict=True):
            table[name] = begin + memory.address
        return memory, table, begins.T.tolist()

    def columns(self, memory: pa.Buffer, begins: list[list[int]], n: int, loops: Loops) -> list[pa.Array]:
        """What the loop has written of n rows."""
        return [
            _column(memory, places, n, kind, nullable, loops)
            for places, kind, nullable in zip(begins, self._kinds, self._nullable, strict=True)
        ]


def _column(memory: pa.Buffer, places: list[int], n: int, kind: int, nullable: bool, loops: Loops) -> pa.Array:
    (values, lengths, valid), (dtype, arrow) = places, _TYPES[kind]
    null = None
    if nullable:
        marks = np.frombuffer(memory, np.uint8, n, valid)
        null = None if marks.all() else pa.py_buffer(np.packbits(marks, bitorder="little"))
    if kind == TEXT:
        ends = np.frombuffer(memory, np.int64, n + 1, lengths)
        octets = pa.allocate_buffer(int(ends[-1]))
        loops.gather(np.frombuffer(memory, np.uint64, n, values), ends, np.frombuffer(octets, np.uint8))
        return pa.Array.from_buffers(arrow, n, [null, pa.py_buffer(ends.astype(np.int32)), octets])
    if kind == BOOLEAN:
        bits = np.packbits(np.frombuffer(memory, np.uint8, n, values), bitorder="little")
        return pa.Array.from_buffers(arrow, n, [null, pa.py_buffer(bits)])
    return pa.Array.from_buffers(arrow, n, [null, memory.slice(values, n * dtype.itemsize)])


class Reading:
    """The loop.

    Raises ImportError, AttributeError, OSError or RuntimeError where LLVM does not compile.
    """

    def __init__(self) -> None:
        from weir.native.compiler import engine_of  # noqa: PLC0415 - LLVM

        self._engine: Any = engine_of(CODE)  # keeps the machine code
        of = ctypes.CFUNCTYPE(c_int64, c_void_p, c_void_p, c_int64, ctypes.c_int32, c_void_p, c_int64)
        self._bodies = of(int(self._engine.get_function_address("bodies")))

    def read(
        self, loops: Loops, layout: Layout, schema_id: int, ends: npt.NDArray[np.int64], memory: Octets
    ) -> list[pa.Array] | None:
        """One column a field, of n records; None where one is not as it should be.

        Texts and byte strings are columns of type string, whole numbers of any kind of type int64, as the Rust codec
        gives them. Nobody has looked whether a text is UTF-8, or whether an `int` fits 32 bits.
        schema_id: in the frame of each. ends: record i lies at memory[ends[i] : ends[i + 1]]. All of them together are
        below 2 GiB.
        Raises ValueError where the ends lie outside of the memory.
        """
        n = len(ends) - 1
        ends = np.ascontiguousarray(ends, np.int64)
        if ends[0] < 0 or (ends[1:] < ends[:-1]).any() or ends[-1] > len(memory) or not memory.flags.c_contiguous:
            raise ValueError(f"{n + 1} ends do not cut {len(memory)} bytes into records")
        into, table, begins = layout.of(n)
        for at in np.flatnonzero(table["kind"] == TEXT).tolist():
            np.frombuffer(into, np.int64, 1, begins[at][1])[0] = 0
        frame = int.from_bytes(schema_id.to_bytes(HEADER_BYTES - 1, "big", signed=True), "little", signed=True)
        read = self._bodies(memory.ctypes.data, ends.ctypes.data, n, frame, table.ctypes.data, len(table))
        return layout.columns(into, begins, n, loops) if read == n else None

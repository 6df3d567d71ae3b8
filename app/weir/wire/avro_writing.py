"""Columns -> the bytes of flat Avro records by one compiled loop.

It takes a fraction of what encoding each column by itself and joining them takes, and makes the same bytes.
Source: Avro 1.12 specification, binary encoding.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int64, c_void_p
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.wire.avro_kinds import BOOLEAN, DOUBLE, FLOAT, KINDS, LONG, NEVER_NULL, TEXT
from weir.wire.avro_scalar import zigzag
from weir.wire.shape import FieldShape, Kind

Octets: TypeAlias = npt.NDArray[np.uint8]

INT, SHARED = 5, 6  # beside the kinds that are read
_WRITES: Final = {**KINDS, Kind.INT: INT}
_WIDTHS: Final = {BOOLEAN: 1, LONG: 8, INT: 4, FLOAT: 4, DOUBLE: 8}  # bytes of a number in its column
_MOST: Final = {BOOLEAN: 1, LONG: 10, INT: 5, FLOAT: 4, DOUBLE: 8, TEXT: 5}  # bytes of a value; of a text: its length
_MOST_BYTES: Final = 2**31 - 1  # of an Arrow array of byte strings

CODE: Final = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

%part = type { i64, i64, ptr, ptr, ptr }

define void @write(ptr %parts, i64 %count, i64 %rows, ptr %into, ptr %ends) {
begin:
  %some = icmp sgt i64 %rows, 0
  br i1 %some, label %row, label %done

row:
  %i = phi i64 [ 0, %begin ], [ %i.next, %row.end ]
  %place.row = phi ptr [ %into, %begin ], [ %place, %row.end ]
  %i.next = add i64 %i, 1
  br label %each
each:
  %k = phi i64 [ 0, %row ], [ %k.next, %written ]
  %place = phi ptr [ %place.row, %row ], [ %place.next, %written ]
  %any = icmp slt i64 %k, %count
  br i1 %any, label %one, label %row.end
one:
  %k.next = add i64 %k, 1
  %kind.at = getelementptr %part, ptr %parts, i64 %k, i32 0
  %kind = load i64, ptr %kind.at
  %null.at = getelementptr %part, ptr %parts, i64 %k, i32 1
  %null = load i64, ptr %null.at
  %values.at = getelementptr %part, ptr %parts, i64 %k, i32 2
  %values = load ptr, ptr %values.at
  %may.be.null = icmp sge i64 %null, 0
  %is.shared = icmp eq i64 %kind, 6
  br i1 %is.shared, label %shared, label %own

; What all rows have: so many bytes as stand where other parts have their branch.
shared:
  call void @llvm.memcpy.p0.p0.i64(ptr %place, ptr %values, i64 %null, i1 false)
  %shared.behind = getelementptr i8, ptr %place, i64 %null
  br label %written

own:
  br i1 %may.be.null, label %union, label %value
union:
  %valid.at = getelementptr %part, ptr %parts, i64 %k, i32 4
  %valid = load ptr, ptr %valid.at
  %valid.row = getelementptr i8, ptr %valid, i64 %i
  %valid.byte = load i8, ptr %valid.row
  %is.value = icmp ne i8 %valid.byte, 0
  %other = sub i64 1, %null
  %branch = select i1 %is.value, i64 %other, i64 %null
  %branch.twice = shl i64 %branch, 1
  %branch.byte = trunc i64 %branch.twice to i8
  store i8 %branch.byte, ptr %place
  %behind.branch = getelementptr i8, ptr %place, i64 1
  br i1 %is.value, label %value, label %written

value:
  %p = phi ptr [ %place, %own ], [ %behind.branch, %union ]
  switch i64 %kind, label %long [ i64 0, label %boolean
                                  i64 2, label %float
                                  i64 3, label %double
                                  i64 4, label %text
                                  i64 5, label %int ]
boolean:
  %boolean.at = getelementptr i8, ptr %values, i64 %i
  %boolean.value = load i8, ptr %boolean.at
  store i8 %boolean.value, ptr %p
  %boolean.behind = getelementptr i8, ptr %p, i64 1
  br label %written
float:
  %float.at = getelementptr i32, ptr %values, i64 %i
  %float.value = load i32, ptr %float.at
  store i32 %float.value, ptr %p, align 1
  %float.behind = getelementptr i8, ptr %p, i64 4
  br label %written
double:
  %double.at = getelementptr i64, ptr %values, i64 %i
  %double.value = load i64, ptr %double.at
  store i64 %double.value, ptr %p, align 1
  %double.behind = getelementptr i8, ptr %p, i64 8
  br label %written
int:
  %int.at = getelementptr i32, ptr %values, i64 %i
  %int.value = load i32, ptr %int.at
  %int.wide = sext i32 %int.value to i64
  br label %number
long:
  %long.at = getelementptr i64, ptr %values, i64 %i
  %long.value = load i64, ptr %long.at
  br label %number
text:
  %ends.at = getelementptr %part, ptr %parts, i64 %k, i32 3
  %text.ends = load ptr, ptr %ends.at
  %from.at = getelementptr i32, ptr %text.ends, i64 %i
  %from = load i32, ptr %from.at
  %to.at = getelementptr i32, ptr %text.ends, i64 %i.next
  %to = load i32, ptr %to.at
  %size = sub i32 %to, %from
  %size.wide = sext i32 %size to i64
  %from.wide = sext i32 %from to i64
  %source = getelementptr i8, ptr %values, i64 %from.wide
  br label %number

; Zigzag; seven bits a byte, the lowest first.
number:
  %n = phi i64 [ %int.wide, %int ], [ %long.value, %long ], [ %size.wide, %text ]
  %octets = phi ptr [ null, %int ], [ null, %long ], [ %source, %text ]
  %twice = shl i64 %n, 1
  %sign = ashr i64 %n, 63
  %zigzag = xor i64 %twice, %sign
  br label %group
group:
  %left = phi i64 [ %zigzag, %number ], [ %left.next, %group.more ]
  %q = phi ptr [ %p, %number ], [ %q.next, %group.more ]
  %q.next = getelementptr i8, ptr %q, i64 1
  %seven = trunc i64 %left to i8
  %is.last = icmp ult i64 %left, 128
  br i1 %is.last, label %group.last, label %group.more
group.more:
  %marked = or i8 %seven, -128
  store i8 %marked, ptr %q
  %left.next = lshr i64 %left, 7
  br label %group
group.last:
  store i8 %seven, ptr %q
  %is.text = icmp eq i64 %kind, 4
  br i1 %is.text, label %copy, label %written
copy:
  call void @llvm.memcpy.p0.p0.i64(ptr %q.next, ptr %octets, i64 %n, i1 false)
  %text.behind = getelementptr i8, ptr %q.next, i64 %n
  br label %written

written:
  %place.next = phi ptr [ %shared.behind, %shared ], [ %behind.branch, %union ], [ %boolean.behind, %boolean ],
                        [ %float.behind, %float ], [ %double.behind, %double ], [ %q.next, %group.last ],
                        [ %text.behind, %copy ]
  br label %each

row.end:
  %place.number = ptrtoint ptr %place to i64
  %into.number = ptrtoint ptr %into to i64
  %end.wide = sub i64 %place.number, %into.number
  %end = trunc i64 %end.wide to i32
  %end.at = getelementptr i32, ptr %ends, i64 %i.next
  store i32 %end, ptr %end.at
  %more = icmp slt i64 %i.next, %rows
  br i1 %more, label %row, label %done
done:
  ret void
}
"""
_PART: Final = np.dtype(
    [("kind", np.int64), ("null", np.int64), ("values", np.uint64), ("ends", np.uint64), ("valid", np.uint64)]
)


@dataclass(frozen=True, slots=True)
class Part:
    """A column as the loop reads it.

    kind: BOOLEAN to INT. null: the branch of null, NEVER_NULL without a union. rows: how many values it has.
    values: the address of as many numbers of the kind's width, or of the memory of texts, of which row i has
    values[ends[i] : ends[i + 1]]. ends: int32[rows + 1], ascending. size: bytes of that memory.
    valid: uint8[rows], 0 where it is null. kept: what owns the memory.
    """

    kind: int
    null: int
    rows: int
    values: int
    ends: npt.NDArray[np.int32] | None = None
    size: int = 0
    valid: Octets | None = None
    kept: object = None

    @property
    def most(self) -> int:
        """Bytes of a row at most, but for a text's own."""
        return _MOST[self.kind] + (self.null != NEVER_NULL)

    @property
    def octets(self) -> int:
        """Bytes of the texts of all rows."""
        return 0 if self.ends is None else int(self.ends[-1]) - int(self.ends[0])

    @property
    def described(self) -> tuple[int, ...]:
        """A row of the table that the loop reads."""
        return self.kind, self.null, self.values, _address(self.ends), _address(self.valid)

    def check(self, rows: int) -> None:
        """Raises ValueError where it has other rows, or its ends lie outside of its memory."""
        fits = self.rows == rows and (self.valid is None or len(self.valid) == rows)
        if fits and self.ends is not None:
            fits = self.ends[0] >= 0 and self.ends[-1] <= self.size and bool((self.ends[1:] >= self.ends[:-1]).all())
        if not fits:
            raise ValueError(f"a column of {self.rows} rows does not have the values of {rows} rows")


def _address(array: npt.NDArray[Any] | None) -> int:
    return 0 if array is None else int(array.__array_interface__["data"][0])  # faster than ctypes.data


def parts_of(field: FieldShape, column: pa.Array) -> list[bytes | Part]:
    """What every row has of a column, and the column.

    column: of the field's Arrow type, n >= 1 values, with nulls only where the field may be null.
    """
    if not field.nullable:
        return [_part(field, column, NEVER_NULL, None)]
    if column.null_count == len(column):
        return [zigzag(int(not field.null_first))]
    if not column.null_count:
        return [zigzag(int(field.null_first)), _part(field, column, NEVER_NULL, None)]
    valid = column.is_valid().to_numpy(zero_copy_only=False).view(np.uint8)
    return [_part(field, column, int(not field.null_first), np.ascontiguousarray(valid))]


def _part(field: FieldShape, column: pa.Array, null: int, valid: Octets | None) -> Part:
    kind, n = _WRITES[field.kind], len(column)
    if kind == BOOLEAN:
        column = column.cast(pa.uint8()).fill_null(0)
    _, *buffers = column.buffers()
    if kind == TEXT:
        offsets, memory = buffers
        ends = np.frombuffer(offsets, np.int32, n + 1, 4 * column.offset)
        address, size = (memory.address, memory.size) if memory is not None else (0, 0)
        return Part(kind, null, n, address, ends, size, valid, kept=column)
    return Part(kind, null, n, buffers[0].address + column.offset * _WIDTHS[kind], valid=valid, kept=column)


class Writing:
    """The loop.

    Raises ImportError, AttributeError, OSError or RuntimeError where LLVM does not compile.
    """

    def __init__(self) -> None:
        from weir.native.compiler import engine_of  # noqa: PLC0415 - LLVM

        self._engine: Any = engine_of(CODE)  # keeps the machine code
        of = ctypes.CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p, c_void_p)
        self._write = of(int(self._engine.get_function_address("write")))

    def frames(self, parts: Sequence[bytes | Part], rows: int) -> pa.BinaryArray | None:
        """The parts of each row, one after the other: binary[rows], no nulls; None for more than one array may hold.

        parts: bytes that all rows have, or a column of so many rows.
        Raises ValueError where a column has other rows, or its ends lie outside of its memory.
        """
        shared = [np.frombuffer(part, np.uint8) for part in parts if isinstance(part, bytes)]
        columns = [part for part in parts if isinstance(part, Part)]
        for column in columns:
            column.check(rows)
        most = rows * sum([*map(len, shared), *(part.most for part in columns)])
        most += sum(part.octets for part in columns)
        if most > _MOST_BYTES:
            return None
        table, at = np.zeros(len(parts), _PART), iter(shared)
        for k, part in enumerate(parts):
            if isinstance(part, Part):
                table[k] = part.described
            else:
                table[k] = SHARED, len(part), _address(next(at)), 0, 0
        memory, ends = pa.allocate_buffer(most, resizable=True), np.zeros(rows + 1, np.int32)
        self._write(table.ctypes.data, len(table), rows, memory.address, ends.ctypes.data)
        memory.resize(int(ends[-1]))
        return pa.BinaryArray.from_buffers(pa.binary(), rows, [None, pa.py_buffer(ends), memory])

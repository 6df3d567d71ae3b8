"""Loops over many pieces of memory, compiled: a piece takes some nanoseconds, and other threads run meanwhile."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from ctypes import c_int64, c_void_p
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

Code = TypeVar("Code")
Octets: TypeAlias = npt.NDArray[np.uint8]
Piece: TypeAlias = "bytes | tuple[npt.NDArray[np.int32], Octets]"

CODE: Final = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define void @gather(ptr %addresses, ptr %ends, i64 %count, ptr %into) {
begin:
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %again, label %done
again:
  %i = phi i64 [ 0, %begin ], [ %next, %again ]
  %next = add i64 %i, 1
  %address.at = getelementptr i64, ptr %addresses, i64 %i
  %address = load ptr, ptr %address.at
  %from.at = getelementptr i64, ptr %ends, i64 %i
  %from = load i64, ptr %from.at
  %to.at = getelementptr i64, ptr %ends, i64 %next
  %to = load i64, ptr %to.at
  %size = sub i64 %to, %from
  %place = getelementptr i8, ptr %into, i64 %from
  call void @llvm.memcpy.p0.p0.i64(ptr %place, ptr %address, i64 %size, i1 false)
  %more = icmp slt i64 %next, %count
  br i1 %more, label %again, label %done
done:
  ret void
}

%piece = type { ptr, ptr, i64 }

define void @join(ptr %pieces, i64 %count, i64 %rows, ptr %into) {
begin:
  %some.pieces = icmp sgt i64 %count, 0
  %some.rows = icmp sgt i64 %rows, 0
  %some = and i1 %some.pieces, %some.rows
  br i1 %some, label %row, label %done
row:
  %i = phi i64 [ 0, %begin ], [ %i.next, %row.end ]
  %place.row = phi ptr [ %into, %begin ], [ %place.next, %row.end ]
  %i.next = add i64 %i, 1
  br label %each
each:
  %k = phi i64 [ 0, %row ], [ %k.next, %copied ]
  %place = phi ptr [ %place.row, %row ], [ %place.next, %copied ]
  %k.next = add i64 %k, 1
  %memory.at = getelementptr %piece, ptr %pieces, i64 %k, i32 0
  %memory = load ptr, ptr %memory.at
  %ends.at = getelementptr %piece, ptr %pieces, i64 %k, i32 1
  %ends = load ptr, ptr %ends.at
  %shared = icmp eq ptr %ends, null
  br i1 %shared, label %same, label %own
same:
  %width.at = getelementptr %piece, ptr %pieces, i64 %k, i32 2
  %width = load i64, ptr %width.at
  br label %copied
own:
  %from.at = getelementptr i32, ptr %ends, i64 %i
  %from = load i32, ptr %from.at
  %to.at = getelementptr i32, ptr %ends, i64 %i.next
  %to = load i32, ptr %to.at
  %length = sub i32 %to, %from
  %length.wide = sext i32 %length to i64
  %from.wide = sext i32 %from to i64
  %value = getelementptr i8, ptr %memory, i64 %from.wide
  br label %copied
copied:
  %source = phi ptr [ %memory, %same ], [ %value, %own ]
  %size = phi i64 [ %width, %same ], [ %length.wide, %own ]
  call void @llvm.memcpy.p0.p0.i64(ptr %place, ptr %source, i64 %size, i1 false)
  %place.next = getelementptr i8, ptr %place, i64 %size
  %more.pieces = icmp slt i64 %k.next, %count
  br i1 %more.pieces, label %each, label %row.end
row.end:
  %more.rows = icmp slt i64 %i.next, %rows
  br i1 %more.rows, label %row, label %done
done:
  ret void
}

define void @each(ptr %function, ptr %addresses, i64 %count) {
begin:
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %again, label %done
again:
  %i = phi i64 [ 0, %begin ], [ %next, %again ]
  %address.at = getelementptr i64, ptr %addresses, i64 %i
  %address = load i64, ptr %address.at
  call void %function(i64 %address)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %again, label %done
done:
  ret void
}
"""
_PIECE: Final = np.dtype([("memory", np.uint64), ("ends", np.uint64), ("width", np.int64)])


def want() -> None:
    """Have LLVM in memory from here on: for a process of so many records that the loops alone are worth it."""
    with suppress(ImportError):
        import llvmlite.binding  # noqa: F401, PLC0415 - what is in memory is what `loops` looks for


def loops() -> Loops | None:
    """The loops, where LLVM is in memory: as in a scorer of trees, or where a process has said that it wants them.

    None where it is not, or where it cannot compile: every caller has a way of its own then.
    """
    return compiled(Loops)


def compiled(code: Callable[[], Code]) -> Code | None:
    """What is compiled once a process, where LLVM is in memory and compiles; None elsewhere.

    code: makes it; raises ImportError, AttributeError, OSError or RuntimeError where LLVM does not compile.
    """
    return cast("Code | None", _made(code)) if "llvmlite" in sys.modules else None


@cache
def _made(code: Callable[[], object]) -> object:
    try:
        return code()
    except (ImportError, AttributeError, OSError, RuntimeError):  # where it has compiled no kernel either
        return None


class Loops:
    """The loops.

    Raises ImportError, AttributeError, OSError or RuntimeError where LLVM does not compile.
    """

    def __init__(self) -> None:
        from weir.native.compiler import engine_of  # noqa: PLC0415 - LLVM

        self._engine: Any = engine_of(CODE)  # keeps the machine code
        self._gather = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int64, c_void_p)(self._address("gather"))
        self._join = ctypes.CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p)(self._address("join"))
        self._each = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int64)(self._address("each"))

    def _address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))

    def gather(self, addresses: npt.NDArray[np.uint64], ends: npt.NDArray[np.int64], into: Octets) -> None:
        """Copy what lies at n addresses of this process to into[ends[i] : ends[i + 1]].

        addresses: uint64[n]; one may be 0 where nothing is to be copied. ends: int64[n + 1], ascending from 0.
        into: C-contiguous, and may be written to.
        Raises ValueError where they do not fit each other: whatever then lies beside would be written over.
        """
        n = len(addresses)
        _check_whole(into, into.flags.writeable)
        if len(ends) != n + 1 or int(ends[0]) or (ends[1:] < ends[:-1]).any() or int(ends[-1]) > len(into):
            raise ValueError(f"{n} pieces of memory do not fit into {len(into)} bytes")
        addresses, ends = np.ascontiguousarray(addresses, np.uint64), np.ascontiguousarray(ends, np.int64)
        self._gather(addresses.ctypes.data, ends.ctypes.data, n, into.ctypes.data)

    def join(self, pieces: Sequence[Piece], rows: int, into: Octets) -> None:
        """Write the pieces of each row one after the other, the rows too.

        pieces: bytes that every row has, or int32[rows + 1] and memory, of which row i has memory[ends[i] : ends[i+1]].
        Memory is C-contiguous, and `into` may be written to.
        Raises ValueError where they do not fill `into`, or an end lies outside its memory.
        """
        _check_whole(into, into.flags.writeable)
        table, size = np.zeros(len(pieces), _PIECE), 0
        kept: list[Any] = []
        for k, piece in enumerate(pieces):
            if isinstance(piece, bytes):
                memory = np.frombuffer(piece, np.uint8)
                table[k] = memory.ctypes.data, 0, len(piece)
                size += rows * len(piece)
            else:
                ends, memory = piece
                _check(ends, memory, rows)
                ends = np.ascontiguousarray(ends, np.int32)  # what lies within memory
                table[k] = memory.ctypes.data, ends.ctypes.data, 0
                size += int(ends[-1]) - int(ends[0])
                kept.append(ends)
            kept.append(memory)
        if size != len(into):
            raise ValueError(f"pieces of {size} bytes do not fill {len(into)}")
        self._join(table.ctypes.data, len(table), rows, into.ctypes.data)

    def each(self, function: Any, addresses: npt.NDArray[np.uint64]) -> None:
        """Call a function of C of one argument, a pointer, for uint64[n] addresses, in their order.

        function: of ctypes; it is not called by way of Python.
        """
        addresses = np.ascontiguousarray(addresses, np.uint64)  # the loop reads one behind the other
        self._each(ctypes.cast(function, c_void_p), addresses.ctypes.data, len(addresses))


def _check(ends: npt.NDArray[np.int32], memory: Octets, rows: int) -> None:
    _check_whole(memory)
    if len(ends) != rows + 1 or ends[0] < 0 or (ends[1:] < ends[:-1]).any() or ends[-1] > len(memory):
        raise ValueError(f"{len(ends)} ends do not cut {len(memory)} bytes into {rows} values")


def _check_whole(memory: Octets, is_fit: bool = True) -> None:
    """Raises ValueError where bytes do not lie one behind the other, as the loops go through them."""
    if memory.dtype != np.uint8 or not memory.flags.c_contiguous or not is_fit:
        raise ValueError(
            f"{memory.dtype}{list(memory.shape)} are not bytes one behind the other that may be written to"
        )

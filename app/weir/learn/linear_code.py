"""Machine code for a scaler and a linear model that learn row by row, as River's own `learn_one` does.

Each row is learned before the next one is looked at, so that where a batch ends changes nothing. Sums run in the order
of the columns, without fused multiplications: a row's bits depend on the rows before it alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int64, c_void_p
from functools import cache
from typing import Any, Final

# Of column j the state holds counts, means, vars and weights, k of each one behind the other; numbers: intercept,
# learning rate, learning rate of the intercept, and the bound of a gradient. A NaN is no value: its column is left out
# of the row. exp is the C library's, which Python calls, too.
CODE: Final = """
declare double @llvm.sqrt.f64(double)
declare double @llvm.minnum.f64(double, double)
declare double @llvm.maxnum.f64(double, double)

define void @run(ptr noalias %x, ptr noalias %y, ptr noalias %learns, i64 %n, i64 %k, ptr noalias %state,
                 ptr noalias %numbers, ptr noalias %z, ptr noalias %out, ptr %exp, i64 %logistic) {
begin:
  %means = getelementptr double, ptr %state, i64 %k
  %vars = getelementptr double, ptr %means, i64 %k
  %weights = getelementptr double, ptr %vars, i64 %k
  %rate.at = getelementptr double, ptr %numbers, i64 1
  %rate = load double, ptr %rate.at
  %rate.0.at = getelementptr double, ptr %numbers, i64 2
  %rate.0 = load double, ptr %rate.0.at
  %bound.at = getelementptr double, ptr %numbers, i64 3
  %bound = load double, ptr %bound.at
  %bound.low = fneg double %bound
  %by.chance = icmp ne i64 %logistic, 0
  %some.rows = icmp sgt i64 %n, 0
  %some.columns = icmp sgt i64 %k, 0
  %some = and i1 %some.rows, %some.columns
  br i1 %some, label %row, label %done

row:
  %i = phi i64 [ 0, %begin ], [ %i.next, %row.end ]
  %i.next = add i64 %i, 1
  %offset = mul i64 %i, %k
  %xi = getelementptr double, ptr %x, i64 %offset
  %learns.at = getelementptr i8, ptr %learns, i64 %i
  %learns.i = load i8, ptr %learns.at
  %is.learned = icmp ne i8 %learns.i, 0
  br i1 %is.learned, label %update, label %scale

update:
  %u = phi i64 [ 0, %row ], [ %u.next, %update ]
  %u.next = add i64 %u, 1
  %u.x.at = getelementptr double, ptr %xi, i64 %u
  %u.x = load double, ptr %u.x.at
  %u.none = fcmp uno double %u.x, %u.x
  %u.count.at = getelementptr double, ptr %state, i64 %u
  %u.count = load double, ptr %u.count.at
  %u.mean.at = getelementptr double, ptr %means, i64 %u
  %u.mean = load double, ptr %u.mean.at
  %u.var.at = getelementptr double, ptr %vars, i64 %u
  %u.var = load double, ptr %u.var.at
  %u.count.new = fadd double %u.count, 1.0
  %u.off = fsub double %u.x, %u.mean
  %u.step = fdiv double %u.off, %u.count.new
  %u.mean.new = fadd double %u.mean, %u.step
  %u.off.new = fsub double %u.x, %u.mean.new
  %u.square = fmul double %u.off, %u.off.new
  %u.more = fsub double %u.square, %u.var
  %u.more.each = fdiv double %u.more, %u.count.new
  %u.var.new = fadd double %u.var, %u.more.each
  %u.count.kept = select i1 %u.none, double %u.count, double %u.count.new
  %u.mean.kept = select i1 %u.none, double %u.mean, double %u.mean.new
  %u.var.kept = select i1 %u.none, double %u.var, double %u.var.new
  store double %u.count.kept, ptr %u.count.at
  store double %u.mean.kept, ptr %u.mean.at
  store double %u.var.kept, ptr %u.var.at
  %u.again = icmp slt i64 %u.next, %k
  br i1 %u.again, label %update, label %scale

scale:
  br label %scaled
scaled:
  %s = phi i64 [ 0, %scale ], [ %s.next, %scaled ]
  %s.next = add i64 %s, 1
  %s.x.at = getelementptr double, ptr %xi, i64 %s
  %s.x = load double, ptr %s.x.at
  %s.mean.at = getelementptr double, ptr %means, i64 %s
  %s.mean = load double, ptr %s.mean.at
  %s.var.at = getelementptr double, ptr %vars, i64 %s
  %s.var = load double, ptr %s.var.at
  %s.off = fsub double %s.x, %s.mean
  %s.sd = call double @llvm.sqrt.f64(double %s.var)
  %s.ratio = fdiv double %s.off, %s.sd
  %s.there = fcmp ord double %s.x, %s.x
  %s.spread = fcmp ogt double %s.var, 0.0
  %s.counts = and i1 %s.there, %s.spread
  %s.z = select i1 %s.counts, double %s.ratio, double 0.0
  %s.z.at = getelementptr double, ptr %z, i64 %s
  store double %s.z, ptr %s.z.at
  %s.again = icmp slt i64 %s.next, %k
  br i1 %s.again, label %scaled, label %sum

sum:
  br label %summed
summed:
  %d = phi i64 [ 0, %sum ], [ %d.next, %summed ]
  %total = phi double [ 0.0, %sum ], [ %total.next, %summed ]
  %d.next = add i64 %d, 1
  %d.z.at = getelementptr double, ptr %z, i64 %d
  %d.z = load double, ptr %d.z.at
  %d.weight.at = getelementptr double, ptr %weights, i64 %d
  %d.weight = load double, ptr %d.weight.at
  %d.part = fmul double %d.weight, %d.z
  %total.next = fadd double %total, %d.part
  %d.again = icmp slt i64 %d.next, %k
  br i1 %d.again, label %summed, label %told

told:
  %intercept = load double, ptr %numbers
  %raw = fadd double %total.next, %intercept
  br i1 %is.learned, label %learn, label %answer

answer:
  br i1 %by.chance, label %chance, label %answered
chance:
  %raw.minus = fneg double %raw
  %raw.exp = call double %exp(double %raw.minus)
  %odds = fadd double %raw.exp, 1.0
  %chance.free = fdiv double 1.0, %odds
  %chance.none = fcmp olt double %raw, -30.0
  %chance.sure = fcmp ogt double %raw, 30.0
  %chance.above = select i1 %chance.none, double 0.0, double %chance.free
  %chance.raw = select i1 %chance.sure, double 1.0, double %chance.above
  br label %answered
answered:
  %told.raw = phi double [ %raw, %answer ], [ %chance.raw, %chance ]
  %out.at = getelementptr double, ptr %out, i64 %i
  store double %told.raw, ptr %out.at
  br label %row.end

learn:
  %y.at = getelementptr double, ptr %y, i64 %i
  %yi = load double, ptr %y.at
  br i1 %by.chance, label %classes, label %numbered
numbered:
  %error = fsub double %raw, %yi
  %slope.number = fmul double %error, 2.0
  br label %stepped
classes:
  %positive = fcmp une double %yi, 0.0
  %sign = select i1 %positive, double 1.0, double -1.0
  %sign.minus = fneg double %sign
  %margin = fmul double %raw, %sign
  %sure = fcmp ogt double %margin, 18.0
  br i1 %sure, label %right, label %unsure
right:
  %margin.minus = fneg double %margin
  %margin.exp = call double %exp(double %margin.minus)
  %slope.right = fmul double %margin.exp, %sign.minus
  br label %stepped
unsure:
  %lost = fcmp olt double %margin, -18.0
  br i1 %lost, label %stepped, label %between
between:
  %between.exp = call double %exp(double %margin)
  %between.odds = fadd double %between.exp, 1.0
  %slope.between = fdiv double %sign.minus, %between.odds
  br label %stepped
stepped:
  %slope.free = phi double [ %slope.number, %numbered ], [ %slope.right, %right ],
                           [ %sign.minus, %unsure ], [ %slope.between, %between ]
  %slope.above = call double @llvm.maxnum.f64(double %slope.free, double %bound.low)
  %slope = call double @llvm.minnum.f64(double %slope.above, double %bound)
  %step.0 = fmul double %rate.0, %slope
  %intercept.new = fsub double %intercept, %step.0
  store double %intercept.new, ptr %numbers
  br label %weigh
weigh:
  %w = phi i64 [ 0, %stepped ], [ %w.next, %weigh ]
  %w.next = add i64 %w, 1
  %w.z.at = getelementptr double, ptr %z, i64 %w
  %w.z = load double, ptr %w.z.at
  %w.at = getelementptr double, ptr %weights, i64 %w
  %w.old = load double, ptr %w.at
  %w.slope = fmul double %w.z, %slope
  %w.step = fmul double %rate, %w.slope
  %w.new = fsub double %w.old, %w.step
  store double %w.new, ptr %w.at
  %w.again = icmp slt i64 %w.next, %k
  br i1 %w.again, label %weigh, label %row.end

row.end:
  %more = icmp slt i64 %i.next, %n
  br i1 %more, label %row, label %done
done:
  ret void
}
"""


class Kernel:
    """The compiled code.

    Raises ImportError, OSError or RuntimeError where LLVM does not compile.
    """

    def __init__(self) -> None:
        from weir.native.compiler import engine_of  # noqa: PLC0415 - LLVM

        self._engine: Any = engine_of(CODE)  # keeps the machine code
        pointers = [c_void_p] * 3, [c_int64] * 2, [c_void_p] * 5, [c_int64]
        kind = ctypes.CFUNCTYPE(None, *(one for each in pointers for one in each))
        self._run = kind(int(self._engine.get_function_address("run")))
        self._exp = ctypes.cast(ctypes.CDLL(None).exp, c_void_p).value

    def run(self, rows: int, columns: int, arrays: Sequence[int], *, logistic: bool) -> None:
        """Go over the rows.

        arrays: addresses of x, y, learns (a byte each), state, numbers, as many numbers as columns to work in, answers.
        """
        x, y, learns, state, numbers, z, out = arrays
        self._run(x, y, learns, rows, columns, state, numbers, z, out, self._exp, int(logistic))


@cache
def kernel() -> Kernel:
    """The code, compiled once in a process. Raises ImportError, OSError, RuntimeError."""
    return Kernel()

"""A tree ensemble in one form, whichever operator, branch modes and missing values it came with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


class Unsupported(Exception):
    """Why the kernel cannot score a model, in words. It never leaves this package: `opening` makes it a value."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Trees whose every node asks one thing of one feature and sends a row to the left or to the right.

    A node is of one of two kinds. A comparison sends a row right when x > threshold. A set, which stands for equality
    and for categories, sends it right when x is not among the node's members. NaN goes right where nan_right says so,
    else left. Children are numbers of nodes, or ~number of a leaf; leaves are numbered through all trees.

    For n nodes: feature int32[n]; threshold float32[n]; is_set, nan_right bool[n]; left, right int32[n]; members of
    node i are members[member_start[i] : member_start[i + 1]], float32. roots: int32[trees].
    For w weights, in the operator's order: weight_leaf, weight_target int32[w], weight float32[w].
    leaves: how many. targets: how many sums there are.
    """

    feature: Ints
    threshold: Floats
    is_set: npt.NDArray[np.bool_]
    nan_right: npt.NDArray[np.bool_]
    left: Ints
    right: Ints
    member_start: Ints
    members: Floats
    roots: Ints
    weight_leaf: Ints
    weight_target: Ints
    weight: Floats
    leaves: int
    targets: int


@dataclass(frozen=True, slots=True)
class Branches:
    """Nodes as ONNX has them, n of them: `true` and `false` are nodes, or ~number of a leaf, as in Ensemble.

    mode: of MODES. value: float32[n], of a MEMBER node its values are in members, see Ensemble.
    missing_true: whether NaN goes to `true` even where the comparison fails, as every comparison but NEQ does.
    """

    feature: npt.NDArray[np.int64]
    mode: npt.NDArray[Any]
    value: Floats
    missing_true: npt.NDArray[np.bool_]
    true: npt.NDArray[np.int64]
    false: npt.NDArray[np.int64]
    member_start: npt.NDArray[np.int64]
    members: Floats


MODES: Final = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER")  # numbered so in TreeEnsemble 5


def uniform(branches: Branches) -> dict[str, Any]:
    """The fields of Ensemble that say what nodes ask, from ONNX's modes.

    x < t is x <= the float32 below t, and x >= t its opposite: what is opposite has its children exchanged. Nothing is
    below minus infinity, and no comparison with NaN holds: such a node is a set without members.
    """
    mode, value = branches.mode, branches.value
    one = np.isin(mode, ("EQ", "NEQ"))
    lost = np.isnan(value) & ~one & (mode != "MEMBER")
    swapped = np.isin(mode, ("GTE", "GT", "NEQ")) & ~lost
    strict = np.isin(mode, ("LT", "GTE"))
    with np.errstate(over="ignore"):
        threshold = np.where(strict, np.nextafter(value, np.float32(-np.inf)), value).astype(np.float32)
    never = lost | (strict & np.isneginf(value))
    counts = np.where(mode == "MEMBER", np.diff(branches.member_start), one.astype(np.int64))
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    members = np.empty(start[-1], np.float32)
    owner = np.repeat(np.arange(len(mode)), counts)
    members[one[owner]] = value[one]
    members[~one[owner]] = branches.members
    to_true = branches.missing_true | (mode == "NEQ")
    return {
        "feature": branches.feature.astype(np.int32),
        "threshold": threshold,
        "is_set": one | (mode == "MEMBER") | never,
        "nan_right": np.where(swapped, to_true, ~to_true),
        "left": np.where(swapped, branches.false, branches.true).astype(np.int32),
        "right": np.where(swapped, branches.true, branches.false).astype(np.int32),
        "member_start": start,
        "members": members,
    }

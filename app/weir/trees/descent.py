"""How far down the trees of an ONNX file go: told before ONNX Runtime opens it.

ONNX Runtime follows a tree by recursion: at 10,800 nodes one below the other (8 MiB of stack, release 1.31) it ends the
process. A tree that runs in circles it may open, and then scores a row of it for ever.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.trees import onnx_file
from weir.trees.onnx_file import Node
from weir.trees.operators import OPERATORS

DEEPEST: Final = 8_000  # nodes one below the other
MARK: Final = b"TreeEnsemble"
ASKED: Final = (
    *("nodes_treeids", "nodes_nodeids", "nodes_modes", "nodes_truenodeids", "nodes_falsenodeids"),
    *("nodes_trueleafs", "nodes_falseleafs"),
)
Whole = npt.NDArray[np.int64]


def fault(content: bytes) -> str:
    """What keeps ONNX Runtime from opening a file's trees without harm, as a clause; empty for nothing.

    Of a file that breaks other rules nothing is said: those ONNX Runtime holds itself.
    """
    if MARK not in content:
        return ""
    try:
        found = [_of_ensemble(node) for node in onnx_file.named(content, OPERATORS, ASKED)]
    except ValueError:  # it is no ONNX
        return ""
    return next((said for said in found if said), "")


def _of_ensemble(node: Node) -> str:
    try:
        if node.operator != "TreeEnsemble" and _past_32_bits(node):
            return "its nodes have numbers of more than 32 bits"
        below = _listed(node) if node.operator == "TreeEnsemble" else _numbered(node)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return ""  # lists of other lengths, or none
    return _deep(below)


def _past_32_bits(node: Node) -> bool:
    """Whether any number names another node for ONNX Runtime, which keeps its last 32 bits: it may lead in circles."""
    found = node.attributes
    is_branch = np.array([mode != b"LEAF" for mode in found["nodes_modes"]], bool)
    asked = [_whole(found[name])[is_branch] for name in ("nodes_truenodeids", "nodes_falsenodeids")]
    numbers = np.concatenate([_whole(found["nodes_treeids"]), _whole(found["nodes_nodeids"]), *asked])
    return bool((numbers != numbers.astype(np.int32)).any())


def _numbered(node: Node) -> Whole:
    """The two children of each of n nodes of an operator of ai.onnx.ml 1 to 4, int64[n, 2], -1 for none.

    Numbers are as large as may be: what is looked up are their places among all that there are.
    """
    found = node.attributes
    trees, numbers = _whole(found["nodes_treeids"]), _whole(found["nodes_nodeids"])
    is_leaf = np.array([mode == b"LEAF" for mode in found["nodes_modes"]], bool)
    tree, known = np.unique(trees, return_inverse=True)[1], np.unique(numbers)
    key = tree * len(known) + np.searchsorted(known, numbers)
    order = np.argsort(key, kind="stable")
    below = np.full((len(numbers), 2), -1, np.int64)
    for side, name in enumerate(("nodes_truenodeids", "nodes_falsenodeids")):
        wanted = _whole(found[name])
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        keys = tree * len(known) + at
        place = order[np.minimum(np.searchsorted(key[order], keys), len(key) - 1)]
        there = ~is_leaf & (known[at] == wanted) & (key[place] == keys)
        below[there, side] = place[there]
    return below


def _listed(node: Node) -> Whole:
    """The same of TreeEnsemble 5, whose sets are one node whatever they have."""
    found = node.attributes
    sides = [
        np.where(_whole(found[f"nodes_{side}leafs"]) != 0, -1, _whole(found[f"nodes_{side}nodeids"]))
        for side in ("true", "false")
    ]
    below = np.stack(sides, axis=1)
    below[(below < 0) | (below >= len(below))] = -1
    return below


def _whole(numbers: Any) -> Whole:
    return np.asarray(numbers, np.int64)


def _deep(below: Whole) -> str:
    """From the nodes that stand below none down, a level at a time."""
    above = np.bincount(below[below >= 0], minlength=len(below))  # nodes that have not been met
    level, met, levels = np.flatnonzero(above == 0), 0, 0
    while len(level):
        met, levels = met + len(level), levels + 1
        if levels > DEEPEST:
            return f"its trees have more than {DEEPEST:,} nodes one below the other"
        children, times = np.unique(below[level], return_counts=True)
        children, times = children[children >= 0], times[children >= 0]
        above[children] -= times
        level = children[above[children] == 0]
    return "" if met == len(below) else "its trees run in circles"

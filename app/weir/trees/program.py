"""An ensemble as the arrays that the kernel reads: bit masks for trees of few leaves, nodes to walk for all of them.

By masks: every leaf of a tree has a bit, leaves being numbered from left to right. A node that sends a row right clears
the leaves of its left subtree, and the lowest bit that all nodes leave is the leaf that the row reaches. Done for many
rows at once this has no branches at all. A tree of more leaves than a word has bits takes several words; most nodes lie
deep, with few leaves to their left, and change one of them.
By walking: node by node, for several trees or rows at a time, so that the processor waits for none of them.

Source: Lucchese et al. 2015, QuickScorer; Ye et al. 2018, RapidScorer (vectors over rows).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.trees.ensemble import Ensemble, Floats, Ints, Unsupported

BITS: Final = 32  # of a word: as wide as the float32 that is compared, so that rows fill both registers alike
# Of a tree that goes by masks, whose cost is its leaves; that of walking is its depth. 40 balanced trees of 256 leaves
# take 0.8 and 0.9 us a row, of 512 leaves 1.4 and 1.5, and in batches of 8 rows the masks of 512 take longer than
# ONNX Runtime.
LEAVES_MAX: Final = 256
# Of such a tree's comparisons, one for each node and one for each member of its sets; a walk halves sets. Trees of 31
# leaves with 2,000 members in a fifth of the nodes take 15 us a row by masks and 5 by walking, 58 and 10 in batches of
# 8; with 400 members both take as long, and with 128 in every node (3,900) masks take less.
ASKED_MAX: Final = 3000
KINDS: Final = 4  # of nodes: comparison or set, NaN to the left or to the right; in this order within a word
NAN_RIGHT: Final = int(np.iinfo(np.int32).min)  # the bit of a walked node's feature that sends NaN to the right
GROWTH: Final = 4  # times as many nodes as there are, which trees with shared nodes may have once these are copied
DENSE_MAX: Final = 1 << 25  # leaves times sums


@dataclass(frozen=True, slots=True)
class Program:
    """What the kernel reads of a model, apart from the rows.

    columns: int32[used], the model's columns that any node asks; features are numbered by them.
    words: int32[trees + 1], where each tree's words begin; a tree that is walked for every row has none.
    starts: int32[words, 5], where the entries of each kind begin, and where the last ends. An entry is a node that
    clears leaves of a word: feature int32[n]; threshold float32[n]; mask uint32[n], the leaves that it leaves; of sets
    members[low : high], low, high int32[n], members float32.
    walked: int32[w, 4]: threshold's bits or a leaf's number, feature and NAN_RIGHT, left, right; a leaf leads to
    itself.
    roots: int32[trees], where walks begin. pairs: int32[trees + 1], where the sums begin that a tree adds to.
    pair_target, pair_table: int32[pairs]: the sum, and where its value for the tree's first leaf stands in table.
    table: float32. targets: sums.
    """

    columns: Ints
    words: Ints
    starts: Ints
    feature: Ints
    threshold: Floats
    mask: npt.NDArray[np.uint32]
    low: Ints
    high: Ints
    members: Floats
    walked: Ints
    roots: Ints
    pairs: Ints
    pair_target: Ints
    pair_table: Ints
    table: Floats
    targets: int

    @property
    def kinds(self) -> tuple[int, ...]:
        """Kinds of entries that there are."""
        return tuple(np.flatnonzero(np.diff(self.starts, axis=1).sum(axis=0)).tolist())


def compiled(ensemble: Ensemble) -> Program:
    """The program of an ensemble. Raises Unsupported."""
    columns, feature = np.unique(ensemble.feature, return_inverse=True)
    if len(columns) and columns[0] < 0:
        raise Unsupported("a node asks for a feature below 0")
    layout = _Layout(ensemble, feature.astype(np.int32))
    for root in ensemble.roots.tolist():
        layout.add(root)
    return layout.program(columns.astype(np.int32))


@dataclass(slots=True)
class _Nodes:
    """Nodes in columns: what they ask, and which leaves of their tree they clear, first to last - 1."""

    tree: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)


class _Layout:
    """Trees laid out one behind the other. Loops over nodes are here alone: once, when a model is opened."""

    def __init__(self, ensemble: Ensemble, feature: Ints) -> None:
        self._of = ensemble
        self._feature = feature.tolist()
        self._threshold: list[float] = ensemble.threshold.tolist()
        self._bits = ensemble.threshold.view(np.int32).tolist()
        self._is_set, self._nan_right = ensemble.is_set.tolist(), ensemble.nan_right.tolist()
        self._left, self._right = ensemble.left.tolist(), ensemble.right.tolist()
        starts = ensemble.member_start.tolist()
        self._member_lists = [ensemble.members[a:b].tolist() for a, b in pairwise(starts)]
        self._limit = GROWTH * (len(self._left) + ensemble.leaves + len(ensemble.members)) + 64
        self._nodes = _Nodes()
        self._members: list[float] = []
        self._walked: list[tuple[int, int, int, int]] = []
        self._roots: list[int] = []
        self._leaves: list[list[int]] = []  # of each tree, by their numbers in the ensemble

    def add(self, root: int) -> None:
        """The next tree. A node is met before its left subtree, between its two, and behind its right one."""
        nodes, leaves = self._nodes, list[int]()
        where: list[int] = []  # walked nodes of subtrees that are done, the last on top
        pending: list[tuple[int, int, list[float]]] = [(root, -1, [])]  # node, its entry once it has one, its members
        while pending:
            node, entry, members = pending.pop()
            if node < 0:
                where.append(self._walked_leaf(len(leaves)))
                leaves.append(~node)
            elif entry < 0:
                members, right, nan_right = self._question(node)
                pending += [(node, len(nodes.tree), members), (right, -1, []), (node, len(nodes.tree), members)]
                pending.append((self._left[node], -1, []))
                self._enter(node, members, nan_right, len(leaves))
            elif nodes.last[entry] < 0:
                nodes.last[entry] = len(leaves)
            else:
                at_right, at_left = where.pop(), where.pop()
                where.append(self._walked_node(node, members, bool(nodes.kind[entry] & 1), at_left, at_right))
            if len(nodes.tree) + len(self._walked) > self._limit:
                raise Unsupported("its trees share nodes too often, or run in circles")
        self._roots.append(where[0])
        self._leaves.append(leaves)

    def _enter(self, node: int, members: list[float], nan_right: bool, leaves: int) -> None:
        nodes = self._nodes
        nodes.tree.append(len(self._roots))
        nodes.kind.append(2 * self._is_set[node] + nan_right)
        nodes.feature.append(self._feature[node])
        nodes.threshold.append(self._threshold[node])
        nodes.first.append(leaves)
        nodes.last.append(-1)
        nodes.low.append(len(self._members))
        self._members += members
        nodes.high.append(len(self._members))

    def _question(self, node: int) -> tuple[list[float], int, bool]:
        """Members, right child and the side of NaN; of a chain of equalities that share their left child, of all."""
        members, right, nan_right = [*self._member_lists[node]], self._right[node], self._nan_right[node]
        links = 0
        while self._is_set[node] and right >= 0 and self._is_set[right] and self._chained(node, right):
            members += self._member_lists[right]
            nan_right = nan_right and self._nan_right[right]
            right = self._right[right]
            links += 1
            if links > len(self._left):
                raise Unsupported("its trees run in circles")
        kept = sorted({value + 0.0 for value in members if not math.isnan(value)})  # -0.0 + 0.0 is 0.0
        return kept, right, nan_right

    def _chained(self, node: int, other: int) -> bool:
        same = self._left[node] == self._left[other] and self._feature[node] == self._feature[other]
        return same and node != other

    def _walked_leaf(self, number: int) -> int:
        here = len(self._walked)
        self._walked.append((number, 0, here, here))
        return here

    def _walked_node(self, node: int, members: list[float], nan_right: bool, left: int, right: int) -> int:
        if not self._is_set[node]:
            return self._compare(node, self._bits[node], nan_right, left, right)
        return self._search(node, members, nan_right, left, right)

    def _compare(self, node: int, threshold: int, nan_right: bool, left: int, right: int) -> int:
        self._walked.append((threshold, self._feature[node] | (NAN_RIGHT if nan_right else 0), left, right))
        return len(self._walked) - 1

    def _search(self, node: int, members: Sequence[float], nan_right: bool, left: int, right: int) -> int:
        """A set as comparisons, which halve it until one member remains; NaN goes right until the last of them."""
        if not members:
            return right if nan_right else self._compare(node, _bits_of(np.inf), True, right, left)
        values = np.array(members, np.float32)
        with np.errstate(over="ignore"):  # below the least number is minus infinity
            below = np.nextafter(values, np.float32(-np.inf))
        at, before = values.view(np.int32).tolist(), below.view(np.int32).tolist()

        def among(first: int, last: int) -> int:
            if last - first > 1:
                half = (first + last) // 2
                return self._compare(node, at[half - 1], True, among(first, half), among(half, last))
            at_most = self._compare(node, at[first], nan_right, left, right)
            if members[first] == -math.inf:
                return at_most
            return self._compare(node, before[first], True, right, at_most)

        return among(0, len(members))

    def program(self, columns: Ints) -> Program:
        """Everything that was added."""
        counts = np.array([len(leaves) for leaves in self._leaves])
        words, starts, order, word, node = _entries(self._nodes, counts)
        first, last = (np.array(ends, np.int64)[node] - BITS * word for ends in (self._nodes.first, self._nodes.last))
        pairs, target, table_at, table = _tables(self._of, self._leaves)

        def taken(column: list[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
            return np.array(column, dtype)[node][order]

        return Program(
            columns=columns,
            words=words,
            starts=starts,
            feature=taken(self._nodes.feature, np.int32),
            threshold=taken(self._nodes.threshold, np.float32),
            mask=(~(_below(last) & ~_below(first)))[order],
            low=taken(self._nodes.low, np.int32),
            high=taken(self._nodes.high, np.int32),
            members=np.array(self._members, np.float32),
            walked=np.array(self._walked, np.int32).reshape(-1, 4),
            roots=np.array(self._roots, np.int32),
            pairs=pairs,
            pair_target=target,
            pair_table=table_at,
            table=table,
            targets=self._of.targets,
        )


def _entries(nodes: _Nodes, counts: npt.NDArray[np.int64]) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Which words nodes change: words and starts of Program, the order of entries, and of each its word and node.

    counts: leaves of each tree. The word is counted within its tree, and entries are in the order of nodes.
    """
    tree, kind = np.array(nodes.tree, np.int64), np.array(nodes.kind, np.int64)
    asked = np.bincount(tree, 1 + np.array(nodes.high, np.int64) - np.array(nodes.low, np.int64), len(counts))
    by_mask = (counts <= LEAVES_MAX) & (asked <= ASKED_MAX)
    words = np.concatenate([[0], np.cumsum(np.where(by_mask, -(-counts // BITS), 0))])
    first, last = np.array(nodes.first, np.int64) // BITS, (np.array(nodes.last, np.int64) - 1) // BITS
    spans = np.where(by_mask[tree], last - first + 1, 0) if len(tree) else np.zeros(0, np.int64)
    node = np.repeat(np.arange(len(tree)), spans)
    word = first[node] + np.arange(len(node)) - np.repeat(np.cumsum(spans) - spans, spans)
    group = (words[tree[node]] + word) * KINDS + kind[node]
    ends = np.searchsorted(np.sort(group), np.arange(int(words[-1]) * KINDS + 1)).astype(np.int32)
    starts = np.concatenate([ends[:-1].reshape(-1, KINDS), ends[KINDS::KINDS, None]], axis=1)
    order = np.argsort(group, kind="stable")
    return words.astype(np.int32), starts, order.astype(np.int32), word.astype(np.int32), node.astype(np.int32)


def _below(bit: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Words with all bits below one of them set; none for a bit of a word before, all for one of a word behind."""
    within = np.clip(bit, 0, BITS).astype(np.uint64)
    return ((np.uint64(1) << within) - np.uint64(1)).astype(np.uint32)


def _tables(ensemble: Ensemble, trees: Sequence[Sequence[int]]) -> tuple[Ints, Ints, Ints, Floats]:
    """Leaf values as Program has them: for each sum that a tree adds to, one value for each of its leaves."""
    key = ensemble.weight_leaf.astype(np.int64) * ensemble.targets + ensemble.weight_target
    if len(np.unique(key)) != len(key):
        raise Unsupported("a leaf adds twice to one sum")
    if ensemble.leaves * ensemble.targets > DENSE_MAX:
        raise Unsupported(f"it has {ensemble.leaves:,} leaves for {ensemble.targets:,} sums")
    dense = np.zeros((ensemble.leaves, ensemble.targets), np.float32)
    has = np.zeros((ensemble.leaves, ensemble.targets), bool)
    dense[ensemble.weight_leaf, ensemble.weight_target] = ensemble.weight
    has[ensemble.weight_leaf, ensemble.weight_target] = True
    starts: list[int] = [0]
    targets: list[int] = []
    at: list[int] = []
    values: list[Floats] = []
    used = 0
    for leaves in trees:
        for target in np.flatnonzero(has[leaves].any(axis=0)).tolist():
            targets.append(target)
            at.append(used)
            values.append(dense[leaves, target])
            used += len(leaves)
        starts.append(len(targets))
    table = np.concatenate([*values, np.zeros(1, np.float32)])  # the last one adds nothing: see engine
    return np.array(starts, np.int32), np.array(targets, np.int32), np.array(at, np.int32), table


def _bits_of(value: float | np.float32) -> int:
    return int(np.float32(value).view(np.int32))

"""Makes a bundle's reference from its baseline rows, and reads it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core import reference
from weir.core.beside import values_at
from weir.core.decide import decide
from weir.core.errors import Refused
from weir.core.grid import UNIT, Grid, GridKind, bins, grid_of
from weir.core.reference import LONGEST_WORD, MOST_WORDS, About, Numbers, Reference, Words
from weir.core.signature import Dtype, Input, Signature, Source, Task
from weir.edges.bundles import rows
from weir.edges.bundles.folder import REBUILD, REFERENCE

Floats = npt.NDArray[np.floating]


def of(baseline: pa.Table, signature: Signature) -> Reference:
    """How n baseline rows are distributed. Raises ValueError as rows.matrix does."""
    matrix, tables = rows.matrix(baseline, signature), rows.tables(baseline, signature)
    features: dict[str, Numbers] = {}
    categories: dict[str, Words] = {}
    for column, item in enumerate(signature.inputs):
        values = matrix[:, column]
        if item.dtype is Dtype.CATEGORY:
            categories[item.name] = _of_codes(values, item.categories)
        elif item.dtype is Dtype.STRING:
            there = ~np.isnan(values)
            categories[item.name] = of_words(values_at(values[there], tables[column]).tolist(), int((~there).sum()))
        else:
            exact = values_at(values, tables[column]) if column in tables else values
            known = np.where(np.isnan(values), np.nan, exact)
            features[item.name] = of_numbers(known, grid_of(known.astype(np.float64)))
    outputs = rows.scores(baseline, signature)
    decided = decide(signature, outputs)
    score_grid = _score_grid(decided.score, signature)
    counts = np.bincount(decided.index, minlength=len(signature.decisions)).tolist()
    words = {word: count for word, count in zip(signature.decisions, counts, strict=True) if word and count}
    return Reference(
        n=len(matrix),
        features=features,
        categories=categories,
        score=of_numbers(decided.score, score_grid),
        classes={
            name: of_numbers(outputs[:, at], _score_grid(outputs, signature))
            for at, name in enumerate(signature.outputs)
        },
        decisions=Words(words),
        inputs={item.name: _about(item) for item in signature.inputs},
    )


def read(path: Path, signature: Signature) -> str:
    """The text of a bundle's reference.json, which has the signature's inputs. Raises Refused."""
    where = path / REFERENCE
    try:
        text = where.read_bytes().decode()
        found = reference.load(text)
    except ValueError as error:
        raise Refused(f"{REFERENCE} is not understood: {error}", where=str(path), remedy=REBUILD) from error
    words = {item.name for item in signature.inputs if item.dtype in (Dtype.CATEGORY, Dtype.STRING)}
    wanted = set(signature.names) - words, words, set(signature.outputs)
    known = set(found.features), set(found.categories), set(found.classes)
    if known != wanted or not found.inputs.keys() <= set(signature.names):
        raise Refused(f"{REFERENCE} is of other inputs or classes", where=str(path), remedy=REBUILD)
    return text


def of_numbers(values: Floats, grid: Grid) -> Numbers:
    """Counts of n values, NaN for none, on a grid.

    >>> of_numbers(np.array([0.25, 0.25, np.nan]), UNIT).bins
    {250: 2, 32767: 1}
    """
    found, counts = np.unique(bins(values, grid), return_counts=True)
    finite = values[np.isfinite(values)].astype(np.float64)
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        total = float(np.clip(finite.sum(), -largest, largest))
    if grid.kind is GridKind.UNIT and len(finite):
        grid = Grid(GridKind.UNIT, lo=float(finite.min()), hi=float(finite.max()))
    return Numbers(grid, dict(zip(found.tolist(), counts.tolist(), strict=True)), total)


def of_words(words: Sequence[str], missing: int) -> Words:
    """Counts of words by name, where they tell something; of a text that is new every other time they do not.

    >>> of_words(["a", "b", "a", "a"], 1)
    Words(words={'a': 3, 'b': 1}, rest=0, missing=1, whole=True)
    >>> of_words(["this is", "free text"], 0)
    Words(words={}, rest=2, missing=0, whole=False)
    """
    counted = Counter(words)
    if sum(count == 1 for count in counted.values()) > len(words) / 2:
        return Words({}, len(words), missing, whole=False)
    named = [(word, count) for word, count in counted.items() if len(word.encode()) <= LONGEST_WORD]
    kept = dict(sorted(named, key=lambda pair: (-pair[1], pair[0]))[:MOST_WORDS])
    return Words(kept, len(words) - sum(kept.values()), missing, whole=len(kept) == len(counted))


def weighed(found: Reference, importances: Mapping[str, float]) -> Reference:
    """The same with how important each input is."""
    names = found.inputs.keys() | importances.keys()
    about = {name: replace(found.inputs.get(name, About()), importance=importances.get(name)) for name in names}
    return replace(found, inputs=about)


def _about(item: Input) -> About:
    view = item.ref.partition("__")[0] if item.source is Source.FEATURE else ""
    return About(view=view, cycle=str(item.cycle))


def _of_codes(codes: Floats, categories: Sequence[str]) -> Words:
    """The same of codes, whose words are known before: none of them is free text."""
    there = (codes >= 0) & (codes < len(categories))
    counts = np.bincount(codes[there].astype(np.int64), minlength=len(categories))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], code))
    named = [code for code in order if len(categories[code].encode()) <= LONGEST_WORD][:MOST_WORDS]
    kept = {categories[code]: int(counts[code]) for code in named}
    rest = int(there.sum()) - sum(kept.values())
    return Words(kept, rest, int((~there).sum()), whole=len(named) == len(order))


def _score_grid(scores: Floats, signature: Signature) -> Grid:
    """Probabilities have the unit grid; scores of a regression, and of a model that gives others, one of their own."""
    finite = scores[np.isfinite(scores)]
    if signature.task is not Task.REGRESSION and len(finite) and finite.min() >= 0 and finite.max() <= 1:
        return UNIT
    return grid_of(scores.reshape(-1).astype(np.float64))

"""Which of the signature's columns each of a model's inputs takes, where it has several or takes text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx
from onnx import TensorProto

from weir.core.errors import Refused
from weir.core.signature import Dtype, Signature
from weir.edges.bundles import words


def dealt(inputs: Sequence[onnx.ValueInfoProto], signature: Signature) -> list[list[int]]:
    """For each of the model's inputs the columns that it takes, by their place in the signature.

    An input of one column takes that of its name. Of the others, as exporters make them for a pipeline (all texts in
    one, all numbers in another), those of text take categories, in the signature's order, and those of numbers the
    rest. Every column is taken once. Raises Refused with both lists.
    """
    names = ", ".join(map(_said, inputs))
    lists = f"the model takes [{names}], the signature has [{words.listed_names(signature.names)}]"
    found, left = _by_name(inputs, signature)
    wide = [i for i in range(len(inputs)) if i not in found]
    if len(inputs) > 1 and any(width(inputs[i]) == 1 for i in wide):
        raise Refused(lists, remedy="name the inputs as the model does, one for each of its inputs")
    texts = [i for i in wide if takes_text(inputs[i])]
    words_left = [at for at in left if texts and signature.inputs[at].dtype in (Dtype.CATEGORY, Dtype.STRING)]
    groups = {
        "categories": (texts, words_left),
        "numbers": ([i for i in wide if i not in texts], [at for at in left if at not in words_left]),
    }
    for kind, (takers, taken) in groups.items():
        counts = sizes([width(inputs[i]) for i in takers], len(taken))
        if sum(counts) != len(taken):
            wanted = ", ".join(_said(inputs[i]) for i in takers) or "none"
            left_for = "input is" if len(taken) == 1 else "inputs are"
            raise Refused(
                f"{len(taken)} {left_for} left for the model's {kind}, which are {wanted}: {lists}",
                remedy="give an input for each of the model's columns, of dtype category or string where it takes text",
            )
        waiting = iter(taken)
        found |= {i: [next(waiting) for _ in range(size)] for i, size in zip(takers, counts, strict=True)}
    return [found[i] for i in range(len(inputs))]


def shape(value: onnx.ValueInfoProto) -> list[int | None]:
    """Of a model's input or output; None where a dimension is free."""
    return [dim.dim_value or None for dim in value.type.tensor_type.shape.dim]


def width(value: onnx.ValueInfoProto) -> int | None:
    """Columns of a model's input; None where the file does not say. Raises Refused for what has no columns."""
    found = shape(value)
    if len(found) > 2:
        what = f"the model's input {value.name} is {found}, not one value a row and column"
        raise Refused(what, remedy="export it with one input [n, k], or with inputs [n, 1]")
    return found[1] if len(found) == 2 else 1


def takes_text(value: onnx.ValueInfoProto) -> bool:
    """Whether a model's input is of texts."""
    return bool(value.type.tensor_type.elem_type == TensorProto.STRING)


def _by_name(inputs: Sequence[onnx.ValueInfoProto], signature: Signature) -> tuple[dict[int, list[int]], list[int]]:
    """Inputs of one column and what each takes, by its name; and the columns that are left."""
    own = {item.name: at for at, item in enumerate(signature.inputs)}
    known = {words.plain(name): at for name, at in own.items()}
    for at, item in enumerate(signature.inputs):
        for name in words.names_of(item):
            known.setdefault(name, at)
    found, used = {}, set()
    for i, value in enumerate(inputs):
        named = own.get(value.name, known.get(words.plain(value.name), -1))
        if named >= 0 and named not in used and width(value) in (1, None):
            found[i] = [named]
            used.add(named)
    return found, [at for at in range(len(signature.inputs)) if at not in used]


def sizes(widths: Iterable[int | None], columns: int) -> list[int]:
    """How many of so many columns inputs take: their widths, the last of those that are not said being what is left.

    >>> sizes([2, None, 1], 5)
    [2, 2, 1]
    """
    found = list(widths)
    known = sum(size or 0 for size in found)
    unsaid = [i for i, size in enumerate(found) if size is None]
    return [(columns - known if i == unsaid[-1] else 0) if size is None else size for i, size in enumerate(found)]


def _said(value: onnx.ValueInfoProto) -> str:
    """Its name, and its shape where it is not one column."""
    return str(value.name) if width(value) in (1, None) else f"{value.name} [n, {width(value)}]"

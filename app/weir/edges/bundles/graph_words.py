"""What an ONNX graph says of the columns that it was trained on, wherever an exporter may have put it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import onnx
from onnx import TensorProto, numpy_helper

from weir.edges.bundles import words
from weir.edges.bundles.words import Words

ENCODERS: Final = ("OneHotEncoder", "LabelEncoder", "CategoryMapper")
WORDS_OF_ENCODERS: Final = ("cats_strings", "keys_strings")
VOCABULARY: Final = "vocabulary"  # of what counts the words of a text


def words_of(model: onnx.ModelProto) -> tuple[Words, ...]:
    """From the model's and the graph's properties, from texts at nodes, and from tensors of text."""
    properties = [*model.metadata_props, *getattr(model.graph, "metadata_props", ())]
    found = list(words.of_metadata({entry.key: entry.value for entry in properties}))
    for name, names in _texts(model.graph):
        if words.NAMES.match(name) and names:
            found.append(Words(features=tuple(names)))
    return tuple(found)


def encoded(model: onnx.ModelProto) -> list[tuple[str, ...]]:
    """The words that each encoder of texts was trained on, as pipelines have one for each column."""
    found = []
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type in ENCODERS and attribute.name in WORDS_OF_ENCODERS and attribute.strings:
                found.append(tuple(map(_text, attribute.strings)))
            elif node.op_type in ENCODERS and attribute.name == "keys_tensor":
                found.append(tuple(_tensor(attribute.t)) if attribute.t.data_type == TensorProto.STRING else ())
    return list(dict.fromkeys(words for words in found if words))


def known(model: onnx.ModelProto) -> Iterator[tuple[str, ...]]:
    """Every list of words that a node takes texts for, in graph order: of encoders, and of what cuts texts."""
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in (*WORDS_OF_ENCODERS, VOCABULARY) and attribute.strings:
                yield tuple(map(_text, attribute.strings))


def _texts(graph: onnx.GraphProto) -> Iterator[tuple[str, list[str]]]:
    """Lists of text, with their names."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.strings:
                yield attribute.name, [_text(value) for value in attribute.strings]
            elif attribute.name == "value" and attribute.t.data_type == TensorProto.STRING:
                yield node.output[0], _tensor(attribute.t)
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.STRING:
            yield tensor.name, _tensor(tensor)


def _tensor(tensor: onnx.TensorProto) -> list[str]:
    return [_text(value) for value in numpy_helper.to_array(tensor).reshape(-1).tolist()]


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")

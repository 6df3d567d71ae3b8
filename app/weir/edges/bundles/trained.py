"""A trained model's file, looked into before anybody has described it. For training machines: `onnx` is needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto
from typing_extensions import override

from weir.core.beside import Tables
from weir.core.errors import Refused
from weir.core.signature import Signature, Task
from weir.edges.bundles import adapt, checks, graph_words, input_columns, lightgbm_onnx, model_file, text, words
from weir.edges.bundles.adapt import Given
from weir.edges.bundles.checks import Floats
from weir.edges.bundles.graph import FLOATS
from weir.edges.bundles.onnx_model import Direct
from weir.edges.bundles.onnx_session import quick_session

MODELS: Final = "give an ONNX file (.onnx) or a LightGBM text model (.txt)"
CUTTERS: Final = ("Tokenizer", "TfIdfVectorizer", "StringSplit")  # nodes that make words of a text
ONE_TEXT: Final = ("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "StringNormalizer")
ONNX_RUNTIME: Final = "the exported model gave in ONNX Runtime"
OBJECTIVES: Final = {"binary": Task.BINARY, "multiclass": Task.MULTICLASS, "multiclassova": Task.MULTICLASS}


@dataclass(frozen=True, slots=True)
class Taken:
    """One of a model's inputs. columns: how many; None where the file does not say.

    kind: the type of its tensor, as onnx.TensorProto has it. cut: it is one text, which the model cuts into words
    itself.
    """

    name: str
    columns: int | None
    kind: int = TensorProto.FLOAT
    cut: bool = False

    @property
    def text(self) -> bool:
        """Whether its values are texts."""
        return self.kind == TensorProto.STRING

    @property
    def floats(self) -> bool:
        """Whether its values are numbers that may be NaN."""
        return self.kind in FLOATS


class Trained(ABC):
    """A model's file. inputs: what it takes. said: what it says of its columns. known: lists of words that it knows.

    file: how it is called in a service's folder, and its content, all in one. scorer: who gives its scores, in words.
    """

    inputs: tuple[Taken, ...]
    said: words.Words
    known: tuple[tuple[str, ...], ...]
    file: tuple[str, bytes]
    scorer: str

    @abstractmethod
    def given(self, signature: Signature, output: str) -> Given:
        """What it gives, asked by a signature's inputs. output: the one that is meant, or "". Raises Refused."""

    @abstractmethod
    def scores(self, signature: Signature, output: str, rows: Floats, tables: Tables) -> Floats:
        """float32[n, m] for float32[n, k] and tables as Model.run takes them. Raises Refused."""


def read(path: Path) -> Trained:
    """The model of a file, by its suffix. Raises Refused for another one, or a broken one."""
    with reading(path):
        return LightgbmFile(path) if is_lightgbm(path) else OnnxFile(path)


def is_lightgbm(path: Path) -> bool:
    """Whether a model's file is LightGBM's text rather than ONNX, by its suffix. Raises Refused for another one."""
    if path.suffix not in (".onnx", ".txt"):
        what = f"{path.name} is neither ONNX nor LightGBM text, and no pickle is ever loaded"
        raise Refused(what, where=str(path), remedy=MODELS)
    return path.suffix == ".txt"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a model's file makes a library raise is a Refused that names the file."""
    try:
        yield
    except Refused as refusal:
        remedy = refusal.mend if isinstance(refusal, checks.Unfit) else refusal.remedy
        raise Refused(refusal.what, where=str(path), remedy=remedy) from refusal
    except ModuleNotFoundError:  # an extra that is absent: nothing of this file
        raise
    except (ValueError, onnx.checker.ValidationError) as error:
        what = f"the model cannot be used: {text.explain(error)}"
        raise Refused(what, where=str(path), remedy=MODELS) from error
    except Exception as error:  # protobuf's DecodeError lives at a place that differs between its backends
        what = f"the model is not what its name says: {text.explain(error)}"
        raise Refused(what, where=str(path), remedy=MODELS) from error


class OnnxFile(Trained):
    """A model in ONNX; ONNX Runtime gives its scores."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._model, _ = model_file.read(path)
        constants = {tensor.name for tensor in self._model.graph.initializer}
        self.inputs: tuple[Taken, ...] = tuple(
            _taken(value, self._model.graph) for value in self._model.graph.input if value.name not in constants
        )
        found = graph_words.words_of(self._model)
        features = next((one.features for one in found if one.named), None)
        categories = next((one.categories for one in found if one.categories is not None), None)
        self.said = words.Words(features, categories)
        self.known = tuple(graph_words.known(self._model))
        self.file: tuple[str, bytes] = ("model.onnx", self._model.SerializeToString())
        self.scorer = ONNX_RUNTIME

    @override
    def given(self, signature: Signature, output: str) -> Given:
        with reading(self._path):
            return adapt.look(self._model, signature, adapt.Choice(output=output))

    @override
    def scores(self, signature: Signature, output: str, rows: Floats, tables: Tables) -> Floats:
        with reading(self._path):
            made = adapt.adapted(self._model, signature, adapt.Choice(output=output))
            return Direct(quick_session(made.model.SerializeToString())).run(rows, tables)


class LightgbmFile(Trained):
    """A model in LightGBM's text; LightGBM itself gives its scores."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._booster = lightgbm_onnx.read(path)
        self.inputs: tuple[Taken, ...] = (Taken("x", self._booster.num_feature()),)
        said = words.Words(tuple(self._booster.feature_name()), words.levels(self._booster.pandas_categorical))
        self.said = said if said.named else words.Words(None, said.categories)
        self.known: tuple[tuple[str, ...], ...] = ()
        self.file: tuple[str, bytes] = ("model.txt", path.read_bytes())
        self.scorer = "LightGBM itself gave"

    @override
    def given(self, signature: Signature, output: str) -> Given:
        """Its objective says the task. Raises Refused where an output is named: it has only one."""
        if output:
            raise Refused("a LightGBM text model has one output", where=str(self._path), remedy="leave --output out")
        objective = str(self._booster.dump_model(num_iteration=1).get("objective", "")).partition(" ")[0]
        return Given("", self._booster.num_model_per_iteration(), task=OBJECTIVES.get(objective, Task.REGRESSION))

    @override
    def scores(self, signature: Signature, output: str, rows: Floats, tables: Tables) -> Floats:
        with reading(self._path):
            return lightgbm_onnx.predicted(self._booster, rows).astype(np.float32)


def _taken(value: onnx.ValueInfoProto, graph: onnx.GraphProto) -> Taken:
    width, text = input_columns.width(value), input_columns.takes_text(value)
    cut = text and width == 1 and _is_cut(value.name, graph)
    return Taken(value.name, width, value.type.tensor_type.elem_type, cut=cut)


def _is_cut(name: str, graph: onnx.GraphProto) -> bool:
    """Whether a text is cut into words, by a node that reads it or what was made of it as text."""
    made = {name}
    for node in graph.node:  # in ONNX a node stands behind those that it reads
        if made & set(node.input):
            if node.op_type in CUTTERS:
                return True
            if node.op_type in ONE_TEXT:
                made |= set(node.output)
    return False

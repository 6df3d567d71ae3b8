"""Reads an ONNX file as an exporter wrote it, with the data that it keeps in files beside it.

A path in such a file may come from anywhere: only plain files in the model's own folder are read, and no more of them
than a stored model can hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from weir.core.errors import Refused, shortened
from weir.edges.bundles.onnx_session import quick_session

MODEL_MAX: Final = (1 << 31) - 1  # bytes; protobuf's own bound, and a bundle's model is one file
OLD_IR, OLD_OPSET = 8, 13  # that every ONNX Runtime reads
DOMAINS: Final = ("", "ai.onnx.ml")  # whose versions ONNX Runtime holds against those that it knows
AGAIN: Final = "export it again, all of it into one folder"


def read(path: Path) -> tuple[onnx.ModelProto, list[str]]:
    """A model with all its data in it, and what was changed, in words.

    A file format (IR) that is newer than ONNX Runtime reads, and known here, is marked as the newest that it does:
    formats add what few models use, and golden rows tell. Operators (opset) are not: they may have another meaning.
    Raises Refused for a file that is too large, that reads files elsewhere, or is newer than that.
    """
    if (size := path.stat().st_size) > MODEL_MAX:
        raise Refused(f"the model has {size} bytes, more than {MODEL_MAX}", remedy="export a smaller one")
    model = onnx.ModelProto.FromString(path.read_bytes())
    room = MODEL_MAX - size
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            room -= _fetch(tensor, path.parent, room)
    _check_opsets(model)
    return model, _known_format(model)


def _fetch(tensor: onnx.TensorProto, folder: Path, room: int) -> int:
    """Put a tensor's data into it; their bytes. room: how many there may be. Raises Refused."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    said = shortened(location)
    path = folder / location
    if not location or not path.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"the model's data are in {said!r}, which is not in its own folder", remedy=AGAIN)
    if not path.is_file():
        remedy = f"put {said}, which its exporter wrote too, beside the .onnx file under that name"
        raise Refused(f"the model's data are in {said}, which is not there", remedy=remedy)
    there = path.stat().st_size
    try:
        start = int(entries.get("offset", 0))
        length = int(entries.get("length", there - start))
    except ValueError:
        start = length = -1
    if not 0 <= start <= start + length <= there:
        raise Refused(f"{said} has {there} bytes, and tensor {tensor.name} lies past its end", remedy=AGAIN)
    if length > room:
        what = f"the model and its data have more than {MODEL_MAX} bytes"
        raise Refused(what, remedy="export a smaller one, such as in float16")
    with path.open("rb") as file:
        file.seek(start)
        tensor.raw_data = file.read(length)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
    return length


def _check_opsets(model: onnx.ModelProto) -> None:
    """Raises Refused naming the versions where ONNX Runtime does not know the model's operators."""
    for entry in model.opset_import:
        domain = "" if entry.domain == "ai.onnx" else entry.domain
        if domain not in DOMAINS or _reads(domain=domain, opset=entry.version):
            continue
        known = 1
        while _reads(domain=domain, opset=known + 1):
            known += 1
        of = f" of {domain}" if domain else ""
        raise Refused(
            f"the model cannot be run: it has opset {entry.version}{of}, and ONNX Runtime {ort.__version__} reads up "
            f"to {known}",
            remedy=f"export it with opset {known} or an older one (`target_opset`, `opset_version`), or install an "
            "ONNX Runtime that knows it, here and where it is served",
        )


def _known_format(model: onnx.ModelProto) -> list[str]:
    if _reads(ir=model.ir_version):
        return []
    known = OLD_IR
    while _reads(ir=known + 1):
        known += 1
    if model.ir_version > onnx.IR_VERSION:  # fields that are not known here would be lost
        raise Refused(
            f"the model cannot be run: it has IR version {model.ir_version}, and ONNX Runtime {ort.__version__} reads "
            f"up to {known}",
            remedy=f"set `model.ir_version = {known}` before it is saved, or export it with an older onnx package",
        )
    was, model.ir_version = model.ir_version, known
    return [f"IR version {was} written as {known}, the newest that ONNX Runtime {ort.__version__} reads"]


def _reads(ir: int = OLD_IR, domain: str = "", opset: int = OLD_OPSET) -> bool:
    """Whether ONNX Runtime opens a model of these versions that does nothing."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "nothing", [value], [given])
    opsets = {"": OLD_OPSET, domain: opset}
    imports = [helper.make_opsetid(name, version) for name, version in opsets.items()]
    try:
        quick_session(helper.make_model(graph, ir_version=ir, opset_imports=imports).SerializeToString())
    except Exception:  # ONNX Runtime's errors share no base class of their own
        return False
    return True


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every constant, in inner graphs and functions too."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                yield from _of_graph(graph)

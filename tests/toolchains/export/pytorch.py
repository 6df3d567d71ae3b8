"""PyTorch by both of its exporters: dense networks, one with embeddings, and one exported for batches of four."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import data
import numpy as np
import onnx
import torch
from cases import Case
from torch import nn

ROWS = 300  # of each data set: what is written is kept in the repository
EXPORTERS = ("dynamo", "torchscript")


class Network(nn.Module):
    """Standardised numbers through two layers, with what behaves otherwise in training; float32[n, m]."""

    def __init__(self, matrix: np.ndarray, outputs: int, last: nn.Module) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(matrix.mean(axis=0)))
        self.register_buffer("spread", torch.tensor(matrix.std(axis=0) + 1e-3))
        self.layers = nn.Sequential(
            nn.Linear(matrix.shape[1], 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, outputs)
        )
        self.last = last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers((x - self.mean) / self.spread))


class Embedding(nn.Module):
    """Codes of categories in one input and numbers in another; float32[n]."""

    def __init__(self, sizes: list[int], numbers: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 3) for size in sizes)
        self.layers = nn.Sequential(nn.Linear(3 * len(sizes) + numbers, 12), nn.GELU(), nn.Linear(12, 1))

    def forward(self, codes: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        parts = [table(codes[:, i]) for i, table in enumerate(self.tables)]
        return torch.sigmoid(self.layers(torch.cat([*parts, numbers], dim=1))).squeeze(1)


def cases() -> Iterator[Case]:
    """Two classes, seven, and a number by either exporter, and what only the newer one was tried with."""
    torch.manual_seed(1)
    logging.disable(logging.WARNING)  # the exporter tells of every package that it could support
    phishing, segments, flow, flares = map(_some, (data.phishing(), data.segments(), data.flow(), data.flares()))
    trained = {
        "binary": (phishing, _trained(Network(phishing.matrix, 1, nn.Sigmoid()), phishing)),
        "many": (segments, _trained(Network(segments.matrix, len(segments.classes), nn.Softmax(dim=1)), segments)),
        "regression": (flow, _trained(Network(flow.matrix, 1, nn.Identity()), flow)),
    }
    for task, (rows, model) in trained.items():
        for exporter in EXPORTERS:
            yield _case(f"torch-{task}-{exporter}", f"network, {task}, {exporter}", rows, model, {"x": rows.matrix})
    yield _case(
        "torch-four-rows", "network, batch of 4", phishing, trained["binary"][1], {"x": phishing.matrix}, size=4
    )
    codes = np.column_stack(
        [
            np.array([item.categories.index(value) for value in flares.columns[item.name]])
            for item in flares.inputs
            if item.categories
        ]
    )
    model = _trained(Embedding([len(item.categories) for item in flares.inputs if item.categories], 7), flares, codes)
    yield _case("torch-embedding", "embeddings", flares, model, {"codes": codes, "numbers": flares.matrix})


def _some(rows: data.Rows) -> data.Rows:
    """ROWS of them, spread over all."""
    at = np.linspace(0, len(rows.label) - 1, ROWS).astype(int)
    columns = {name: values[at] for name, values in rows.columns.items()}
    return data.Rows(rows.task, rows.inputs, columns, rows.label[at], rows.classes)


def _trained(model: nn.Module, rows: data.Rows, *first: np.ndarray) -> nn.Module:
    """Trained on the rows, and in the mode of serving."""
    given = [torch.tensor(part) for part in (*first, rows.matrix)]
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(80):
        optimizer.zero_grad()
        scores = model(*given)
        if rows.task == "regression":
            loss = nn.functional.mse_loss(scores[:, 0], torch.tensor(rows.label, dtype=torch.float32))
        elif rows.task == "binary":
            loss = nn.functional.binary_cross_entropy(scores.reshape(-1), torch.tensor(rows.codes).float())
        else:
            loss = nn.functional.nll_loss(torch.log(scores), torch.tensor(rows.codes))
        loss.backward()
        optimizer.step()
    return model.eval()


def _case(
    name: str, kind: str, rows: data.Rows, model: nn.Module, given: Mapping[str, np.ndarray], size: int | None = None
) -> Case:
    tensors = tuple(torch.tensor(values) for values in given.values())
    with torch.no_grad():
        scores = model(*tensors).numpy()
    example = tuple(tensor[: size or 2] for tensor in tensors)

    def write(folder: Path) -> None:
        free: dict[str, Any] = {}
        if size is None and "torchscript" in name:
            free = {"dynamic_axes": {name: {0: "n"} for name in (*given, "score")}}
        elif size is None:
            free = {"dynamic_shapes": tuple({0: torch.export.Dim("n")} for _ in given)}
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(
                model,
                example,
                folder / "model.onnx",
                input_names=list(given),
                output_names=["score"],
                dynamo="torchscript" not in name,
                **free,
            )
        _forget_paths(folder / "model.onnx")

    return Case(name=name, toolchain=f"PyTorch {torch.__version__}", kind=kind, rows=rows, scores=scores, write=write)


def _forget_paths(path: Path) -> None:
    """Drop stack traces, which name this machine's folders: what is written is kept in the repository."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if not entry.key.endswith("stack_trace")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    path.write_bytes(model.SerializeToString())

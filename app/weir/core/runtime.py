"""What a score may depend on beside the model and its inputs: versions, provider, options, processor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What a bundle was built, and its golden rows proved, with; empty where that is not known.

    lock: sha256 of the name and version of everything installed that Weir requires, hex: what a lock pins.
    """

    python: str = ""
    onnxruntime: str = ""
    numpy: str = ""
    lock: str = ""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What a worker scores with. Two workers of one runtime give the same bits for the same rows.

    provider: execution provider of ONNX Runtime. engine: what scores, ONNX Runtime or the kernel for trees with the
    number of its arithmetic. threads: within an operator. block_rows: of which the model gets whole multiples, padded;
    1: a batch as it is. optimization: level of graph optimisation. machine: of the processor, and cpu: those of its
    features by which numeric libraries choose their kernels, sorted.
    """

    python: str
    onnxruntime: str
    numpy: str
    provider: str
    engine: str
    threads: int
    block_rows: int
    optimization: str
    machine: str
    cpu: tuple[str, ...]

    @property
    def text(self) -> str:
        """As JSON, the same text for the same runtime."""
        return json.dumps(asdict(self), sort_keys=True)

    @cached_property
    def id(self) -> str:
        """First 12 hex characters of the sha256 of `text`: a label, as batches carry it."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def release(version: str) -> str:
    """Major and minor number of a version.

    >>> release("1.22.3")
    '1.22'
    """
    return ".".join(version.split(".")[:2])


def other_release(built: Versions, here: Versions) -> str:
    """What a person should know where ONNX Runtime here is of another release; empty where it is not, or none is known.

    Only this library computes scores. Patches of a release mend it; a release may bring other kernels, with other bits.

    >>> other_release(Versions(onnxruntime="1.21.0"), Versions(onnxruntime="1.22.1"))
    'it was built with ONNX Runtime 1.21.0, here is 1.22.1'
    """
    if not built.onnxruntime or release(built.onnxruntime) == release(here.onnxruntime):
        return ""
    return f"it was built with ONNX Runtime {built.onnxruntime}, here is {here.onnxruntime}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Entries of two runtimes, as in `Runtime.text`, that are not the same.

    >>> differences({"numpy": "2.1", "threads": 1}, {"numpy": "2.2", "threads": 1})
    ['numpy 2.1, here 2.2']
    """
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name} {_said(before.get(name))}, here {_said(after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

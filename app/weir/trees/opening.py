"""An ONNX file as a model of trees, or why the kernel does not take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weir.trees import onnx_file
from weir.trees.ensemble import Unsupported
from weir.trees.graph import plan

if TYPE_CHECKING:
    from weir.trees.engine import Trees


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A model that the kernel does not score. reason: why, as a clause that follows "since"."""

    reason: str


def opened(content: bytes, width: int, processor: str = "") -> Trees | NotTaken:
    """The trees of an ONNX file. width: columns of its input. processor: see target."""
    try:
        planned = plan(onnx_file.read(content), width)
        from weir.trees.engine import Trees  # noqa: PLC0415 - LLVM, 40 MB, for trees alone

        return Trees(planned, width, processor)
    except Unsupported as unsupported:
        return NotTaken(str(unsupported))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        # a file that breaks ONNX's own rules, or is nested very deep
        return NotTaken(f"it cannot be read as a tree ensemble: {error!r}")
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        # no wheel for this platform, a release without what is called, or none of its processors
        return NotTaken(f"LLVM, which compiles the kernel, cannot be used here: {error}")

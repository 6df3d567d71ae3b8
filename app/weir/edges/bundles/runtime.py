"""What is installed here, and whether a bundle may be served with it."""

from __future__ import annotations

import hashlib
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import numpy as np
import onnxruntime as ort
import structlog

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.runtime import Runtime, Versions, other_release
from weir.edges.bundles.onnx_model import Model

# Features of a processor by which ONNX Runtime and NumPy choose kernels, as Linux names them.
CPU_FEATURES: Final = frozenset(
    (
        *("sse4_1", "sse4_2", "avx", "avx2", "f16c", "fma", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"),
        *("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16"),
        *("asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2"),
    )
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def versions() -> Versions:
    """What is installed here."""
    return Versions(
        python=platform.python_version(),
        onnxruntime=str(ort.__version__),
        numpy=np.__version__,
        lock=_lock("weir"),
    )


def of(model: Model) -> Runtime:
    """What an open model is run with."""
    return Runtime(
        python=platform.python_version(),
        onnxruntime=str(ort.__version__),
        numpy=np.__version__,
        provider=model.placement.provider,
        engine=model.engine,
        threads=model.threads,
        block_rows=model.block_rows,
        optimization=model.optimization,
        machine=platform.machine(),
        cpu=_cpu(Path("/proc/cpuinfo")),
    )


def other_than_built(bundle: Bundle) -> str:
    """What a person should know where ONNX Runtime here is of another release than the bundle's; else empty."""
    return other_release(bundle.built_with, Versions(onnxruntime=str(ort.__version__)))


def hold(bundle: Bundle, policy: Literal["warn", "refuse"]) -> None:
    """Say, or refuse, that the bundle was built with another release of ONNX Runtime. Raises Refused."""
    said = other_than_built(bundle)
    if not said:
        return
    if policy == "refuse":
        raise Refused(
            f"bundle {bundle.name} {bundle.version} ({bundle.short_digest}) may give other bits here: {said}",
            remedy="install that version, build the bundle again with this one, or set WEIR_RUNTIME_POLICY=warn",
        )
    structlog.get_logger(__name__).warning(
        f"scores may differ in their last bits: {said}", bundle=bundle.name, digest=bundle.short_digest
    )


def _lock(root: str) -> str:
    """sha256 over "name==version" of a distribution and of all that it requires, as installed; extras left out."""
    found: dict[str, str] = {}
    pending = [root]
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # not needed on this platform
            continue
        found[name] = distribution.version
        required = [text for text in distribution.requires or () if "extra ==" not in text]
        pending += [match[0] for text in required if (match := _NAME.match(text))]
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))
    return hashlib.sha256(lines.encode()).hexdigest() if found else ""


def _cpu(path: Path) -> tuple[str, ...]:
    """The processor's features that matter, as Linux tells them; none elsewhere."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
    told = next((line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features"))), "")
    return tuple(sorted(CPU_FEATURES & set(told.split())))

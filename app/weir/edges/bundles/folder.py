"""Bundles on disk: find one, see that it is what its name says, read what it says of itself.

A bundle is an immutable folder, named by the digest of its content. Nothing in it is executed but an ONNX graph: a
folder that holds anything else is refused before anything in it is opened.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from weir import project
from weir.core.bundle import Bundle
from weir.core.errors import Refused, shortened
from weir.core.topics import SERVICE
from weir.edges.bundles import manifest, text
from weir.settings import BUNDLE_MARK, Settings

MODEL, MANIFEST, BASELINE, GOLDEN, CARD = "model.onnx", BUNDLE_MARK, "baseline.parquet", "golden.parquet", "card.md"
REFERENCE = "reference.json"
FILES = (BASELINE, MANIFEST, CARD, GOLDEN, MODEL, REFERENCE)
REBUILD = "build the bundle again with `weir bundle build`"
FOREIGN_MAX: Final = 5  # foreign files that one message names
DIGEST_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Described:
    """A folder that is what its name says, and what it says of itself; its model was not opened."""

    path: Path
    bundle: Bundle


def find(which: Path | str, settings: Settings) -> Path:
    """The folder of a bundle, named by path, by its service or by the beginning of its digest.

    A service names its newest bundle; one of a learner or of `weir train`, which answers where somebody says so, where
    there is no other. Raises Refused when there is not one.
    """
    if not str(which):
        raise Refused("no bundle is named", remedy="set WEIR_BUNDLE to a bundle's folder or digest")
    path = Path(which)
    if not (path / MANIFEST).is_file() and (newest := _newest_of(str(which), settings)):
        return newest.resolve()
    if path.is_dir():
        return path.resolve()
    found = [known for known in folders(settings) if known.name.startswith(path.name)] if len(path.parts) == 1 else []
    if len(found) != 1:
        what = (
            f"bundle {shortened(str(which))} is ambiguous" if found else f"there is no bundle {shortened(str(which))}"
        )
        raise Refused(what, where=str(settings.paths.bundles_dir.absolute()), remedy=_remedy(str(which), settings))
    return found[0].resolve()


def _remedy(which: str, settings: Settings) -> str:
    """What to do where no bundle has this name."""
    named = "bundles_dir" in settings.paths.model_fields_set
    if re.fullmatch(SERVICE, which) and (settings.paths.services_dir / which / "service.yaml").is_file():
        return f"run `weir bundle build {which}`"
    if named and not settings.paths.bundles_dir.is_dir():
        return "there is no such folder of bundles: correct WEIR_BUNDLES_DIR, or build a bundle"
    if (enter := project.enter()) and not named:
        return f"{enter}; or give the folder of a bundle"
    return "name one that `weir bundle list` shows; `weir bundle build NAME` builds that of a service"


def _newest_of(service: str, settings: Settings) -> Path | None:
    """The newest bundle that says it is of this service, one of a learner last; None where none does."""
    if not re.fullmatch(SERVICE, service):
        return None
    found = [(path, bundle) for path in folders(settings) if (bundle := said(path)) and bundle.service == service]
    built = [path for path, bundle in found if not bundle.waits]
    return next(iter(built or [path for path, _ in found]), None)


def check_there(settings: Settings) -> None:
    """Raises Refused where WEIR_BUNDLES_DIR names no folder; the default one may be missing: nothing was built yet."""
    named = "bundles_dir" in settings.paths.model_fields_set
    if named and not settings.paths.bundles_dir.is_dir():
        raise Refused(
            "there is no such folder of bundles",
            where=str(settings.paths.bundles_dir),
            remedy="correct WEIR_BUNDLES_DIR, or build a bundle into it",
        )


def hold(path: Path) -> int:
    """A descriptor that says, as long as this process keeps it, that the bundle is served from here."""
    descriptor = os.open(path / MANIFEST, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_held(path: Path) -> bool:
    """Whether a process on this machine holds the bundle."""
    descriptor = os.open(path / MANIFEST, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def folders(settings: Settings) -> list[Path]:
    """Every folder of `settings.bundles_dir` that is named by a digest, the newest first."""
    found = (path for path in settings.paths.bundles_dir.glob("[0-9a-f]*") if len(path.name) == DIGEST_CHARS)
    whole = [path for path in found if (path / MANIFEST).is_file()]
    return sorted(whole, key=lambda path: ((path / MANIFEST).stat().st_mtime_ns, path.name), reverse=True)


def said(path: Path) -> Bundle | None:
    """What bundle.yaml says, unproved: nothing is hashed. None where it says nothing that is understood."""
    try:
        return manifest.from_manifest(text.parse((path / MANIFEST).read_bytes()), path.name)
    except (OSError, ValueError):
        return None


def read(path: Path) -> Described:
    """What bundle.yaml says, after the folder was held to its name. Raises Refused."""
    present = sorted(entry.name for entry in path.iterdir())
    if foreign := [name for name in present if name not in FILES or not (path / name).is_file()]:
        more = f" and {len(foreign) - FOREIGN_MAX} more" if len(foreign) > FOREIGN_MAX else ""
        raise Refused(
            f"bundle holds {', '.join(foreign[:FOREIGN_MAX])}{more}: only ONNX is ever loaded, never a pickle or any "
            "other format",
            where=str(path),
            remedy=f"export the model to ONNX; a bundle is {', '.join(FILES)} and nothing else",
        )
    if absent := [name for name in FILES if name not in present]:
        raise Refused(f"bundle lacks {', '.join(absent)}", where=str(path), remedy=REBUILD)
    hashes = file_hashes(path)
    content, why = _content(path)
    if (found := digest(hashes)) != path.name:
        listed = content.get("files") if content else hashes
        listed = listed if isinstance(listed, dict) else {}
        changed = [name for name, value in hashes.items() if name != MANIFEST and listed.get(name) != value]
        raise Refused(
            f"bundle was changed after it was built: {', '.join(changed) or MANIFEST} differs, digest is {found[:12]}",
            where=str(path),
            remedy="restore the folder from where it was built, or build a new bundle",
        )
    if content is None:
        raise Refused(f"bundle.yaml is not a YAML mapping: {why}", where=str(path), remedy=REBUILD)
    try:
        return Described(path, manifest.from_manifest(content, path.name))
    except ValueError as error:
        raise Refused(
            f"bundle.yaml is not understood: {text.explain(error)}",
            where=str(path),
            remedy="use the version of Weir that built it, or build the bundle again with `weir bundle build`",
        ) from error


def file_hashes(path: Path) -> dict[str, str]:
    """File name -> sha256 hex of everything in the folder, by name."""
    return {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in sorted(path.iterdir())}


def digest(hashes: Mapping[str, str]) -> str:
    """The bundle's digest: sha256 hex over the sorted "name sha256" lines."""
    lines = "".join(f"{name} {value}\n" for name, value in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _content(path: Path) -> tuple[dict[str, Any] | None, str]:
    """bundle.yaml's content, or None and why there is none."""
    try:
        return text.parse((path / MANIFEST).read_bytes()), ""
    except ValueError as error:
        return None, str(error)

"""Bundles as a person asks for them: build one, check one, list those that are here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weir.core.bundle import Bundle
from weir.core.features import ServicePlan
from weir.edges.bundles import folder
from weir.edges.bundles.opened import Opened, open_bundle
from weir.edges.features import plan as feature_plan
from weir.operations.rehearsal import Rehearsal, rehearse
from weir.settings import Settings


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle that passed. plan: what its features were held to; None where none are read or none were applied."""

    opened: Opened
    plan: ServicePlan | None
    rehearsal: Rehearsal


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder of `settings.bundles_dir`. bundle: what it says of itself, unproved; None where that is not understood.

    built_s: when, seconds since the epoch.
    """

    path: Path
    bundle: Bundle | None
    built_s: float


def build(spec: Path, settings: Settings) -> tuple[Path, tuple[str, ...], tuple[str, ...]]:
    """Build a bundle and try it as `check` does before it can be found: its folder, what was chosen, and warnings.

    Raises Refused naming what is wrong; nothing is left behind then.
    """
    from weir.edges.bundles import spec as bundle_spec  # noqa: PLC0415 - training libraries

    tried: list[Rehearsal] = []

    def prove(opened: Opened) -> None:
        tried.append(rehearse(opened, plan_of(opened.bundle, settings)))

    built = bundle_spec.build(spec, settings, prove)
    warnings = [warning for warning in (*built.warnings, *(one.warning for one in tried)) if warning]
    return built.path, built.said, tuple(warnings)


def check(which: str, settings: Settings) -> Checked:
    """Open a bundle as a scorer does, and ask it for its golden rows. Raises Refused."""
    described = folder.read(folder.find(which, settings))
    plan = plan_of(described.bundle, settings)
    opened = open_bundle(described, plan)
    return Checked(opened, plan, rehearse(opened, plan))


def plan_of(bundle: Bundle, settings: Settings) -> ServicePlan | None:
    """The applied feature service; None without features, or where no repository was applied. Raises Refused."""
    if not bundle.feature_service or not feature_plan.path(settings).is_file():
        return None
    return feature_plan.load(settings, bundle.feature_service)


def listed(settings: Settings) -> list[Listed]:
    """Every bundle of `settings.bundles_dir`, the newest first. Nothing is hashed."""
    return [
        Listed(path, folder.said(path), (path / folder.MANIFEST).stat().st_mtime) for path in folder.folders(settings)
    ]

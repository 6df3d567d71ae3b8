"""Bundles as a person asks for them: build one, check one, list those that are here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.edges.bundles import folder
from weir.edges.bundles.opened import Opened, open_bundle
from weir.edges.features import plan as feature_plan
from weir.operations import contract, engine_speed
from weir.operations.rehearsal import Rehearsal, rehearse
from weir.settings import Settings


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle that passed.

    plan: what its features were held to; None where none are read or none were applied. contract: the version that its
    requests have, or need. too_large: where requests are larger than a scorer takes, in words. costs: see engine_speed.
    """

    opened: Opened
    plan: ServicePlan | None
    rehearsal: Rehearsal
    contract: contract.Draft
    too_large: str
    costs: engine_speed.Costs


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder of `settings.bundles_dir`. bundle: what it says of itself, unproved; None where that is not understood.

    built_s: when, seconds since the epoch.
    """

    path: Path
    bundle: Bundle | None
    built_s: float


class Built(NamedTuple):
    """A new bundle: its folder, what was chosen for its author, and warnings.

    contract: the version that its requests have; written where `contract.exists` was not true and the project is ours.
    """

    path: Path
    said: tuple[str, ...]
    warnings: tuple[str, ...]
    contract: contract.Draft


def build(spec: Path, settings: Settings) -> Built:
    """Build a bundle and try it as `check` does before it can be found; in a project, write its requests' contract.

    Raises Refused naming what is wrong, also where requests of an earlier contract could not be read; nothing is left
    behind then.
    """
    from weir.edges.bundles import spec as bundle_spec  # noqa: PLC0415 - training libraries

    tried: list[Rehearsal] = []
    drafts: list[contract.Draft] = []

    def prove(opened: Opened) -> None:
        tried.append(rehearse(opened, plan_of(opened.bundle, settings)))
        drafts.append(contract.draft(settings, opened.bundle))

    built = bundle_spec.build(spec, settings, prove)
    if contract.is_own(settings):
        contract.write(drafts[0])
    most = settings.scoring.max_record_bytes
    found = [warning for one in tried for warning in (one.refusals, one.company, one.too_large(most)) if warning]
    return Built(built.path, built.said, (*built.warnings, *found), drafts[0])


def check(which: str, settings: Settings) -> Checked:
    """Open a bundle as a scorer does, and ask it for its golden rows. Raises Refused."""
    described = folder.read(folder.find(which, settings))
    plan = plan_of(described.bundle, settings)
    opened = open_bundle(described, plan, wanted=settings.scoring.engine)
    rehearsal = rehearse(opened, plan)
    draft = contract.draft(settings, opened.bundle)
    too_large = rehearsal.too_large(settings.scoring.max_record_bytes)
    return Checked(opened, plan, rehearsal, draft, too_large, engine_speed.measure(opened))


def plan_of(bundle: Bundle, settings: Settings) -> ServicePlan | None:
    """The applied feature service; None without features, or where no repository was applied. Raises Refused."""
    if not bundle.feature_service or not feature_plan.path(settings).is_file():
        return None
    return feature_plan.load(settings, bundle.feature_service)


def listed(settings: Settings) -> list[Listed]:
    """Every bundle of `settings.bundles_dir`, the newest first. Nothing is hashed. Raises Refused for no folder."""
    folder.check_there(settings)
    return [
        Listed(path, folder.said(path), (path / folder.MANIFEST).stat().st_mtime) for path in folder.folders(settings)
    ]


def named(name: str, version: str, settings: Settings) -> list[Listed]:
    """The bundles of this name and version that may be removed: of any service.

    Raises Refused when there are none, or one is served by a process on this machine, or named by WEIR_BUNDLE.
    """
    found = [one for one in listed(settings) if one.bundle and (one.bundle.name, one.bundle.version) == (name, version)]
    if not found:
        raise Refused(
            f"there is no bundle {name} {version}",
            where=str(settings.paths.bundles_dir),
            remedy="name one that `weir bundle list` shows",
        )
    for one in found:
        if folder.is_held(one.path):
            what, remedy = "is served by a process on this machine", "end that worker, or serve another bundle, first"
            raise Refused(f"bundle {name} {version} {what}", where=str(one.path), remedy=remedy)
        if settings.scoring.bundle and folder.find(settings.scoring.bundle, settings) == one.path.resolve():
            raise Refused(
                f"bundle {name} {version} is the one that WEIR_BUNDLE names",
                where=str(one.path),
                remedy="unset it first",
            )
    return found


def remove(bundles: Sequence[Listed]) -> None:
    """Delete these folders. Each is renamed first, so that nobody finds half of one."""
    for one in bundles:
        gone = one.path.with_name(f".gone-{one.path.name}")
        one.path.rename(gone)
        shutil.rmtree(gone)

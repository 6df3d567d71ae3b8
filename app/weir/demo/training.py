"""The demo's bundles: those that an earlier run built, or new ones from raw events.

Hourly snapshots of the features, a point-in-time join by Feast, LightGBM, ONNX. The training matrix is assembled by the
scorer's own code from the joined features, so a value means the same in both. One difference is left, and wanted: a
stale value is null in the join, that is missing, while the scorer can tell the two apart (demo.signature says what each
becomes).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.demo import data
from weir.demo.flights import Progress
from weir.demo.recipe import STEPS
from weir.demo.signature import FEATURE_SERVICE, SIGNATURE
from weir.edges.bundles import folder
from weir.edges.features import plan as feature_plan
from weir.settings import Settings


def build(settings: Settings, progress: Progress | None = None) -> dict[str, Path]:
    """The bundles by service: of an earlier run if data, features, recipe and versions are the same, else new ones.

    Applies the feature repository when it has to build. progress: called with (done, total, what) before each step.
    Raises Refused or Unavailable.
    """
    say = progress or (lambda done, total, what: None)
    if found := existing(settings):
        say(STEPS, STEPS, "bundles of an earlier run")
        return found
    say(0, STEPS, "applying the feature repository")
    plan = _apply(settings)
    say(1, STEPS, "reading the flights")
    flights = data.load(settings)
    from weir.demo import fit  # noqa: PLC0415 - training libraries, which a second run does not need

    built = fit.build(settings, plan, flights, say)
    remember(settings, plan, built)
    say(STEPS, STEPS, "bundles")
    return built


def existing(settings: Settings) -> dict[str, Path] | None:
    """The bundles of an earlier run, if they are whole and would be built alike. Raises Refused: one was changed."""
    pointer = _pointer(settings)
    if not pointer.is_file() or not feature_plan.path(settings).is_file():
        return None
    said = json.loads(pointer.read_text())
    if said.get("recipe") != recipe(settings, feature_plan.load(settings, FEATURE_SERVICE)):
        return None
    found = {service: (settings.paths.bundles_dir / digest).resolve() for service, digest in said["digests"].items()}
    if not all(path.is_dir() for path in found.values()):
        return None
    for path in found.values():
        folder.read(path)
    return found


def remember(settings: Settings, plan: ServicePlan, bundles: Mapping[str, Path]) -> None:
    """Note that these bundles, by service, are what the recipe of today builds."""
    digests = {service: path.name for service, path in bundles.items()}
    _pointer(settings).write_text(json.dumps({"recipe": recipe(settings, plan), "digests": digests}))


def recipe(settings: Settings, plan: ServicePlan) -> str:
    """Hash of what decides the content of the bundles: data, features, libraries, and the files that say the rest."""
    app = Path(__file__).parent.parent
    folders = (settings.paths.feature_repo_dir, app / "rolling", app / "demo" / "rolling")
    files = [file for place in folders for file in sorted(place.glob("*.py"))]
    files += [app / "demo" / f"{name}.py" for name in ("recipe", "signature", "siblings", "fit", "export", "card")]
    text = json.dumps(
        [
            data.FORMAT,
            plan.reading(SIGNATURE.looked_up).fingerprint,
            version("lightgbm"),
            version("onnx"),
            [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _apply(settings: Settings) -> ServicePlan:
    from weir.edges.features import repository as feature_repository  # noqa: PLC0415 - imports Feast, which takes seconds

    feature_repository.apply(settings)
    plans = feature_repository.export(settings)
    for plan in plans:
        if plan.service == FEATURE_SERVICE:
            return plan
    raise Refused(
        f"the feature repository has no service {FEATURE_SERVICE}",
        where=str(settings.paths.feature_repo_dir),
        remedy="the demo needs the feature_repo/ that Weir ships",
    )


def _pointer(settings: Settings) -> Path:
    home = settings.paths.home / "demo"
    home.mkdir(parents=True, exist_ok=True)
    return home / "bundles.json"

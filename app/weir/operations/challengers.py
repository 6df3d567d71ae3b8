"""Which bundle goes on beside the one that answers for a service: what answered before a promotion, or the learner."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from weir.core.errors import Refused
from weir.edges.bundles import folder
from weir.operations import kept_bundles
from weir.settings import Settings

REMEMBERED: Final = "challengers.json"  # under home, by service
WRITTEN_BY: Final = "`weir learners promote`"


def known(settings: Settings) -> dict[str, Path]:
    """The bundle by service. Raises Refused for a file that says something else."""
    found = kept_bundles.read(settings, REMEMBERED, WRITTEN_BY)
    return {service: Path(at) for service, at in found.items()}


def there(settings: Settings) -> dict[str, Path]:
    """Those whose bundle is still here."""
    return {service: path for service, path in known(settings).items() if path.is_dir()}


def remember(settings: Settings, service: str, bundle: Path) -> None:
    """From the next `weir up` on this bundle goes on in shadow."""
    at = str(bundle.resolve())
    kept_bundles.change(settings, REMEMBERED, WRITTEN_BY, lambda kept: {**kept, service: at})


def of_learner(settings: Settings, name: str) -> tuple[str, Path]:
    """The service of a learner that was promoted here, and what answered before. Raises Refused."""
    from weir.agents.learner import files  # noqa: PLC0415 - only here

    service = files.named(settings, name).service
    before = known(settings).get(service)
    if before is None:
        raise Refused(f"learner {name} was not promoted here", remedy="run it where `weir learners promote` was run")
    if not before.is_dir():
        what = "the bundle that answered before is gone"
        raise Refused(what, where=str(before), remedy="name another by `weir up --bundle`")
    folder.read(before)
    return service, before

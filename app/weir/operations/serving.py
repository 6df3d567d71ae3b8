"""Which bundle to serve, and which service to ask for, when nobody or somebody says so."""

from __future__ import annotations

from pathlib import Path

from weir.core.bundle import Bundle
from weir.core.errors import Refused, Unavailable
from weir.edges.bundles import folder
from weir.settings import Settings

LISTED = 10  # bundles named in a message


def choose(asked: str, settings: Settings) -> tuple[Path, Bundle]:
    """The bundle named by `asked` or WEIR_BUNDLE, else the newest of the one service that has any.

    Raises Refused for a name that fits none, a bundle of another service than WEIR_SERVICE says, and bundles of
    several services; Unavailable when there is none at all.
    """
    wanted = settings.scoring.service
    named = asked or settings.scoring.bundle
    if named:
        path = folder.find(named, settings)
        bundle = folder.read(path).bundle
        if wanted not in ("", bundle.service):
            raise Refused(
                f"bundle {bundle.short_digest} is for service {bundle.service}, not {wanted}",
                where=str(path),
                remedy="leave WEIR_SERVICE away, the bundle says its service; or name another bundle",
            )
        return path, bundle
    found = _newest_first(settings)
    fitting = [(path, bundle) for path, bundle in found if wanted in ("", bundle.service)]
    if not fitting:
        raise Unavailable(
            f"there is no model bundle of service {wanted} to serve" if wanted else "there is no model bundle to serve",
            where=str(settings.paths.bundles_dir),
            remedy=_among(found)
            or "build one with `weir bundle build`, or run `weir demo --flights 1000`: it trains one",
        )
    if len({bundle.service for _, bundle in fitting}) > 1:
        raise Refused(
            "there are bundles of several services, and `weir up` serves one",
            where=str(settings.paths.bundles_dir),
            remedy=_among(fitting),
        )
    return fitting[0]


def of_bundle(settings: Settings, service: str = "", bundle: str = "") -> Settings:
    """These settings with a service and, where one is named, a bundle to evaluate with.

    service: wins over the bundle's, which wins over WEIR_SERVICE; WEIR_BUNDLE counts where nothing else names either.
    Raises Refused where no service is named.
    """
    given = settings.scoring
    named = bundle or given.bundle
    if not service and (bundle or (named and not given.service)):
        service = folder.read(folder.find(named, settings)).bundle.service
    return settings.having(service=service or given.named_service, bundle=named)


def _newest_first(settings: Settings) -> list[tuple[Path, Bundle]]:
    """Every bundle in the bundles' folder that is whole, the newest first."""
    found = []
    for path in folder.folders(settings):
        try:
            found.append((path.resolve(), folder.read(path).bundle))
        except Refused:
            continue
    return found


def _among(found: list[tuple[Path, Bundle]]) -> str:
    """What can be chosen, and how; "" when nothing can."""
    if not found:
        return ""
    listed = [f"{it.service}: {it.name} {it.version}, --bundle {it.short_digest}" for _, it in found[:LISTED]]
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return f"choose by --bundle or WEIR_BUNDLE, or a service by WEIR_SERVICE: {'; '.join(listed)}{more}"

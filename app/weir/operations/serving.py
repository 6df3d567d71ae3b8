"""Which bundle to serve, and which service to ask for, when nobody or somebody says so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from weir.core.bundle import Bundle
from weir.core.errors import Refused, Unavailable
from weir.edges.bundles import folder
from weir.settings import Settings

REMEMBERED = "chosen-bundles.json"  # under home: what --bundle named, by service
LISTED = 10  # bundles named in a message


class Chosen(NamedTuple):
    """A bundle to serve, and why it is this one."""

    path: Path
    bundle: Bundle
    why: str


def choose(asked: str, settings: Settings, *, newest: bool = False) -> Chosen:
    """The bundle named by `asked` or WEIR_BUNDLE, else the remembered one, else the newest of the one service there is.

    newest: pass over all but the last. Raises Refused for a name that fits none, a bundle of another service than
    WEIR_SERVICE says, a remembered bundle that is gone, and bundles of several services; Unavailable when there is none
    at all.
    """
    wanted = settings.scoring.service
    named = asked or ("" if newest else settings.scoring.bundle)
    if named:
        path = folder.find(named, settings)
        bundle = folder.read(path).bundle
        if wanted not in ("", bundle.service):
            raise Refused(
                f"bundle {bundle.short_digest} is for service {bundle.service}, not {wanted}",
                where=str(path),
                remedy="leave WEIR_SERVICE away, the bundle says its service; or name another bundle",
            )
        return Chosen(path, bundle, "--bundle names it" if asked else "WEIR_BUNDLE names it")
    found = _newest_first(settings)
    fitting = [(path, bundle) for path, bundle in found if wanted in ("", bundle.service)]
    kept = {} if newest else {service: at for service, at in remembered(settings).items() if wanted in ("", service)}
    services = {bundle.service for _, bundle in fitting} | kept.keys()
    if not services:
        raise Unavailable(
            f"there is no model bundle of service {wanted} to serve" if wanted else "there is no model bundle to serve",
            where=str(settings.paths.bundles_dir),
            remedy=_among(found)
            or "make a service by `weir service add NAME MODEL --sample ROWS`, and `weir bundle build NAME`",
        )
    if len(kept) != 1 and len(services) > 1:
        raise Refused(
            "there are bundles of several services, and `weir up` serves one",
            where=str(settings.paths.bundles_dir),
            remedy=_among(fitting),
        )
    if kept:
        return _remembered(Path(next(iter(kept.values()))))
    return Chosen(*fitting[0], f"the newest of service {fitting[0][1].service}")


def remember(settings: Settings, choice: Chosen, *, by_name: bool) -> None:
    """Let later starts serve this bundle of its service, where it was chosen by name; else forget what was."""
    kept = remembered(settings)
    kept.pop(choice.bundle.service, None)
    if by_name:
        kept[choice.bundle.service] = str(choice.path)
    _keep(kept, settings)


def forget(paths: Sequence[Path], settings: Settings) -> list[str]:
    """Forget these bundles, where they were chosen by name: the services that they served. Raises Refused."""
    gone = {str(path.resolve()) for path in paths}
    kept = remembered(settings)
    services = [service for service, path in kept.items() if path in gone]
    if services:
        _keep({service: path for service, path in kept.items() if path not in gone}, settings)
    return services


def _keep(kept: Mapping[str, str], settings: Settings) -> None:
    path = settings.paths.home / REMEMBERED
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(dict(kept), indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def remembered(settings: Settings) -> dict[str, str]:
    """Path of the bundle that was chosen by name, by service. Raises Refused for a file that says something else."""
    path = settings.paths.home / REMEMBERED
    try:
        return {str(service): str(at) for service, at in json.loads(path.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise Refused("it is not what `weir up` wrote there", where=str(path), remedy="delete it") from error


def _remembered(path: Path) -> Chosen:
    if not path.is_dir():
        raise Refused(
            "the bundle that --bundle named before is gone",
            where=str(path),
            remedy="name another by --bundle, or give --newest",
        )
    return Chosen(path, folder.read(path).bundle, "--bundle named it before; --newest serves the newest again")


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
    folder.check_there(settings)
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

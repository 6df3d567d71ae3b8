"""Which bundle to serve, and which service to ask for, when nobody or somebody says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from weir import project
from weir.core.bundle import Bundle
from weir.core.errors import Refused, Unavailable, WeirError
from weir.edges.bundles import folder
from weir.operations import contract, kept_bundles, services
from weir.settings import Settings

REMEMBERED = "chosen-bundles.json"  # under home: what --bundle named, by service
SERVED = "served-bundles.json"  # under home: what `weir up` started last, by service
WRITTEN_BY = "`weir up`"
LISTED = 10  # bundles named in a message
MAKE_ONE = "make a service by `weir service add NAME MODEL --sample ROWS`, and `weir bundle build NAME`"


class Chosen(NamedTuple):
    """A bundle to serve, and why it is this one. by_name: --bundle names it."""

    path: Path
    bundle: Bundle
    why: str
    by_name: bool = False


class Choices(NamedTuple):
    """What `weir up` serves, by service, and why other services are not."""

    served: Mapping[str, Chosen]
    absent: Mapping[str, str]


def choose(
    asked: Sequence[str], settings: Settings, *, only: Sequence[str] = (), newest: bool = False, contracts: bool = True
) -> Choices:
    """A bundle for each service: the one named by `asked` or WEIR_BUNDLE, else the remembered one, else the newest.

    only: these services, WEIR_SERVICE where none is named, every one where that is not set either: those with bundles,
    and those of the project. newest: pass over all but the last kind of bundle. contracts: a service without a contract
    is not served.
    Raises Refused for a name that fits none, two bundles of one service, a bundle of another service than WEIR_SERVICE
    says, a remembered bundle that is gone, and a service that was named and has no contract; Unavailable for one that
    was named and has no bundle, and when there is none at all and no project.
    """
    named = _named(asked, settings, newest=newest)
    wanted = tuple(dict.fromkeys(only or filter(None, (settings.scoring.service,))))
    for service, choice in named.items():
        if wanted and service not in wanted:
            raise Refused(
                f"bundle {choice.bundle.short_digest} is for service {service}, not {' or '.join(wanted)}",
                where=str(choice.path),
                remedy="leave WEIR_SERVICE or --only away, the bundle says its service; or name another bundle",
            )
    found = _newest_first(settings)
    kept = {} if newest else remembered(settings)
    known = wanted or sorted({*named, *kept, *(bundle.service for _, bundle in found), *services.listed(settings)})
    served: dict[str, Chosen] = {}
    absent: dict[str, str] = {}
    for service in known:
        try:
            served[service] = named.get(service) or _unnamed(service, kept, found, settings)
            if contracts:
                contract.check(settings, served[service].bundle)
        except WeirError as error:
            if service in named or service in wanted or known == [service]:
                raise
            served.pop(service, None)
            absent[service] = str(error)
    if not served and not absent and project.found() is None:
        what = "there is no model bundle to serve"
        raise Unavailable(what, where=str(settings.paths.bundles_dir), remedy=MAKE_ONE)
    return Choices(served, absent)


def _named(asked: Sequence[str], settings: Settings, *, newest: bool) -> dict[str, Chosen]:
    """The bundles that somebody named, by service. Raises Refused."""
    by_environment = [settings.scoring.bundle] if settings.scoring.bundle and not newest else []
    found: dict[str, Chosen] = {}
    for name in asked or by_environment:
        path = folder.find(name, settings)
        bundle = folder.read(path).bundle
        if bundle.service in found:
            what = f"two bundles of service {bundle.service} are named"
            raise Refused(what, where=str(path), remedy="name one, and see `weir worker shadow` for another beside it")
        why = "--bundle names it" if asked else "WEIR_BUNDLE names it"
        found[bundle.service] = Chosen(path, bundle, why, by_name=bool(asked))
    return found


def _unnamed(service: str, kept: Mapping[str, str], found: Sequence[tuple[Path, Bundle]], settings: Settings) -> Chosen:
    """The remembered bundle of a service, else its newest. Raises Refused; Unavailable where there is none."""
    if service in kept:
        return _remembered(Path(kept[service]))
    mine = [(path, bundle) for path, bundle in found if bundle.service == service]
    built = [one for one in mine if not one[1].waits]
    newest = next(iter(built or mine), None)
    if newest is None:
        own = service in services.listed(settings)
        raise Unavailable(
            f"there is no model bundle of service {service} to serve",
            where=str(settings.paths.bundles_dir),
            remedy=f"run `weir bundle build {service}`" if own else _among(found) or MAKE_ONE,
        )
    return Chosen(*newest, f"the newest of service {service}")


def remember_all(settings: Settings, choices: Choices, *, newest: bool) -> None:
    """Let later starts serve the bundles that were named; newest: forget those that had been named before."""
    for choice in choices.served.values():
        if choice.by_name or newest:
            remember(settings, choice)


def remember(settings: Settings, choice: Chosen) -> None:
    """Let later starts serve this bundle of its service, where it was chosen by name; else forget what was."""
    at = {choice.bundle.service: str(choice.path.resolve())} if choice.by_name else {}  # it is read from any folder

    def to(kept: dict[str, str]) -> dict[str, str]:
        return {service: path for service, path in kept.items() if service != choice.bundle.service} | at

    kept_bundles.change(settings, REMEMBERED, WRITTEN_BY, to)


def note_served(settings: Settings, service: str, bundle: Path) -> None:
    """Let later commands know what answers, whatever is built meanwhile."""
    at = str(bundle.resolve())
    kept_bundles.change(settings, SERVED, WRITTEN_BY, lambda kept: {**kept, service: at})


def answering(settings: Settings, service: str) -> Chosen:
    """What answers for a service: what was named or promoted, else what was last started, else what would be.

    Raises Unavailable, Refused.
    """
    if service not in remembered(settings) and not settings.scoring.bundle:
        last = Path(kept_bundles.read(settings, SERVED, WRITTEN_BY).get(service, ""))
        if (last / folder.MANIFEST).is_file():
            return Chosen(last, folder.read(last).bundle, "`weir up` started it last")
    return choose((), settings, only=(service,), contracts=False).served[service]


def forget(paths: Sequence[Path], settings: Settings) -> list[str]:
    """Forget these bundles, where they were chosen by name: the services that they served. Raises Refused."""
    gone = {str(path.resolve()) for path in paths}
    kept = remembered(settings)
    served = [service for service, path in kept.items() if path in gone]
    if served:

        def to(kept: dict[str, str]) -> dict[str, str]:
            return {service: path for service, path in kept.items() if path not in gone}

        kept_bundles.change(settings, REMEMBERED, WRITTEN_BY, to)
    return served


def remembered(settings: Settings) -> dict[str, str]:
    """Path of the bundle that was chosen by name, by service. Raises Refused for a file that says something else."""
    return kept_bundles.read(settings, REMEMBERED, WRITTEN_BY)


def _remembered(path: Path) -> Chosen:
    if not path.is_dir():
        raise Refused(
            "the bundle that --bundle named before is gone",
            where=str(path),
            remedy="name another by --bundle, or give --newest",
        )
    return Chosen(path, folder.read(path).bundle, "it was named or promoted before; --newest serves the newest again")


def promoted(settings: Settings) -> dict[str, str]:
    """The learner that answers, by service: where later starts of `weir up` serve the bundle of one."""
    bundles = {service: folder.said(Path(path)) for service, path in remembered(settings).items()}
    return {service: of.learner.name for service, of in bundles.items() if of is not None and of.learner is not None}


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


def _among(found: Sequence[tuple[Path, Bundle]]) -> str:
    """What can be chosen, and how; "" when nothing can."""
    if not found:
        return ""
    listed = [f"{it.service}: {it.name} {it.version}, --bundle {it.short_digest}" for _, it in found[:LISTED]]
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return f"choose by --bundle or WEIR_BUNDLE, or a service by WEIR_SERVICE: {'; '.join(listed)}{more}"

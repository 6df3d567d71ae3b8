"""The views of a project's services, with the value that each service's specification states."""

from __future__ import annotations

from weir.core.errors import Refused
from weir.edges.bundles import text
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import results
from weir.edges.schemas import folder
from weir.operations import services
from weir.settings import Settings


def formulas(settings: Settings) -> dict[str, str]:
    """The formula of each service that has a specification or a contract here; empty where it states none.

    Raises Refused when a specification cannot be read, or its `value` is no text.
    """
    found = dict.fromkeys(folder.services(settings.paths.schemas_dir), "")
    for service in services.listed(settings):
        found[service] = _value(settings, service)
    return found


def formula(settings: Settings, service: str) -> str:
    """The formula of one service; empty where it states none, or has no specification here. Raises Refused."""
    return _value(settings, service) if service in services.listed(settings) else ""


def make(settings: Settings) -> list[results.View]:
    """Make the views of the project's services, or make them anew. Raises Unavailable, Refused."""
    with clickhouse.connect(settings.recording) as client:
        return results.make(client, formulas(settings))


def _value(settings: Settings, service: str) -> str:
    path = settings.paths.services_dir / service / services.SPEC
    try:
        given = text.parse(path.read_bytes()).get("value", "")
    except (OSError, ValueError) as error:
        what = f"the specification is not understood: {error}"
        raise Refused(what, where=str(path), remedy="`weir bundle spec --example` prints one with every key") from error
    if not isinstance(given, str | int | float) or isinstance(given, bool):
        remedy = "write one expression of SQL, in quotes: value: \"if(label = 'positive', attributes['refund'], 0)\""
        raise Refused("`value` is no formula", where=str(path), remedy=remedy)
    return str(given)

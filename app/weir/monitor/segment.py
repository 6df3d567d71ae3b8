"""The part of a service's predictions that is asked about: by version, variant, tenant and team."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from weir.core.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One value each, and everything where it is empty.

    >>> str(Segment(version="3", tenant="acme"))
    'version=3,tenant=acme'
    """

    version: str = ""
    variant: str = ""
    tenant: str = ""
    team: str = ""

    @classmethod
    def of(cls, text: str) -> Segment:
        """As `--where` says it: NAME=VALUE, several with commas between them; empty for everything.

        Raises Refused with what can be said.
        """
        given: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, sign, value = (word.strip() for word in part.partition("="))
            if not sign or not value or name not in FILTERS or "=" in value:
                raise Refused(f"{part!r} is no segment", where="--where", remedy=f"write {CAN}")
            if name in given:
                raise Refused(f"{name} is said twice", where="--where", remedy="say it once: a segment has one of each")
            given[name] = value
        return cls(**given)

    @property
    def filters(self) -> Mapping[str, str]:
        """Those that are set."""
        return {name: value for name, value in asdict(self).items() if value}

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.filters.items())


FILTERS: Final = tuple(field.name for field in fields(Segment))
CAN: Final = f"{', '.join(f'{name}=' for name in FILTERS)} with a value each, commas between them"
EVERYTHING: Final = Segment()

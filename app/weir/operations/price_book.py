"""The project's price book and budgets: the file prices.yaml, and what ClickHouse knows of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weir.core.budget import Budget, Measure, Period, Remedy
from weir.core.errors import Refused
from weir.core.prices import UNITS, Price, Tariff, tariffs
from weir.core.topics import SERVICE
from weir.edges.bundles import text
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import costs, ledger
from weir.edges.schemas import folder
from weir.settings import Settings

REMEDY: Final = "correct it; `weir init DIR` writes an example, whose prices are examples"


class _Price(BaseModel):
    model_config = ConfigDict(extra="forbid")

    begin: Annotated[date, Field(alias="from")]
    until: date | None = None
    price: Decimal


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Measure = Measure.NONE
    variant: str = ""
    share: float = 1.0


class _Budget(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=f"^{SERVICE}$")]
    amount: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6)]
    period: Period = Period.MONTH
    service: Annotated[str, Field(pattern=f"^{SERVICE}$")]
    team: str = ""
    tenant: str = ""
    action: _Action = _Action()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    prices: dict[str, list[_Price]]
    budgets: list[_Budget] = []


@dataclass(frozen=True, slots=True)
class PriceBook:
    """A prices.yaml, checked. currency: three letters of ISO 4217."""

    currency: str
    tariffs: tuple[Tariff, ...]
    budgets: tuple[Budget, ...]


def read(path: Path) -> PriceBook | None:
    """The file's content; None where there is no file. Raises Refused naming everything that is wrong with it."""
    try:
        found = _File.model_validate_json(json.dumps(text.parse(path.read_bytes())))
        return _checked(found)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = f"the price book cannot be read: {error.strerror}"
        raise Refused(what, where=str(path), remedy="make it readable") from error
    except ValidationError as error:
        faults = "; ".join(_said(fault) for fault in error.errors(include_url=False))
        raise Refused(f"the price book is not understood: {faults}", where=str(path), remedy=REMEDY) from error
    except ValueError as error:
        raise Refused(f"the price book is not understood: {error}", where=str(path), remedy=REMEDY) from error


def make(settings: Settings) -> PriceBook | None:
    """Let ClickHouse reckon with the project's book; without one, with what it has. Raises Unavailable, Refused."""
    book = read(settings.paths.prices_file)
    if book is not None:
        with clickhouse.connect(settings.recording) as client:
            costs.make(client, book.currency, book.tariffs, book.budgets)
    return book


def unknown(settings: Settings, book: PriceBook) -> list[str]:
    """What is to be said of budgets whose service neither the project nor the record knows.

    Raises Unavailable, Refused.
    """
    asked = {budget.service for budget in book.budgets} - set(folder.services(settings.paths.schemas_dir))
    if not asked:
        return []
    with clickhouse.connect(settings.recording) as client:
        known = sorted({*ledger.services(client), *folder.services(settings.paths.schemas_dir)} - {""})
    said = []
    for one in book.budgets:
        if one.service in asked and one.service not in known:
            near = get_close_matches(one.service, known, 1)
            meant = f": did you mean {near[0]}?" if near else f": there are {', '.join(known)}" if known else ""
            said.append(f"budget {one.name} is of {one.service}, and there is no such service yet{meant}")
    return said


def _checked(found: _File) -> PriceBook:
    """Raises ValueError."""
    faults: list[str] = []
    if unknown := sorted(found.prices.keys() - UNITS.keys()):
        faults.append(f"there is no unit {', '.join(unknown)}; units are {', '.join(UNITS)}")
    made: list[Tariff] = []
    for unit in UNITS.keys() & found.prices.keys():
        try:
            made += tariffs(unit, [Price(one.begin, one.price, one.until) for one in found.prices[unit]])
        except ValueError as error:
            faults.append(str(error))
    budgets: list[Budget] = []
    for one in found.budgets:
        if one.name in (budget.name for budget in budgets):
            faults.append(f"there are two budgets {one.name}")
        try:
            budgets.append(_budget(one))
        except ValueError as error:
            faults.append(f"budget {one.name}: {error}")
    if faults:
        raise ValueError("; ".join(sorted(faults)))
    made.sort(key=lambda one: (one.component, one.begin))
    return PriceBook(found.currency, tuple(made), tuple(budgets))


def _budget(one: _Budget) -> Budget:
    """Raises ValueError."""
    return Budget(
        name=one.name,
        amount=one.amount,
        period=one.period,
        service=one.service,
        team=one.team,
        tenant=one.tenant,
        action=Remedy(one.action.kind, one.action.variant, one.action.share),
    )


def _said(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where or 'the file'}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"

"""Stored values back to columns, whichever version of its view each was written under."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import structlog

from weir.core.features import NUMBERS, TIME
from weir.edges.features.store import serialised
from weir.edges.features.store.record_layout import EVENT, ID, Layout, described
from weir.edges.features.store.record_store import Answer, Ask, Row

UNKNOWN = "records of a feature view are in a layout that the store does not describe: not found"
LACKING = "records of another version of a feature view lack features that are read: missing"
ANOTHER = "records of another version of a feature view are read by name"


class Layouts:
    """The layouts under which the records of a store were written; one that was not met yet is asked of the store.

    Definitions change while workers run: a scorer may meet records of a newer version of a view than it was started
    with, or of an older one. What it reads is found by name in each. One thread at a time.

    describe: view name -> layout id -> the description that writers left in the store.
    """

    def __init__(self, describe: Callable[[str], Mapping[int, bytes]]) -> None:
        self._describe = describe
        self._known: dict[str, dict[int, Layout]] = {}
        self._usual: dict[str, Layout] = {}  # the one met last: a view seldom has records of two
        self._told: set[tuple[str, int, str]] = set()

    def answer(self, ask: Ask, raw: Sequence[bytes | None]) -> Answer:
        """What n stored values say of the features of an Ask."""
        present = [value for value in raw if value is not None]
        answer = self._answer(ask, present)
        if len(present) == len(raw):
            return answer
        at = np.fromiter((value is not None for value in raw), bool, len(raw))
        spread = Answer.empty(len(raw), ask.view)
        spread.values[at], spread.event_us[at], spread.found[at] = answer.values, answer.event_us, answer.found
        return Answer(spread.values, spread.event_us, spread.found, answer.incomplete)

    def rows(self, view: str, raw: Sequence[bytes | None]) -> list[Row | None]:
        """All that n stored values hold, exactly; None where there is none, or its layout is not known."""
        rows: list[Row | None] = [None] * len(raw)
        places = [i for i, value in enumerate(raw) if value is not None]
        present = [value for value in raw if value is not None]
        for layout, which in self._by_layout(view, present):
            for i in which:
                if layout is not None and (values := layout.values(present[i])) is not None:
                    event_us = int.from_bytes(present[i][EVENT], "little", signed=True)
                    rows[places[i]] = Row(event_us, values)
        return rows

    def _answer(self, ask: Ask, present: Sequence[bytes]) -> Answer:
        usual = self._usual.get(ask.view.name)
        if usual is not None:
            fixed, found = usual.unpack(present)
            if found.all():
                lacking = self._lacks(ask, usual)
                return Answer(_values(ask, usual, present, fixed), fixed["event_us"], found, lacking * len(found))
        return self._mixed(ask, present)

    def _mixed(self, ask: Ask, present: Sequence[bytes]) -> Answer:
        answer = Answer.empty(len(present), ask.view)
        incomplete = 0
        for layout, which in self._by_layout(ask.view.name, present):
            if layout is None:
                incomplete += len(which)
                continue
            mine = [present[i] for i in which]
            fixed, fits = layout.unpack(mine)
            at = np.array(which)[fits]
            answer.values[at] = _values(ask, layout, mine, fixed)[fits]
            answer.event_us[at], answer.found[at] = fixed["event_us"][fits], True
            incomplete += len(which) if self._lacks(ask, layout) else int((~fits).sum())
            self._usual[ask.view.name] = layout
        return Answer(answer.values, answer.event_us, answer.found, incomplete)

    def _by_layout(self, view: str, present: Sequence[bytes]) -> Iterator[tuple[Layout | None, list[int]]]:
        places: dict[bytes, list[int]] = {}
        for i, value in enumerate(present):
            places.setdefault(value[ID], []).append(i)
        known = self._known.setdefault(view, {})
        by_id = {int.from_bytes(raw, "little"): which for raw, which in places.items()}
        if not by_id.keys() <= known.keys():
            known |= {number: described(text) for number, text in self._describe(view).items()}
        for number, which in by_id.items():
            layout = known.get(number)
            if layout is None:
                self._tell(UNKNOWN, view, number)
            elif (usual := self._usual.get(view)) not in (None, layout):
                self._tell(ANOTHER, view, number, features=layout.features, before=usual.features if usual else ())
            yield layout, which

    def _lacks(self, ask: Ask, layout: Layout) -> bool:
        lacking = [
            name
            for name, dtype in zip(ask.view.features, ask.view.dtypes, strict=True)
            if not (name in layout.numbers if dtype in NUMBERS else layout.dtype_of.get(name) == dtype)
        ]
        if lacking:
            self._tell(LACKING, ask.view.name, layout.id, features=lacking)
        return bool(lacking)

    def _tell(self, what: str, view: str, layout: int, **more: object) -> None:
        """One line for each layout and finding, however many records there are."""
        if (view, layout, what) in self._told:
            return
        self._told.add((view, layout, what))
        log = structlog.get_logger(__name__)
        (log.info if what is ANOTHER else log.warning)(what, view=view, layout=f"{layout:08x}", **more)


def _values(ask: Ask, layout: Layout, raw: Sequence[bytes], fixed: npt.NDArray[np.void]) -> npt.NDArray[np.floating]:
    """The features of an Ask in n records of one layout, as Answer has them. fixed: their fixed parts."""
    values: npt.NDArray[np.floating] = layout.matrix(fixed, ask.view.features, ask.view.value_dtype)
    others = [
        (at, name, dtype)
        for at, (name, dtype) in enumerate(zip(ask.view.features, ask.view.dtypes, strict=True))
        if dtype not in NUMBERS
    ]
    if not others:
        return values
    values = values.astype(ask.view.value_dtype)
    for at, name, dtype in others:
        if layout.dtype_of.get(name) != dtype:
            values[:, at] = np.nan
            continue
        kept = layout.tails(raw, fixed, name)
        values[:, at] = (
            [serialised.seconds(value) for value in kept]
            if dtype == TIME
            else [serialised.code(value, ask.words.get(name, {})) for value in kept]
        )
    return values

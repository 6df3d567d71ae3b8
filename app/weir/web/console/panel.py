"""A panel: a question, its answer in a sentence, a picture, and where its figures come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from weir.monitor.verdict import Verdict
from weir.web.console.asking import Asker
from weir.web.console.view import View


class Act(NamedTuple):
    """A link beside a panel's question."""

    label: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One answer, ready to be written.

    template: of templates/panels/, which gets `context`, the view and the panel. monitor: whose SQL and rows it offers,
    or of `sources.SOURCES`; empty for none. asked: what the address of those rows says beside the view, such as another
    step. note: below the picture. unsplit: filters of the page that it does not obey; it says so. shown: False where it
    has nothing to say, and its page has no room for it.
    """

    name: str
    question: str
    verdict: Verdict | None = None
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    monitor: str = ""
    asked: Mapping[str, str] = field(default_factory=dict)
    unsplit: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    shown: bool = True


Build: TypeAlias = Callable[[Asker, View], Panel]


class Registered(NamedTuple):
    """A panel that pages can have. height: its class, so that nothing moves when its answer comes.

    pages: where it is shown, in the order of the table. question: before there is an answer. short: what the list of
    a page's panels calls it. cls: further classes.
    """

    build: Build
    question: str
    height: str
    pages: tuple[str, ...] = ()
    short: str = ""
    cls: str = ""


class Slot(NamedTuple):
    """A place of a page for a panel: what is asked for, and what stands there until it has come."""

    name: str
    path: str
    question: str
    height: str
    short: str = ""
    cls: str = ""

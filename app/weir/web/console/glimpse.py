"""What every panel of the overview is about, asked once for all of them."""

from __future__ import annotations

from typing import Final

from weir.operations import overview
from weir.operations.overview import Overview
from weir.web.console.asking import Asker
from weir.web.console.view import View

SAME_S: Final = 2.0  # for which the panels of one page, and of other tabs, share it


def glimpse(asker: Asker, view: View) -> Overview:
    """The overview of a view's time, as `weir status` has it. Raises Unavailable, Refused."""
    begin, end = view.begin, min(view.end, view.now) if view.live else view.end

    def look() -> Overview:
        return asker.ask(lambda client: overview.look(client, begin, end, view.step_s, view.service))

    return asker.once(("overview", view.begin, view.end, view.step_s, view.service), SAME_S, look)

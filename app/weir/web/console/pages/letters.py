"""Dead letters: what was turned away, one letter with every byte, and sending them again: tried, then for real."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weir.core.errors import Refused, WeirError
from weir.edges.clickhouse import dead_letters
from weir.edges.clickhouse.dead_letters import Letter, Selection
from weir.web.console import acting
from weir.web.console.posted import posted
from weir.web.console.site import missing, page, panels_page, site_of, view_of
from weir.web.console.view import View

HEX_BYTES: Final = 1024  # of a value, shown
LINE: Final = 16  # bytes of it in a line


def routes() -> list[Route]:
    """Their addresses."""
    return [
        Route("/dead-letters", listed),
        Route("/dead-letters/redrive", tried, methods=["GET"]),
        Route("/dead-letters/redrive", posted(redriven), methods=["POST"]),
        Route("/dead-letters/{letter:path}", one),
    ]


def listed(request: Request) -> Response:
    """All of them, by reason."""
    return panels_page(request, "letters", "Dead letters")


def one(request: Request) -> Response:
    """One letter: where it came from, why it was rejected, its fields or bytes, and what became of it."""
    site, which = site_of(request), request.path_params["letter"]
    try:
        found = site.asker.ask(lambda client: dead_letters.letters(client, Selection(ids=[which])))
        sent = site.asker.ask(lambda client: dead_letters.redrives(client, ids=[which]))
    except WeirError as error:
        return page(request, "fault.html", "Dead letter", error=error, ranged=False)
    if not found:
        return missing(request, f"dead letter {which}")
    letter = found[0]
    fields, why = acting.fields(site.settings, letter)
    context: dict[str, Any] = {
        "letter": letter,
        "facts": _facts(letter, sent[0] if sent else None),
        "fields": None if fields is None else {name: _shown(value) for name, value in fields.items()},
        "why": why,
        "lines": hexadecimal(letter.value or b""),
        "more": len(letter.value or b"") > HEX_BYTES,
        "command": shlex.join(["weir", "dead-letters", "show", letter.id]),
    }
    return page(request, "letter.html", "Dead letter", ranged=False, **context)


def tried(request: Request) -> Response:
    """What sending letters again would do. Nothing is sent."""
    view = view_of(request)
    return _redrive(request, view)


def redriven(request: Request, form: dict[str, str]) -> Response:
    """Send them again, or say why not."""
    site = site_of(request)
    view = View.of(form, site.now())
    try:
        site.doorman.check(request, form.get("token", ""))
    except Refused as error:
        return _redrive(request, view, problem=f"{error.what}: {error.remedy}", status=403)
    by = form.get("by", "").strip()
    if not acting.is_name(by):
        said = f"nobody says who sends them: write a name of {acting.NAME_CHARS} characters at most"
        return _redrive(request, view, problem=said, status=409)
    return _redrive(request, view, by=by)


def _redrive(request: Request, view: View, *, by: str = "", problem: str = "", status: int = 200) -> Response:
    """by: who sends them; empty where it is only tried."""
    site, done = site_of(request), None
    resends: list[Any] = []
    verdicts: list[str] = []
    try:
        if not problem:
            chosen = _chosen(view)
            letters = site.asker.ask(lambda client: dead_letters.letters(client, chosen))
            resends, verdicts = acting.tried(site.settings, view.service, letters)
        if by:
            done = acting.redrive(site.settings, resends, verdicts, by)
    except WeirError as error:
        problem, status = f"{error.what}: {error.remedy}", 503 if not isinstance(error, Refused) else 409
    kinds = Counter(
        (resend.letter.reason, verdict or "it decodes") for resend, verdict in zip(resends, verdicts, strict=True)
    )
    good = sum(not verdict for verdict in verdicts)
    options = ["--letter", view.letter] if view.letter else ["--reason", view.reason]
    context = {
        "kinds": kinds.most_common(),
        "good": good,
        "total": len(resends),
        "most": acting.MOST_LETTERS,
        "done": done,
        "problem": problem,
        "hidden": {**view.words(), "service": view.service, "from": view.begin, "to": view.end},
        "command": shlex.join(["weir", "dead-letters", "redrive", "--service", view.service, *options, "--dry-run"]),
    }
    return page(request, "redrive.html", "Redrive", view=view, status=status, ranged=False, **context)


def _chosen(view: View) -> Selection:
    """Raises Refused where nothing says which letters are meant."""
    if not view.service or not (view.reason or view.letter):
        raise Refused("nothing says which letters are meant", remedy="choose a reason of a service, or one letter")
    if view.letter:
        return Selection(service=view.service, ids=[view.letter], open=True, limit=1)
    return Selection(
        service=view.service,
        reason=view.reason,
        begin=view.begin,
        end=view.end,
        open=True,
        limit=acting.MOST_LETTERS,
    )


def _facts(letter: Letter, sent: Any) -> list[tuple[str, Any]]:
    state = "open"
    if sent is not None and sent.state == "given up":
        state = f"given up by {sent.given_up_by}: {sent.given_up_for}"
    elif sent is not None:
        by = f" by {sent.sent_by}" if sent.sent_by else ""
        into = f"batch {sent.batch}, to offset {sent.redriven_offset}"
        state = f"sent again{by} in {into}: {sent.state} {sent.reason}".strip()
    elif letter.answered:
        state = "answered after a restart of the scorer"
    return [
        ("Service", letter.service or "(recorder)"),
        ("Stage", letter.stage),
        ("Rejected", letter.rejected_at),
        ("State", state),
        ("Recorded from", f"{letter.log.topic}/{letter.log.partition}/{letter.log_offset}"),
        ("Key", "none" if letter.key is None else letter.key.decode(errors="backslashreplace")),
        ("Bytes", "none: a tombstone" if letter.value is None else len(letter.value)),
        ("SHA-256 of the value", letter.payload_sha256),
    ]


def hexadecimal(value: bytes) -> list[tuple[str, str, str]]:
    """Its first bytes by lines: offset, bytes, and those of them that are letters.

    >>> hexadecimal(b"ab" + bytes([0]))
    [('0000', '61 62 00', 'ab.')]
    """
    lines = [(at, value[at : at + LINE]) for at in range(0, min(len(value), HEX_BYTES), LINE)]
    return [
        (f"{at:04x}", line.hex(" "), "".join(chr(each) if 32 <= each < 127 else "." for each in line))
        for at, line in lines
    ]


def _shown(value: Any) -> str:
    if value is None or isinstance(value, dict | list | bool):
        return json.dumps(value, default=str)
    return str(value)

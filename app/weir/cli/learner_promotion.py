"""`weir learners promote`: a learner answers for its service, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from weir.cli.arguments import reached
from weir.cli.output import say

if TYPE_CHECKING:
    from weir.operations.learner_promotion import Plan, Taken
    from weir.settings import Settings


def promote(
    name: Annotated[str, typer.Argument(help="The learner.", metavar="NAME")],
    back: Annotated[bool, typer.Option("--back", help="Let the model that answered before it answer again.")] = False,
    unproven: Annotated[
        bool,
        typer.Option("--unproven", help="Although nothing has proposed it, since no comparison shows it better."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let a learner answer for its service, and the model that answers now go on in shadow, so that both are compared.

    It builds a bundle of the learner's newest state. Whoever serves that bundle follows the learner: each new state
    answers from the next micro-batch on, and each prediction names the state that made it. A running `weir up`, and
    workers with --follow, take it within seconds. The topic of actions says who did it, and the evidence. A file with
    `promotion: automatic` has the learner worker do the same with what it proposes, there and back.
    """
    from weir.operations import learner_promotion as promotion

    settings, now = reached(), datetime.now(UTC)
    if back:
        if not yes:
            typer.confirm(f"Let what answered before learner {name} answer again?", abort=True)
        _tell(settings, promotion.back(settings, name, now))
        return
    todo = promotion.plan(settings, name)
    _show(todo)
    if todo.evidence is None and not unproven:
        say("nothing was changed; --unproven promotes it all the same")
        raise typer.Exit(1)
    if not yes:
        typer.confirm(f"Let learner {name} answer for {todo.service}?", abort=True)
    _tell(settings, promotion.take(settings, todo, now))
    say(f"back again: weir learners promote {name} --back")


def _show(todo: Plan) -> None:
    champion = todo.champion.bundle
    say(f"{todo.service} is answered by {escape(champion.name)} {escape(champion.version)} ({champion.short_digest})")
    say(f"learner {todo.name} has learned {todo.row['learned']:,} outcomes; its state is {todo.row['digest']}")
    if todo.evidence is None:
        say(f"{todo.name} has not proposed itself since this answers; what a replay of it finds is written nowhere")
    else:
        say(escape(f"proposed {todo.evidence.at:%Y-%m-%d %H:%M} UTC: {todo.evidence.sentence}"))


def _tell(settings: Settings, done: Taken) -> None:
    """What was changed, and what is to be done so that it counts."""
    answers, shadow = done.answers, done.shadow
    say(f"{done.service} is answered by {escape(answers.name)} {escape(answers.version)}:")
    say(escape(f"    {done.answers_at}"))
    say(f"and {escape(shadow.name)} {escape(shadow.version)} goes on in shadow, and answers nobody:")
    say(escape(f"    {done.shadow_at}"))
    say("a running `weir up` takes it within seconds, and scorers with --follow; where workers run by themselves:")
    say(f"    weir worker shadow --bundle {shadow.short_digest}")
    if settings.scoring.bundle:
        say("WEIR_BUNDLE is set, which the next start of `weir up` serves before what was promoted: unset it")

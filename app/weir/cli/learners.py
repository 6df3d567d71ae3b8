"""`weir learners`: models that learn from outcomes, as the project declares them, and what they would have said."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from weir.cli import learner_promotion, learner_screen
from weir.cli.arguments import Command, reached
from weir.cli.output import AsJson, Column, say, show, show_json
from weir.cli.times import between

LearnerName = Annotated[str, typer.Argument(help="The learner.", metavar="NAME")]
Reason = Annotated[str, typer.Option(help="Why; the log keeps it.")]

cli = typer.Typer(
    no_args_is_help=True,
    help="Learn from outcomes (learners/*.yaml): look at learners, replay them, stop or promote those that live.",
)


class Known(StrEnum):
    """From which time on an outcome is known."""

    RECEIVED = "received"
    OCCURRED = "occurred"


@cli.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the learners of the project: which answers, and who promotes it. Exit status 1 where a file is none."""
    from weir.agents.learner import files as learners
    from weir.operations import serving
    from weir.settings import load

    settings = load()
    found, refused = learners.looked(settings)
    answering = serving.promoted(settings)
    rows = [
        {
            "name": one.name,
            "service": one.service,
            "model": str(one),
            "features": list(one.features),
            "champion": one.champion,
            "guards": asdict(one.guards),
            "answers": answering.get(one.service) == one.name,
            "promotion": one.promotion.value,
        }
        for one in found.values()
    ]
    columns = (
        Column("name", "name", name=True),
        Column("service", "service"),
        Column("model", "model"),
        Column("features", "features", lambda names: ", ".join(names) or "all numbers"),
        Column("and the champion's score", "champion", lambda given: "yes" if given else ""),
        Column("answers", "answers", lambda given: "since it was promoted" if given else ""),
        Column("promoted by", "promotion", lambda said: "its rule" if said == "automatic" else "a person"),
    )
    show(rows, columns, as_json=as_json)
    for error in (one for faults in refused.values() for one in faults):
        typer.echo(str(error), err=True)
    if refused:
        raise typer.Exit(1)


@cli.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Learners; by default all.", metavar="[NAME]...")] = None,
) -> None:
    """Look whether every learner is sound: its file, its model of River, and that it fits its service's newest bundle.

    A line for each fault. Exit status 1 where there is one.
    """
    from weir.agents.learner import files as learners
    from weir.settings import load

    settings = load()
    found, refused = learners.looked(settings)
    for name in names or ():
        if name not in found and not any(path.stem == name for path in refused):
            learners.named(settings, name)
    faults = [one for path, of in refused.items() if not names or path.stem in names for one in of]
    chosen = [one for one in found.values() if not names or one.name in names]
    for one in chosen:
        faults += learners.check(settings, one)
    for fault in faults:
        say(escape(str(fault)))
    say(f"{len(chosen)} learners read, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)


@cli.command(cls=Command)
def replay(
    name: LearnerName,
    begin: Annotated[str, typer.Option("--from", help="Requests from this time on; by default all.")] = "",
    end: Annotated[
        str, typer.Option("--to", help="Before this time, requests and what became known; by default now.")
    ] = "",
    known: Annotated[
        Known,
        typer.Option(help="An outcome is known when Weir received it, or, for those loaded later, when it occurred."),
    ] = Known.RECEIVED,
    snapshot: Annotated[
        Path | None, typer.Option(help="Write its state after the last whole window of outcomes to this file.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on from the snapshot in this file.", exists=True, dir_okay=False)
    ] = None,
    tree: Annotated[
        Path | None, typer.Option(help="Write a Hoeffding tree, as it is then, to this file as ONNX.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay what is recorded: what the learner would have said of each request with the outcomes known until then.

    Beside it, on the same requests: the champion's recorded score; "no change", the shares of the classes so far or the
    mean; and the last class or value that became known. By the month of the request. By closed days it compares the
    learner with the champion: what it is better by, with an interval that holds at every look, and whether it is to be
    promoted. It says where the champion's loss rose, and where what comes true drifted away from what it expects. A
    corrected outcome counts as it stands in the record. The same record gives the same bits. Exit status 1 where a
    guard stopped the learner: from then on it answers with its last good state.
    """
    from weir.agents.learner import files as learners
    from weir.edges.clickhouse.client import connect
    from weir.operations import learner_replay, values

    start, stop = between(begin, end)
    settings = reached()
    learner = learners.named(settings, name)
    done = learner_replay.replay(
        connect(settings.recording),
        learner,
        begin=start,
        end=stop,
        known=known.value,
        resumed=resume.read_bytes() if resume else None,
        keep=snapshot is not None,
        tree=tree is not None,
        value=values.formula(settings, learner.service),
    )
    if snapshot:
        snapshot.write_bytes(done.snapshot(learner))
    if tree and done.tree:
        tree.write_bytes(done.tree.content)
        if not as_json:
            branches, off = done.tree.branches, done.tree.off
            say(f"the tree of {name} has {branches:,} branches; the file is off by {off:.1e} at most")
    learner_screen.replayed(name, done, as_json=as_json)
    if done.stop:
        raise typer.Exit(1)


@cli.command("show", cls=Command)
def show_(
    name: LearnerName,
    as_json: AsJson = False,
) -> None:
    """Show a learner that lives: what it has learned and found, where it goes on, its figures beside the champion's.

    From its newest snapshot. Figures are over the requests that were answered when it had a state already: what each
    would have said then. Exit status 1 where a guard or a person has stopped it.
    """
    from weir.operations import live_learners

    found = live_learners.shown(reached(), name)
    if as_json:
        show_json(asdict(found))
    else:
        learner_screen.live(found)
    if found.stop:
        raise typer.Exit(1)


@cli.command(cls=Command)
def freeze(name: LearnerName, reason: Reason) -> None:
    """Stop a learner at its last good state, from the next outcome on."""
    _say("freeze", name, reason)


@cli.command(cls=Command)
def resume(name: LearnerName, reason: Reason) -> None:
    """Let a stopped learner go on from its last good state; what came meanwhile it never learns."""
    _say("resume", name, reason)


@cli.command(cls=Command)
def export(
    name: LearnerName,
    to: Annotated[Path, typer.Option(help="Folder that it is written to.", file_okay=False)] = Path(),
) -> None:
    """Write the last good state of a linear learner as ONNX, with the weights as inputs of the graph.

    The graph is the same for every state of the learner, so that another state is other arrays in the same session. It
    is compared with the learner first, to 1e-12 as float64 and to 1e-6 as float32, and not written where it differs.
    """
    from weir.operations import learner_export

    done = learner_export.export(reached(), name, to)
    off = ", ".join(f"{dtype} {worst:.1e}" for dtype, worst in done.off.items())
    say(f"state {done.digest} of {name}; the graph is off by at most: {off}")
    for path in done.paths:
        say(escape(str(path)))


cli.command(cls=Command)(learner_promotion.promote)


def _say(what: str, name: str, reason: str) -> None:
    from weir.agents.learner import files
    from weir.agents.learner.entries import Kind
    from weir.operations import live_learners

    settings = reached()
    files.named(settings, name)
    live_learners.say(settings, Kind(what), name, reason, datetime.now(UTC))
    say(f"{what} {name}: done as soon as the learner worker reads it")

"""`weir train`: a new bundle from a request for training, compared with the champion."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from weir.cli.arguments import reached
from weir.cli.output import AsJson, Column, say, show, show_json


def train(
    action: Annotated[
        str,
        typer.Option(
            "--from",
            help="Id of a request for training (`weir query actions/list`), or how it begins; or a file.json of `weir "
            "learners replay NAME --json`: its last request.",
        ),
    ],
    by: Annotated[
        str, typer.Option("--with", help="Train by this function of the project, module:function; else by LightGBM.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Train a service anew on what a request of a learner or a monitor names, build the bundle, and compare it.

    The requests as they were served, with the outcomes that were known when training was asked for. The newest quarter
    of the days is held out: the new model sees none of it, nor an outcome that came later than it begins; on it both
    are compared by days. The bundle is built and tried as `weir bundle build` does, and serves nothing until somebody
    names it. The function is given features (a pyarrow.Table), labels and weights, and returns the content of a model's
    file, ONNX or LightGBM's text.
    """
    from weir.cli import learner_evidence
    from weir.edges.clickhouse.client import connect
    from weir.operations import train as training

    settings = reached()
    done = training.train(connect(settings.recording), settings, action, by)
    if as_json:
        said = {name: value for name, value in asdict(done).items() if name not in ("action", "bundle")}
        show_json({"action": done.action.row(), "bundle": str(done.bundle), **said})
        return
    say(escape(done.action.sentence))
    named = "" if done.asked is None else f"of {done.asked:,} outcomes that it names "
    say(f"{named}the record has {done.found:,}{'' if named else ' outcomes'}; trained on {done.trained_on:,}")
    if done.early:
        say(f"{done.early:,} were left out: their outcomes came after {learner_evidence.day(done.since_ms)}")
    columns = (
        Column("who", "who", lambda who: "new" if who == "learner" else str(who), name=True),
        Column("requests", "requests", lambda count: f"{count:,}", right=True),
        *learner_evidence.figures_in(done.rows),
    )
    show(done.rows, columns, as_json=False)
    learner_evidence.show_comparison(done.comparison, 0.0, "new model")
    say(f"bundle [bold]{done.digest[:12]}[/] {escape(str(done.bundle))}, trained by {escape(done.by)}")

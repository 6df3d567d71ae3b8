"""`weir bundle`: build, check, list, inspect and remove model bundles, and make the request contract of one."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weir.cli.arguments import Command, Which
from weir.cli.output import AsJson, Column, show, show_json, show_table
from weir.cli.score import score
from weir.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weir.core.bundle import Bundle
    from weir.core.runtime import Versions
    from weir.core.signature import Input, Signature
    from weir.operations.bundles import Built, Checked
    from weir.operations.contract import Draft
    from weir.settings import Settings

cli = typer.Typer(
    no_args_is_help=True,
    help="Build, check, list, inspect and remove model bundles, and make the request contract of one.",
)

REGISTERED = "`weir up` makes its topic and registers it, or `weir topics create` on a running cluster"


@cli.command(cls=Command)
def build(
    spec: Annotated[
        str, typer.Argument(help="A service of the project, or a YAML file that describes the bundle.", metavar="SPEC")
    ],
) -> None:
    """Build the bundle of a service, and write the contract of its requests.

    `weir service add` writes a specification, `weir bundle spec --example` prints one with every key and what it means.
    The bundle is opened and asked for its golden rows before it gets its name: what is built can be served.
    """
    from weir.operations import bundles, services

    settings, console = load(), Console()
    built = bundles.build(services.spec_of(spec, settings), settings)
    console.print(f"bundle [bold]{built.path.name[:12]}[/] {escape(str(built.path))}", soft_wrap=True)
    for line in built.said:
        console.print(f"took {line}" if line.startswith("output") else line, markup=False, highlight=False)
    for line in built.warnings:
        console.print(f"[yellow]warning[/] {escape(line)}", highlight=False, soft_wrap=True)
    console.print(escape(_contract_line(built, settings)), highlight=False, soft_wrap=True)


@cli.command(cls=Command)
def check(which: Which, as_json: AsJson = False) -> None:
    """Open a bundle as a scorer would, and ask it for its golden rows.

    Also which engine scores it and why (`WEIR_ENGINE`), and what a row costs by each: time of the clock, one thread,
    the best of three tries. Other work on this machine makes it more.
    """
    from weir.operations import bundles

    checked = bundles.check(which, load())
    bundle, lines = checked.opened.bundle, _lines(checked)
    if as_json:
        content = {name: {"result": result, "said": said} for result, name, said in lines}
        show_json({"digest": bundle.digest, "checks": content})
        return
    colours = {"ok": "green", "skipped": "yellow", "warning": "yellow"}
    table = _plain_table(f"{bundle.name} {bundle.version}", columns=3)
    for result, name, said in lines:
        table.add_row(f"[{colours[result]}]{result}[/]", name, escape(said))
    show_table(table)


@cli.command("list")
def list_bundles(as_json: AsJson = False) -> None:
    """Show the bundles of WEIR_BUNDLES_DIR, the newest first. They are not checked."""
    from weir.operations import bundles

    settings = load()
    found = [_identity_of(one.path, one.bundle, one.built_s) for one in bundles.listed(settings)]
    if not found and not as_json:
        typer.echo(f"no bundles in {settings.paths.bundles_dir}")
        return
    columns = (
        Column("digest", "digest", lambda digest: str(digest)[:12], name=True),
        Column("service", "service", _or_unknown),
        Column("name", "name", _or_unknown),
        Column("version", "version", _or_unknown, name=True),
        Column("built (UTC)", "built", lambda built: f"{built:%Y-%m-%d %H:%M}", name=True),
    )
    show(found, columns, as_json=as_json)


@cli.command(cls=Command)
def inspect(which: Which, as_json: AsJson = False) -> None:
    """Show a bundle's manifest. Its digest is checked; its model is not loaded."""
    from weir.edges.bundles import folder, manifest

    described = folder.read(folder.find(which, load()))
    bundle, path = described.bundle, described.path
    if as_json:
        show_json({"digest": bundle.digest, "path": str(path), **manifest.to_plain(bundle)})
        return
    console = Console()
    show_table(_identity(bundle, path))
    console.print("\ninputs, in the order of the model's columns", style="italic")
    for number, item in enumerate(bundle.signature.inputs):
        console.print(f"[bold]{number:>3}  {escape(item.name)}[/]  {escape(_kind(item))}", highlight=False)
        for line in (_rules(item), item.doc):
            if line:
                console.print(f"     {escape(line)}", highlight=False)
    console.print(f"\ncard: {escape(str(path / folder.CARD))}", soft_wrap=True)


@cli.command(cls=Command)
def remove(
    name: Annotated[str, typer.Argument(help="Name of the model, as `weir bundle list` shows it.", metavar="NAME")],
    version: Annotated[str, typer.Argument(help="Its version.", metavar="VERSION")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a bundle, so that its name and version are free again. One that is served here is not deleted.

    Whether another machine serves it is not known.
    """
    from weir.operations import bundles, serving

    settings = load()
    found = bundles.named(name, version, settings)
    for one in found:
        typer.echo(f"{one.path.name[:12]} {one.path}")
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("add --yes: there is no terminal to ask on", param_hint="--yes")
        typer.confirm(f"Delete bundle {name} {version}?", abort=True)
    bundles.remove(found)
    typer.echo(f"deleted {name} {version}; what it predicted stays")
    for service in serving.forget([one.path for one in found], settings):
        typer.echo(f"`weir up --bundle` had named it: `weir up` serves the newest bundle of service {service} again")


@cli.command(cls=Command)
def contract(
    which: Which,
    write: Annotated[bool, typer.Option("--write", help="Write it into WEIR_SCHEMAS_DIR.")] = False,
) -> None:
    """Print the request contract that a bundle needs, or write it as the next version of its service's."""
    from weir.edges.bundles import folder
    from weir.operations import contract as contracts

    settings = load()
    made = contracts.draft(settings, folder.read(folder.find(which, settings)).bundle)
    if not write:
        typer.echo(made.text, nl=False)
        return
    contracts.write(made)
    if made.exists:
        typer.echo(f"{made.path} has all that the bundle asks for")
    else:
        typer.echo(f"wrote {made.path}: {REGISTERED}")


@cli.command()
def spec(
    example: Annotated[bool, typer.Option("--example", help="Print one with every key and what it means.")] = False,
) -> None:
    """Describe the specification that `weir bundle build` takes."""
    from weir.edges.bundles.example import SPEC

    if not example:
        typer.echo("give --example: it prints a specification with every key and what it means", err=True)
        raise typer.Exit(2)
    typer.echo(SPEC, nl=False)


def _lines(checked: Checked) -> list[tuple[str, str, str]]:
    """Result, name and words of each check."""
    from weir.core.bundle import RELATIVE
    from weir.edges.bundles import folder, runtime

    opened, rehearsal = checked.opened, checked.rehearsal
    bundle, golden = opened.bundle, opened.golden
    within = f"{bundle.tolerance:g} or {RELATIVE:g} of the score"
    alone = rehearsal.company or "same bits in any batch"
    lines = [
        ("ok", "content", f"{', '.join(folder.FILES)}; nothing else"),
        ("ok", "digest", bundle.digest),
        ("ok" if checked.contract.exists else "warning", "contract", _contract_said(checked.contract, bundle)),
        ("ok", "graph", f"{opened.model.takes} -> {opened.model.output_tensor}, as the signature says"),
        ("ok", "golden rows", f"{len(golden.outputs):,} within {within}, largest {golden.worst:.1e}"),
        _flips_line(golden.flips),
        ("warning" if rehearsal.company else "ok", "rows alone", alone),
    ]
    if checked.plan is not None:
        said = f"{checked.plan.service}, fingerprint {checked.plan.fingerprint[:12]}, keys and types as it has them"
        lines.append(("ok", "features", said))
    elif bundle.feature_service:
        said = "no feature repository was applied here (`weir apply`): features, join keys and requests were not tried"
        lines.append(("skipped", "features", said))
    else:
        lines.append(("ok", "features", "none are read"))
    if rehearsal.asked:
        result = "warning" if rehearsal.refusals else "ok"
        said = rehearsal.refusals or f"{rehearsal.scored:,} golden rows asked, answered and shaped for the record"
        lines.append((result, "requests", said))
        sizes = f"up to {rehearsal.asked_bytes:,} bytes a request and {rehearsal.written_bytes:,} a prediction"
        lines.append(("warning" if checked.too_large else "ok", "sizes", checked.too_large or sizes))
    lines.append(("ok", "runs on", opened.model.runs_on))
    lines += [("ok", f"us a row, {engine}", _costs_said(costs)) for engine, costs in checked.costs.items()]
    other = runtime.other_than_built(bundle)
    lines.append(("warning" if other else "ok", "built with", other or _built_with(bundle.built_with)))
    lines.append(("ok", "warm-up", f"{opened.model.warm_up_s * 1000:.1f} ms"))
    return lines


def _costs_said(costs: Mapping[int, float]) -> str:
    return ", ".join(f"{us:.2f} in batches of {batch:,}" for batch, us in costs.items())


def _flips_line(flips: Mapping[str, int]) -> tuple[str, str, str]:
    """Whether the golden rows are decided as the trained model decides."""
    if not flips:
        return "ok", "decisions", "as the trained model decides on each golden row"
    said = ", ".join(f"{count:,} of {word or 'no'} decision" for word, count in flips.items())
    return "warning", "decisions", f"golden rows so near to a cut that they are decided otherwise: {said}"


def _contract_line(built: Built, settings: Settings) -> str:
    """Which contract requests have, and what to run if it was not written."""
    from weir.operations import contract as contracts

    made = built.contract
    if not made.exists and contracts.is_own(settings):
        return f"contract: wrote {made.path}: {REGISTERED}"
    return f"contract: {_offered(made, built.path.name[:12])}"


def _contract_said(made: Draft, bundle: Bundle) -> str:
    keys = len(bundle.signature.join_keys)
    return f"{len(bundle.signature.inputs)} inputs, {keys} join keys: {_offered(made, bundle.short_digest)}"


def _offered(made: Draft, digest: str) -> str:
    """Whether requests have a contract that has all, and what to run if not."""
    if made.exists:
        return f"{made.record} v{made.version} has all that the bundle asks for"
    lacks = f"v{made.version - 1} lacks {', '.join(made.fields)}" if made.version > 1 else "there is none yet"
    return f"{made.record}: {lacks}: run `weir bundle contract {digest} --write`; {REGISTERED}"


def _or_unknown(name: str | None) -> str:
    return name or "?"


def _identity_of(path: Path, bundle: Bundle | None, built_s: float) -> dict[str, Any]:
    names = {name: getattr(bundle, name) if bundle else None for name in ("service", "name", "version", "owner")}
    built = datetime.fromtimestamp(built_s, UTC).replace(microsecond=0)
    return {"digest": path.name, **names, "built": built, "path": str(path)}


def _plain_table(title: str, columns: int) -> Table:
    """Without headings; a digest that does not fit is folded, never cut."""
    table = Table(title=title, title_justify="left", show_header=False)
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table


def _identity(bundle: Bundle, path: Path) -> Table:
    table = _plain_table(f"{bundle.name} {bundle.version}", columns=2)
    keys = bundle.signature.join_keys
    rows = {
        "digest": bundle.digest,
        "path": str(path),
        "service": bundle.service,
        "owner": bundle.owner,
        "feature service": bundle.feature_service or "none",
        "fingerprint": bundle.feature_fingerprint or "none",
        "trained on": " to ".join(filter(None, (bundle.training_from, bundle.training_to))) or "not said",
        "training data": bundle.training_snapshot or "not said",
        "built with": _built_with(bundle.built_with),
        "task": str(bundle.signature.task),
        "decisions": _decisions(bundle.signature),
        "tolerance": f"{bundle.tolerance:g}",
        "join keys": ", ".join(f"{key.name} {key.dtype}{'' if key.required else ', may be null'}" for key in keys)
        or "none",
        **{name: f"{value:g}" for name, value in bundle.metrics.items()},
    }
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def _built_with(built: Versions) -> str:
    known = {name: value for name, value in asdict(built).items() if value}
    return ", ".join(f"{name} {value}" for name, value in known.items()) or "not said"


def _decisions(signature: Signature) -> str:
    """Which score is which decision."""
    if signature.outputs:
        return f"the class of the highest score: {', '.join(signature.outputs)}"
    lowest, *others = signature.decisions
    rising = [f"{word} from {cut:g}" for word, cut in zip(others, signature.cuts, strict=True)]
    return ", ".join([lowest, *rising]) or "none"


def _kind(item: Input) -> str:
    """Type and source of an input; its field where that has another name."""
    kind = f"{item.dtype} ({len(item.categories)})" if item.categories else f"{item.dtype} {item.unit}".strip()
    return f"{kind}, {item.source}" + (f" {item.ref}" if item.ref != item.name else "")


def _rules(item: Input) -> str:
    """What becomes of a value that is outside, missing, stale or unavailable."""
    low, high = ("" if bound is None else f"{bound:g}" for bound in (item.low, item.high))
    parts = [f"{low} .. {high}"] if low or high else []
    parts.append(f"missing: {item.on_missing}")
    if item.source == "feature":
        parts += [f"stale: {item.on_stale}", f"unavailable: {item.on_unavailable}"]
        parts += [] if item.max_age_s is None else [f"stale after {item.max_age_s:g} s"]
    parts += [] if item.default is None else [f"default {item.default:g}"]
    return "; ".join(parts)


cli.command("score", cls=Command)(score)

"""`weir bundle`: build, check and inspect model bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weir.settings import load

if TYPE_CHECKING:
    from weir.core.bundle import Bundle
    from weir.core.features import ServicePlan

cli = typer.Typer(no_args_is_help=True, help="Build, check and inspect model bundles.")

Which = Annotated[str, typer.Argument(help="Bundle folder, or the beginning of a digest in WEIR_BUNDLES_DIR.")]


@cli.command()
def build(
    spec: Annotated[
        Path | None, typer.Argument(help="YAML file that describes the bundle; without it the demo's model is trained.")
    ] = None,
) -> None:
    """Build a bundle from a specification, or train and build the flight-delay bundle of the demo."""
    settings = load()
    if spec is None:
        from weir.cli.progress import steps
        from weir.demo import project, training

        with steps() as progress:
            path = training.build(project.settled(settings), progress)
    else:
        from weir.edges.bundles import spec as bundle_spec

        path = bundle_spec.build(spec, settings)
    Console().print(f"bundle [bold]{path.name[:12]}[/] {escape(str(path))}", soft_wrap=True)


@cli.command()
def check(which: Which) -> None:
    """Load a bundle as a scorer would: digest, ONNX only, graph, golden rows, feature service."""
    from weir.edges.bundles import store as bundle_store

    settings = load()
    path = bundle_store.find(which, settings)
    bundle = bundle_store.read(path)
    plan, features = _plan(bundle)
    opened = bundle_store.open_bundle(path, settings, plan)
    table = _plain_table(f"{bundle.name} {bundle.version}", columns=3)
    for name, said in (
        ("content", f"{', '.join(bundle_store.FILES)}; nothing else"),
        ("digest", bundle.digest),
        ("graph", f"float32[n, {opened.model.width}] -> {opened.model.output_tensor}, as the signature says"),
        ("golden rows", f"{opened.golden_rows:,} within {bundle.tolerance:g}, largest {opened.golden_max_diff:.1e}"),
        ("features", features),
        ("runs on", str(opened.model.placement)),
        ("warm-up", f"{opened.model.warm_up_s * 1000:.1f} ms"),
    ):
        table.add_row("[green]ok[/]", name, escape(said))
    Console().print(table)


@cli.command()
def inspect(
    which: Which, as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False
) -> None:
    """Show what a bundle says of itself; its digest is checked, its model is not loaded."""
    from weir.edges.bundles import store as bundle_store

    path = bundle_store.find(which, load())
    bundle = bundle_store.read(path)
    if as_json:
        typer.echo(json.dumps({"digest": bundle.digest, "path": str(path), **bundle_store.to_plain(bundle)}, indent=1))
        return
    console = Console()
    console.print(_identity(bundle, path), _inputs(bundle))
    console.print(f"card: {escape(str(path / bundle_store.CARD))}", soft_wrap=True)


def _plan(bundle: Bundle) -> tuple[ServicePlan | None, str]:
    """The plan to hold the bundle to, and what to say of it."""
    from weir.edges.features import plan as feature_plan

    if not bundle.feature_service:
        return None, "none are read"
    settings = load()
    if not feature_plan.path(settings).is_file():
        return None, "not checked: no feature repository was applied here (`weir apply`)"
    plan = feature_plan.load(settings, bundle.feature_service)
    return plan, f"{plan.service}, fingerprint {plan.fingerprint[:12]}"


def _plain_table(title: str, columns: int) -> Table:
    """Without headings; a digest that does not fit is folded, never cut."""
    table = Table(title=title, title_justify="left", show_header=False)
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table


def _identity(bundle: Bundle, path: Path) -> Table:
    table = _plain_table(f"{bundle.name} {bundle.version}", columns=2)
    rows = {
        "digest": bundle.digest,
        "path": str(path),
        "service": bundle.service,
        "owner": bundle.owner,
        "feature service": bundle.feature_service or "none",
        "fingerprint": bundle.feature_fingerprint or "none",
        "trained on": f"{bundle.training_from} to {bundle.training_to}",
        "threshold": f"{bundle.signature.threshold:g}",
        "tolerance": f"{bundle.tolerance:g}",
        "join keys": ", ".join(key.name + "?" * (not key.required) for key in bundle.signature.join_keys) or "none",
        **{name: f"{value:g}" for name, value in bundle.metrics.items()},
    }
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def _inputs(bundle: Bundle) -> Table:
    table = Table(title="inputs, in the order of the model's columns", title_justify="left")
    for heading in ("", "input", "source", "type", "range", "missing", "stale", "unavailable", "default", "meaning"):
        table.add_column(heading)
    for number, item in enumerate(bundle.signature.inputs):
        low, high = ("" if bound is None else f"{bound:g}" for bound in (item.low, item.high))
        kind = f"{item.dtype} ({len(item.categories)})" if item.categories else str(item.dtype)
        default = "" if item.default is None else f"{item.default:g}"
        stale, away = (item.on_stale, item.on_unavailable) if item.source == "feature" else ("", "")
        span = f"{low} .. {high}" if low or high else ""
        policies = (str(item.on_missing), str(stale), str(away))
        row = (str(number), item.name, str(item.source), kind, span, *policies, default, item.doc)
        table.add_row(*map(escape, row))
    return table

"""`weir worker`: one role in this process, until SIGTERM drains it."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

from weir.core.errors import WeirError
from weir.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from weir.edges.kafka.faust_app import ChunkApp
    from weir.edges.observability.health_server import HealthServer
    from weir.telemetry import Telemetry

WITHOUT_PANDAS = ("scorer", "shadow", "recorder", "monitor")  # the others may ask Feast, which needs it

Follow = Annotated[
    bool,
    typer.Option(
        "--follow",
        help="Once another bundle is promoted (WEIR_HOME says so), answer what was read, commit, and end with exit "
        "status 75: whoever starts this again has the other one, where the bundle is named by its service.",
    ),
]

Chosen = Annotated[
    str | None,
    typer.Option(
        "--chosen", help="What was chosen for the service when this bundle was; now, by default.", hidden=True
    ),
]

cli = typer.Typer(
    no_args_is_help=True,
    help="Run one worker until SIGTERM: scorer, shadow, recorder, features, monitor, learner, canary, golden.",
)


@cli.callback()
def begin(context: typer.Context) -> None:
    """Begin a role: most need no pandas."""
    from weir.edges.observability.small_process import do_without_pandas

    if context.invoked_subcommand in WITHOUT_PANDAS:
        do_without_pandas()


@cli.command()
def scorer(
    bundle: Annotated[
        str,
        typer.Option(
            help="Bundle folder, its digest, or a service: what was promoted or chosen for it in this WEIR_HOME, else "
            "its newest."
        ),
    ] = "",
    follow: Follow = False,
    chosen: Chosen = None,
) -> None:
    """Score the requests of one service with a bundle; the service is the bundle's where WEIR_SERVICE is not set."""
    from weir.agents.scorer.agent import new_scorer
    from weir.agents.scorer.resources import open_resources
    from weir.edges.bundles import folder
    from weir.operations import following_promotions as promotions

    settings = load()
    known = promotions.answers(settings) if follow else {}  # first: what is promoted meanwhile ends this one
    if bundle:
        settings = settings.having(bundle=bundle)
    settings = promotions.of_service(settings)
    if settings.scoring.bundle and not settings.scoring.service:
        settings = settings.having(service=_service_of(settings))
    telemetry = _begin(settings, "scorer")
    resources, opened = open_resources(settings, telemetry)
    folder.hold(opened.path)
    digest, runs_on = opened.bundle.short_digest, opened.model.runs_on
    answers = f"requests of {settings.scoring.service} as {settings.scoring.variant}, among all scorers of the service"
    said = {"runs_on": runs_on, "answers": answers}
    first = known.get(settings.scoring.service, "") if chosen is None else chosen
    over = promotions.scorer_is_over(settings, opened.path, first) if follow else _never
    engine = opened.model.engine
    ended = _serve(settings, telemetry, "scorer", lambda: new_scorer(settings, resources), digest, engine, over, **said)
    resources.close()
    _again(ended)


@cli.command()
def shadow(
    bundle: Annotated[str, typer.Option(help="Bundle folder, its digest, or a service: its newest.")] = "",
    variant: Annotated[str, typer.Option(help="Name of this shadow; by default the bundle's digest.")] = "",
    follow: Follow = False,
    chosen: Chosen = None,
) -> None:
    """Score answered requests with another bundle, beside the scorers: it answers nobody, its scores are recorded.

    Its group goes on where it has committed; without a commit it begins at the first offset that the log still has.
    """
    from weir.agents.shadow.agent import new_shadow, open_shadow
    from weir.edges.bundles import folder
    from weir.operations import following_promotions as promotions

    settings = load()
    known = promotions.beside(settings) if follow else {}
    if bundle:
        settings = settings.having(bundle=bundle)
    if settings.scoring.bundle:
        settings = settings.having(service=_service_of(settings))
    telemetry = _begin(settings, "shadow")
    resources, opened = open_shadow(settings, telemetry, variant)
    folder.hold(opened.path)
    digest, name = opened.bundle.short_digest, resources.shadow.variant.name
    begins = "where its group has committed; without a commit, at the first offset of the predictions: it scores all"
    said = {"runs_on": opened.model.runs_on, "answers": f"nobody; it is shadow {name}", "begins": begins}
    first = known.get(settings.scoring.service, "") if chosen is None else chosen
    over = promotions.shadow_is_over(settings, opened.path, first) if follow else _never
    engine = opened.model.engine
    ended = _serve(settings, telemetry, "shadow", lambda: new_shadow(settings, resources), digest, engine, over, **said)
    resources.close()
    _again(ended)


@cli.command()
def recorder() -> None:
    """Record predictions, outcomes, dead letters and the ledger in ClickHouse."""
    from weir.agents.recorder.agent import new_recorder

    settings = load()
    telemetry = _begin(settings, "recorder")
    _serve(settings, telemetry, "recorder", new_recorder(settings, telemetry))


@cli.command()
def features() -> None:
    """Turn the demo's events into online features."""
    from weir.demo.features.agent import new_features

    settings = load()
    telemetry = _begin(settings, "features")
    _serve(settings, telemetry, "features", new_features(settings, telemetry))


@cli.command()
def monitor() -> None:
    """Compute every monitor over the windows that are complete, and raise alerts.

    Of several one is active; another takes over when it is gone, and goes on where it stopped.
    """
    from weir.agents.monitor.agent import new_monitor, open_monitor

    settings = load()
    telemetry = _begin(settings, "monitor")
    resources = open_monitor(settings, telemetry)
    try:
        _serve(settings, telemetry, "monitor", lambda: new_monitor(settings, telemetry, resources))
    finally:
        resources.close()


@cli.command()
def learner() -> None:
    """Learn from the outcomes of all services as they come, with the learners of the project (learners/*.yaml).

    Of several one is active; another takes over when it is gone, goes on from the newest snapshots, and comes to the
    same bits.
    """
    from weir.agents.learner.agent import new_learner, open_learner
    from weir.operations.learner_rule import Rule

    settings = load()
    telemetry = _begin(settings, "learner")
    notifier = open_learner(settings, telemetry)
    try:
        _serve(settings, telemetry, "learner", lambda: new_learner(settings, telemetry, notifier, Rule(settings)))
    finally:
        notifier.close()


@cli.command()
def canary() -> None:
    """Keep comparing the scorer's features with Feast's, and count the differences."""
    from weir.agents.canary.agent import watch
    from weir.edges.observability.health_server import HealthServer, running

    settings = load()
    telemetry = _begin(settings, "canary")
    with HealthServer(settings.telemetry, telemetry, running):
        watch(settings, telemetry)


@cli.command()
def golden(
    bundle: Annotated[str, typer.Option(help="Bundle folder, its digest, or a service: its newest.")] = "",
    every_s: Annotated[float, typer.Option("--every", help="Seconds between two rounds.", min=1)] = 60.0,
    count: Annotated[int, typer.Option("--count", help="Requests of a round.", min=1, max=1000)] = 10,
) -> None:
    """Send requests with known answers, rows of the bundle, again and again; monitor health/golden compares them.

    They are recorded like all others and are in no statistic. Features are looked up for an entity that nobody knows.
    """
    from weir.edges.bundles import folder
    from weir.edges.bundles.opened import open_bundle
    from weir.edges.observability.health_server import HealthServer, running
    from weir.operations import golden as sender
    from weir.operations.bundles import plan_of

    settings = load()
    if bundle:
        settings = settings.having(bundle=bundle)
    settings = settings.having(service=_service_of(settings))
    telemetry = _begin(settings, "golden")
    described = folder.read(folder.find(settings.scoring.bundle, settings))
    plan = plan_of(described.bundle, settings)
    opened = open_bundle(described, plan)
    with HealthServer(settings.telemetry, telemetry, running):
        sender.watch(settings, opened, plan, every_s=every_s, count=count, stop=sender.ended())


def _service_of(settings: Settings) -> str:
    """The service that the bundle is for. Raises Refused."""
    from weir.edges.bundles import folder

    return folder.read(folder.find(settings.scoring.bundle, settings)).bundle.service


def _begin(settings: Settings, role: str) -> Telemetry:
    from weir.edges.observability import logs
    from weir.telemetry import Telemetry

    logs.configure(settings.telemetry, role=role)
    return Telemetry()


def _serve(
    settings: Settings,
    telemetry: Telemetry,
    role: str,
    new: Callable[[], ChunkApp],
    digest: str = "",
    engine: str = "",
    over: Callable[[], bool] = lambda: False,
    **said: str,
) -> bool:
    """Run a role's app beside its metrics and health pages; whether it ended since it was `over`.

    said: what the log says of its start beside that.
    """
    import structlog

    from weir.agents.worker.host import run
    from weir.edges.observability.health_server import HealthServer
    from weir.telemetry import WorkerStarted

    apps: list[ChunkApp] = []

    def started() -> ChunkApp:
        apps.append(new())
        return apps[0]

    def ready() -> tuple[bool, str]:
        return apps[0].ready() if apps else (False, "starting")

    health: HealthServer
    with HealthServer(settings.telemetry, telemetry, ready) as health:
        took_s = time.time() - _process_began_s()
        telemetry.emit(
            WorkerStarted(
                role=role,
                service=settings.scoring.service,
                version=version("weir"),
                digest=digest,
                engine=engine,
                ready_s=took_s,
            )
        )
        log = structlog.get_logger(__name__)
        log.info("worker started", health=health.url, ready_s=round(took_s, 2), digest=digest, **said)
        ended = run(started, telemetry, role, over)
        why = "since another bundle was promoted" if ended else "as it was asked to"
        log.info(f"worker stopped, {why}; what it had read is answered and committed")
    return ended


def _never() -> bool:
    return False


def _again(ended: bool) -> None:
    """Exit with the status of what is to be started again."""
    if ended:
        raise typer.Exit(WeirError.status)


def _process_began_s() -> float:
    """When this process began, seconds since the epoch, as prometheus_client reads it from the system."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry.get_sample_value("process_start_time_seconds") or time.time()

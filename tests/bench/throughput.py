"""Throughput of configurations, each in turns with the limit of its own model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from weir.core.errors import WeirError

from tests.bench import limit, peers_in_turn
from tests.bench.drain import STAGES, Case, Drained, drain
from tests.bench.peers.run import Peer
from tests.bench.protocol import Judge, Say, median, ratios
from tests.bench.stand import Stand
from tests.bench.workload import INSIDE, PREFIX_ROWS, Workload

HITS = {
    share: Workload(service=f"bench-feast-{share}", looked_up=True, hit_share=share / 100) for share in (100, 95, 50)
}
BY_ONNX_RUNTIME = {"WEIR_ENGINE": "onnxruntime"}
FRESH = {"WEIR_CACHE_TTL_S": "3600"}  # so that a miss is a key that was never seen, and nothing else
LEAST_WARM_UPS, WARM_UPS = 4, 8  # fewer drains than these may cost the same and still be cold
WARM = 0.85  # a drain that costs the broker as much as the cheapest, to so much, is warm
IN_MEMORY = 0.5  # of a round's rows, where the broker never lets go of any
MIN_FEAST_ROWS = 3 * PREFIX_ROWS  # a third warms the cache, and enough is left to be counted


def cases(*, quick: bool, broker: str) -> list[Case]:
    """Features in the request, and from Feast; one process and two."""
    share = IN_MEMORY if broker == "tansu" else 1.0
    found = [Case(name=f"{broker}/inside/{n}p", workload=INSIDE, processes=n, share=share) for n in (1, 2)]
    hits = {95: (1, 2), 100: (2,), 50: (2,)}
    if quick:
        hits = {95: (2,)} if broker == "kafka" else {}
    found += [
        Case(name=f"{broker}/feast-{hit}/{n}p", workload=HITS[hit], processes=n, share=share, environment=FRESH)
        for hit, counts in hits.items()
        for n in counts
    ]
    found += [_by_onnx_runtime(case) for case in found]
    if not quick:
        beside = f"{broker}/inside/2p/generator-beside"
        found.append(Case(name=beside, workload=INSIDE, processes=2, share=share, beside=True))
    return found


def _by_onnx_runtime(case: Case) -> Case:
    """The same, not scored by the kernel for trees."""
    return replace(case, name=f"{case.name}/onnxruntime", environment={**case.environment, **BY_ONNX_RUNTIME})


def measure(
    stand: Stand, configurations: Sequence[Case], peers: Sequence[Peer], judge: Judge, say: Say, rounds: int = 0
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All configurations in turns, round by round, each right after its limit, then the peers.

    A configuration whose rounds do not agree is measured again, until they do or there are most_rounds of them.
    peers: compared with the first configuration, which has the features inside. rounds: 0 takes the protocol's.
    Returns an entry per configuration, and one per peer.
    """
    protocol, rounds = judge.protocol, rounds or judge.protocol.rounds
    rates: dict[str, list[limit.Rate]] = defaultdict(list)
    drained: dict[str, list[Drained]] = defaultdict(list)
    took: dict[str, list[peers_in_turn.Took]] = defaultdict(list)
    beside: dict[int, float] = {}  # round -> what the peers of that round are compared with
    if stand.broker == "kafka":
        _warm_up(stand, protocol.drain_rows, say)
    for turn in range(max(rounds, protocol.most_rounds)):
        for case in configurations:
            if turn >= rounds and judge.agree(_ratios(drained[case.name], rates[case.name])):
                continue
            model = stand.service(case.workload).bundle / "model.onnx"
            alone = limit.headline(model, case.workload.features, protocol.limit_s)
            try:
                found = drain(stand, case, rows_of(case, protocol.drain_rows))
            except (AssertionError, RuntimeError, WeirError) as error:  # the other rounds and cases still tell
                judge.refuse(f"{case.name}, round {turn + 1}: {error}")
                say(judge.broken[-1])
                continue
            rates[case.name].append(alone)
            drained[case.name].append(found)
            if case is configurations[0]:
                beside[turn] = found.events_per_s
            say(
                f"round {turn + 1}  {case.name:32} {found.events_per_s:>9,.0f}/s  limit {alone.per_s:>9,.0f}/s  "
                f"ratio {found.events_per_s / alone.per_s:.2f}  CPU {found.scorer_us:.1f} + {found.broker_us:.1f} us"
            )
        for peer in peers if turn < min(rounds, protocol.peer_rounds) else ():
            took[peer.title].append(peers_in_turn.take(stand, stand.service(INSIDE), peer, turn, judge))
            say(f"round {turn + 1}  peer {peer.title:27} {took[peer.title][-1].events_per_s:>9,.0f}/s")
    entries = [
        entry(stand.broker, case, drained[case.name], rates[case.name], judge)
        for case in configurations
        if drained[case.name]
    ]
    ours = [beside.get(turn, math.nan) for turn in range(min(rounds, protocol.peer_rounds))]
    return entries, [peers_in_turn.entry(peer, took[peer.title], ours, judge) for peer in peers]


def _ratios(drained: Sequence[Drained], rates: Sequence[limit.Rate]) -> list[float]:
    return ratios([one.events_per_s for one in drained], [rate.per_s for rate in rates])


def _warm_up(stand: Stand, rows: int, say: Say) -> None:
    """Drains that are not counted, until the broker becomes no cheaper.

    A JVM compiles during its first millions of records, and takes up to five times the CPU time meanwhile.
    """
    least_us = math.inf
    for turn in range(WARM_UPS):
        found = drain(stand, Case(name="warm-up", workload=INSIDE), rows)
        say(f"warming up  {turn + 1:<29} {found.events_per_s:>9,.0f}/s  CPU of the broker {found.broker_us:.1f} us")
        if turn >= LEAST_WARM_UPS - 1 and least_us * WARM < found.broker_us < least_us / WARM:
            return
        least_us = min(least_us, found.broker_us)


def rows_of(case: Case, rows: int) -> int:
    """Requests of one round of a case."""
    n = int(rows * case.share)
    return max(n, MIN_FEAST_ROWS) if case.workload.looked_up else n


def entry(
    broker: str, case: Case, drained: Sequence[Drained], rates: Sequence[limit.Rate], judge: Judge
) -> dict[str, Any]:
    """The rounds of one configuration, as the JSON has them."""
    found = _ratios(drained, rates)
    for one in drained:
        judge.whole(case.name, one.faults)
        judge.foreign(case.name, one.foreign)
    judge.spread(case.name, found)
    hits = [one.hit_rate for one in drained if one.hit_rate is not None]
    return {
        "name": case.name,
        "broker": broker,
        "processes": case.processes,
        "features": case.workload.features,
        "partitions": case.workload.partitions,
        "looked_up": case.workload.looked_up,
        "settings": dict(case.environment),
        "generator_beside": case.beside,
        "events_per_s": median([one.events_per_s for one in drained]),
        "limit_per_s": median([rate.per_s for rate in rates]),
        "ratio_to_limit": median(found),
        "ratios": found,
        "scorer_us": median([one.scorer_us for one in drained]),
        "broker_us": median([one.broker_us for one in drained]),
        "limit_us": median([1e6 / rate.per_cpu_s for rate in rates]),
        "bytes_in": fmean(one.bytes_in for one in drained),
        "bytes_out": fmean(one.bytes_out for one in drained),
        "hit_rate": fmean(hits) if hits else None,
        "hit_target": case.workload.hit_share if hits else None,
        "batch_rows": fmean(one.batch_rows for one in drained),
        "closed_by": drained[-1].closed_by,
        "stage_us": {stage: fmean(one.stage_us[stage] for one in drained) for stage in STAGES},
        "foreign": max(one.foreign for one in drained),
    }

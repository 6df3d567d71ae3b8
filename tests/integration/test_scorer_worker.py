"""`weir worker scorer` as a process of its own: bad input, an end by signal, a crash, and a world that is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
import pytest
from weir.agents.scorer.resources import open_resources
from weir.core.errors import WeirError
from weir.core.topics import Names, subject_of
from weir.edges.bundles import folder
from weir.edges.bundles.onnx_model import Model
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.schemas.registry import Registry
from weir.operations import serving
from weir.telemetry import Telemetry
from weir.wire import request_contract

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, tiny_bundle
from tests.ports import free_port
from tests.service_under_test import MAX_BYTES, Service
from tests.waiting import START_S, WAIT_S, until

pytestmark = pytest.mark.one_broker("kafka")  # others have scorers on the embedded one

SMALL = {"chunk_max_records": 64, "batch_max_rows": 64}  # so that work lasts longer than a signal takes


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(stack, tmp_path_factory.mktemp("bundle"))


def assert_scored_as_sent(service: Service) -> None:
    """Each prediction belongs to the request at its source offset, and a repeat says the same as the first."""
    first: dict[tuple[int, int], dict] = {}
    for row in service.predictions:
        where = row["source_partition"], row["source_offset"]
        assert service.sent[where] is not None
        same = first.setdefault(where, row)
        assert [row[name] for name in ("prediction_id", "request_id", "score", "features")] == [
            same[name] for name in ("prediction_id", "request_id", "score", "features")
        ]
    for partition in range(4):
        ids = [row["prediction_id"] for row in service.predictions if row["source_partition"] == partition]
        assert len(set(ids)) == len({where for where in first if where[0] == partition})


def test_bad_input_an_end_by_signal_a_crash_and_a_rebalance(service: Service) -> None:
    """One service through three lives of its worker: a start costs seconds."""
    with service.worker(**SMALL) as child:
        check_bad_input(service)
        memory = psutil.Process(child.pid).memory_info().rss
        assert memory < 600 * 2**20
        check_end_by_signal(service, child)
    with service.worker(**SMALL) as child:
        check_rest_is_scored_without_repeats(service)
        check_crash(service, child)
    with service.worker() as child:
        until(service.all_answered, START_S, "every request answered and in the ledger")
        check_second_worker(service, child)
    service.look()
    assert_scored_as_sent(service)
    assert len(service.dead_letters) == 8
    check_batches(service)


def test_a_promotion_takes_effect_on_a_running_scorer_and_every_request_is_answered_once(
    stack: Stack, tmp_path: Path
) -> None:
    """It answers what it has read, commits, and ends; started again it has the other bundle. Nobody does it by hand."""
    service = Service(stack, tmp_path)
    other = tiny_bundle(tmp_path, service=service.name, version="2")
    first, second = (folder.read(path).bundle for path in (service.bundle, other))
    home = {"home": tmp_path, "bundles_dir": other.parent}
    with service.worker(options=("--follow",), **SMALL, **home) as child:
        service.send_rows(2000)
        until(lambda: service.look_once() or service.answered, START_S, "the first answers")
        serving.remember(
            service.settings.having(home=tmp_path), serving.Chosen(other, second, "promoted", by_name=True)
        )
        service.send_rows(2000)
        assert child.wait(WAIT_S) == WeirError.status
        assert "since another bundle was promoted; what it had read is answered and committed" in child.log_tail()
    service.look()
    committed = service.committed()
    assert set(service.answered) == {(p, offset) for p, end in committed.items() for offset in range(end)}
    with service.worker(options=("--bundle", service.name, "--follow"), **home):
        service.send_rows(100)
        until(service.all_answered, START_S, "every request answered and in the ledger")
    assert (set(service.answered.values()), len(service.answered)) == ({1}, 4100)
    by = Counter(row["digest"] for row in service.predictions)
    assert by.keys() == {first.short_digest, second.short_digest}
    assert by[second.short_digest] >= 100


def check_bad_input(service: Service) -> None:
    """Eight bad records among 512: exactly those are dead letters, the other 504 are scored."""
    good = tiny.rows(512)
    values: list[bytes | None] = list(service.encoder.encode(good))
    places = [0, 1, 63, 200, 300, 301, 302, 511]
    bad = tiny.one_of_each(service.encoder, MAX_BYTES)
    for place, record in zip(places, bad, strict=True):
        values[place] = record.value
    service.send(2, values)
    until(service.all_answered, START_S, "512 answers")
    assert set(service.answered.values()) == {1}
    letters = sorted(service.dead_letters, key=lambda row: row["source_offset"])
    assert [(row["source_partition"], row["source_offset"]) for row in letters] == [(2, place) for place in places]
    assert [(row["stage"], row["reason"], row["value"]) for row in letters] == [
        (record.stage, record.reason, record.value) for record in bad
    ]
    assert {(row["source_topic"], row["key"]) for row in letters} == {(service.topic, b"key")}
    kept = [i for i in range(512) if i not in places]
    found = sorted(service.predictions, key=lambda row: row["source_offset"])
    assert [row["source_offset"] for row in found] == kept
    direct = Model(service.bundle).run(tiny.matrix(good)[kept])[:, 0]
    np.testing.assert_array_equal(np.array([row["score"] for row in found], np.float32), direct)
    entries = service.rows["weir.ledger"]
    assert (sum(row["scored"] for row in entries), sum(row["rejected"] for row in entries)) == (504, 8)


def check_batches(service: Service) -> None:
    """A batch has one record, written with its entries; work that was done again after a crash is another batch."""
    batches = {row["batch_id"]: row for row in service.rows["weir.batches"]}
    assert len(batches) == len(service.rows["weir.batches"])
    assert set(service.in_batches) == service.in_ledger
    workers = Counter(row["worker"] for row in batches.values())
    assert len(workers) == 4
    for worker, count in workers.items():
        numbers = sorted(row["number"] for row in batches.values() if row["worker"] == worker)
        assert numbers == list(range(1, count + 1))
    made = Counter(row["batch_id"] for row in service.predictions)
    told = {name: row["scored"] for name, row in batches.items() if row["scored"]}
    assert {name: made[name] for name in told} == told
    assert {row["provider"] for row in batches.values()} == {"CPUExecutionProvider"}
    assert {row["gpu_us"] for row in batches.values()} == {None}
    assert all(row["cpu_us"] > 0 and row["run_us"] >= 0 for row in batches.values())
    assert sum(row["idle_us"] for row in batches.values()) > 0


def check_end_by_signal(service: Service, child: Child) -> None:
    """SIGTERM under load: what has begun is finished and committed, exit status 0."""
    service.send_and_interrupt(child, signal.SIGTERM)
    assert child.wait(WAIT_S) == 0
    assert not [line for line in child.log_tail().splitlines() if "Traceback" in line or '"level": "error"' in line]
    service.look()
    committed = service.committed()
    assert service.in_ledger == {(p, offset) for p, end in committed.items() for offset in range(end)}
    assert set(service.answered) == service.in_ledger
    assert len(service.in_ledger) < len(service.sent)


def check_rest_is_scored_without_repeats(service: Service) -> None:
    until(service.all_answered, START_S, "the rest after a clean end")
    assert set(service.answered.values()) == {1}


def check_crash(service: Service, child: Child) -> None:
    service.send_and_interrupt(child, signal.SIGKILL)
    child.wait(WAIT_S)
    assert len(service.look().answered) < len(service.sent)


def check_second_worker(service: Service, first: Child) -> None:
    """A second worker joins under load and takes over when the first leaves; nothing is lost, nothing repeated."""
    before, entries = set(service.sent), len(service.rows["weir.ledger"])

    def at_work() -> set[str]:
        service.send_rows(400)
        service.look()
        return {row["worker"] for row in service.rows["weir.ledger"][entries:]}

    with service.worker():
        until(lambda: len(at_work()) == 2, START_S, "both workers at work")
        service.send_rows(4000)
        os.kill(first.pid, signal.SIGTERM)
        assert first.wait(WAIT_S) == 0
        service.send_rows(400)
        until(service.all_answered, START_S, "every request answered by the second")
    assert {times for where, times in service.answered.items() if where not in before} == {1}


def test_a_stream_of_dead_letters_stops_the_worker_and_loses_nothing(stack: Stack, tmp_path: Path) -> None:
    """It stops behind the batch that was too much, which is recorded; each start goes on where the last one stopped."""
    service = Service(stack, tmp_path)
    values: list[bytes | None] = list(service.encoder.encode(tiny.rows(400)))
    values[100:300:2] = [b"broken"] * 100
    service.send(1, values)
    strict = {"dead_letter_limit": 0.05, "dead_letter_window": 200, "batch_max_rows": 50, "chunk_max_records": 50}
    for read in (150, 200, 250, 300):
        with service.worker(**strict) as child:
            assert child.wait(START_S) == 78
            last = child.log_tail().splitlines()[-1]
            assert last.startswith("weir: 25 of the last ")
            where = f"({service.topic}, partition 1, offset {read - 50}): "
            assert f"records are dead letters, latest 25 bad_frame {where}" in last
            assert "start the scorer again" in last
            assert "Traceback" not in child.log_tail(200)
        assert service.look().committed() == {0: 0, 1: read, 2: 0, 3: 0}
        assert service.in_ledger == set(service.answered) == {(1, offset) for offset in range(read)}
        letters = sorted(row["source_offset"] for row in service.dead_letters)
        assert letters == list(range(100, read, 2))
    with service.worker(**strict):
        until(service.all_answered, START_S, "the rest, which is good")
    assert set(service.answered.values()) == {1}
    assert_scored_as_sent(service)


def test_seven_hundred_bad_records_are_dead_letters_once_and_a_restart_goes_on_after_them(
    stack: Stack, tmp_path: Path
) -> None:
    """By the limit as it is set by default, 500 in a window."""
    service = Service(stack, tmp_path)
    good = service.encoder.encode(tiny.rows(100))
    service.send(2, [*[b"broken"] * 700, *good])
    small = {"batch_max_rows": 100, "chunk_max_records": 100}
    with service.worker(**small) as child:
        assert child.wait(START_S) == 78
    assert service.look().committed()[2] == 600
    with service.worker(**small):
        until(service.all_answered, START_S, "the rest")
    assert sorted(row["source_offset"] for row in service.dead_letters) == list(range(700))
    assert sorted(row["source_offset"] for row in service.predictions) == list(range(700, 800))
    assert service.in_ledger == {(2, offset) for offset in range(800)}
    entries = service.rows["weir.ledger"]
    assert (sum(row["scored"] for row in entries), sum(row["rejected"] for row in entries)) == (100, 700)


def run_and_fail(bundle: str, environment: dict[str, str], status: int) -> str:
    """The one line that a scorer that cannot start writes to stderr."""
    command = [sys.executable, "-m", "weir", "worker", "scorer", "--bundle", bundle]
    ended = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, timeout=START_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (status, b""), ended.stderr
    assert ended.stderr.count(b"\n") == 1, ended.stderr
    return ended.stderr.decode()


def test_a_worker_that_cannot_start_says_why_in_one_line(stack: Stack, service: Service) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    known = stack.environment | {"WEIR_SERVICE": service.name}
    with ThreadPoolExecutor(2) as pool:
        no_broker = pool.submit(run_and_fail, str(service.bundle), known | {"WEIR_BROKERS": nowhere}, 75)
        no_bundle = pool.submit(run_and_fail, "absent", known, 78)
    assert no_broker.result() == f"weir: Kafka does not answer ({nowhere}): start the broker or set WEIR_BROKERS\n"
    assert no_bundle.result().startswith("weir: there is no bundle absent (")


def test_whatever_is_missing_is_named_with_a_remedy(stack: Stack, service: Service, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    other, topicless = Service(stack, tmp_path / "other"), f"tiny-{uuid4().hex[:6]}"
    Registry(service.settings.registry).register(
        subject_of(Names("weir").requests(topicless)), request_contract.build(topicless, SIGNATURE)
    )
    cases: list[tuple[dict[str, object], str]] = [
        ({"registry_url": nowhere}, rf"the schema registry does not answer .*\({nowhere}\): start it or set WEIR_REG"),
        (
            {"service": topicless, "bundle": str(tiny_bundle(tmp_path, service=topicless))},
            f"topic {Names('weir').requests(topicless)} does not exist .*: run `weir topics create`",
        ),
        ({"service": "unknown"}, "subject weir.requests.unknown-value is not in the .*: run `weir topics create`"),
        ({"bundle": ""}, "no bundle is named: give --bundle PATH or set WEIR_BUNDLE"),
        (
            {"bundle": "absent"},
            "there is no bundle absent .*: there is no such folder of bundles",
        ),
        ({"service": other.name}, f"bundle tiny-logistic 1 is for service {service.name}, not {other.name} .*: name"),
    ]
    given = service.settings.having(bundle=str(service.bundle))
    for changes, message in cases:
        with pytest.raises(WeirError, match=message):
            open_resources(given.having(**changes), Telemetry())


def test_a_worker_that_is_told_to_end_before_it_has_joined_ends_in_order(service: Service) -> None:
    """The embedded broker holds the join for half of the session: longer here than the end is waited for."""
    with service.worker(session_timeout_s=290) as child:
        until(lambda: "joining the group" in child.log_tail(), START_S, "the worker to ask to join")
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(START_S) == 0, child.log_tail()
        assert "worker stopped" in child.log_tail(1)
        assert "ChunkApp" not in child.log.read_text(), "names of parts within"

"""Group 4: ClickHouse killed in the midst of inserts, away for longer than it remembers, without room on its disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from weir.edges.clickhouse import migrations
from weir.edges.embedded.leash import Child
from weir.settings import ROOT

from tests.asleep import asleep
from tests.chaos import rollups
from tests.chaos.scene import BACK_S, LOOK_S, Fault, Scene
from tests.waiting import START_S, WAIT_S, until

RATE = 400.0
BLOCKS = {"block_max_wait_s": 0.05}  # many inserts, so that one is under way when something dies
DURABLE = ("--fsync",)
BUDGET_S = 3.0  # of a recorder that must give up while ClickHouse is away
WINDOW = 10  # inserts that a table remembers, not 10,000; recorders count on a tenth, as ever
SMALL_WINDOW = Path(__file__).parent / "small_window"
SPARE_BYTES = 2 << 20  # ClickHouse reserves one MiB for an insert before it begins
DISK_MIB = 200  # an empty database of the harness needs about a tenth
# A file system of its own for one process: it needs no right on this machine, and it is gone with the process.
OWN_DISK = (
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    f'mount -t tmpfs -o size={DISK_MIB}m tmpfs "$0" && exec "$@"',
)


BLOCKS_EVER = """
    SELECT sum(n) FROM
    (SELECT max(number) AS n FROM recorder_blocks WHERE topic = 'weir.predictions' GROUP BY partition)
"""


def _durable(scene: Scene) -> None:
    scene.stack.end("clickhouse")
    scene.stack.begin("clickhouse", after=DURABLE)


def _recording_on_disk(scene: Scene) -> Child:
    """A recorder of small blocks and its scorers under load; the recorder."""
    _durable(scene)
    recorder = scene.recorder(**BLOCKS)
    scene.scorers()
    scene.under_load(RATE)
    return recorder


def killed(scene: Scene, rounds: int) -> list[float]:
    """SIGKILL at random moments under load; the recorder waits and goes on."""
    recorder = _recording_on_disk(scene)
    recoveries = []
    for _ in range(rounds):
        scene.pause(0.0, 1.5)
        scene.stack.kill("clickhouse")
        scene.stack.begin("clickhouse")
        recoveries.append(scene.recovered())
        assert recorder.poll() is None, f"the recorder did not outlive it: {recorder.log_tail(3)}"
    return recoveries


def killed_with_recorder(scene: Scene, rounds: int) -> list[float]:
    """Both die at once, in the midst of an insert that nobody will ever hear of."""
    _recording_on_disk(scene)
    recoveries = []
    for _ in range(rounds):
        scene.pause(0.0, 1.5)
        scene.stack.kill("clickhouse")
        scene.kill("recorder")
        scene.stack.begin("clickhouse")
        scene.recorder(**BLOCKS)
        recoveries.append(scene.recovered())
    return recoveries


def away(scene: Scene, rounds: int) -> list[float]:
    """Away for longer than the recorder's budget: it says so and stops; scoring goes on; a new one catches up."""
    scene.recorder(sink_budget_s=BUDGET_S)
    scene.scorers()
    scene.under_load(RATE)
    recoveries = []
    for _ in range(rounds):
        scene.stack.kill("clickhouse")
        log = scene.children["recorder"]
        assert scene.ended("recorder", START_S) == 75
        last = log.log_tail(1)
        assert "ClickHouse does not answer" in last, last
        assert last.startswith("weir: "), last
        before = scene.service.committed()
        until(
            lambda before=before: sum(scene.service.committed().values()) > sum(before.values()) + 200,
            WAIT_S,
            "the scorer to go on without ClickHouse",
        )
        scene.stack.begin("clickhouse")
        scene.recorder(sink_budget_s=BUDGET_S)
        recoveries.append(scene.recovered())
    return recoveries


def beyond_the_window(scene: Scene, rounds: int) -> list[float]:
    """A block is repeated when its table has long forgotten the token: its rows, and the rollups', are there once."""
    _forgetful(scene)
    scene.scorers()
    scene.until_ready("scorer", "rival")
    recoveries = []
    for _ in range(rounds):
        # Never a commit: whoever comes after reads from far back and repeats the latest block of every partition.
        scene.recorder(commit_interval_s=600, **BLOCKS)
        scene.load.send(300, partition=0)
        scene.load.flush()
        scene.recovered()
        for _ in range(2 * WINDOW):
            scene.load.send(30, partition=1 + scene.chance.randrange(3))
            scene.load.flush()
            scene.recovered()
        scene.stack.kill("clickhouse")
        scene.kill("recorder")
        scene.stack.begin("clickhouse")
        scene.recorder(**BLOCKS)
        recoveries.append(scene.recovered())
        until(lambda: scene.lag(*scene.recorded) == 0, WAIT_S, "the recorder to repeat what it had not committed")
        scene.kill("recorder")
    scene.recorder(**BLOCKS)
    return recoveries


def zombie_beyond_the_window(scene: Scene, rounds: int) -> list[float]:
    """A recorder falls asleep before it tries an insert again, and wakes up when its token is long forgotten."""
    _forgetful(scene)
    scene.scorers()
    for name in ("recorder-a", "recorder-b"):
        scene.recorder(name, **BLOCKS)
    scene.under_load(RATE)
    recoveries = []
    for number in range(rounds):
        child = scene.children["recorder-a" if number % 2 else "recorder-b"]
        # In order: an insert that is cut between its table and a view is completed only while its token is remembered.
        scene.stack.end("clickhouse")
        scene.pause(0.5, 1.5)  # both are in the midst of a block, and try it again and again
        with asleep(child.pid):
            scene.stack.begin("clickhouse")
            wanted = _blocks(scene) + WINDOW + WINDOW // 2
            until(lambda wanted=wanted: _blocks(scene) > wanted, BACK_S, "the other recorder to write blocks", LOOK_S)
        recoveries.append(scene.recovered())
    return recoveries


def _blocks(scene: Scene) -> int:
    """Blocks of predictions that were ever announced."""
    return int(scene.client.query(BLOCKS_EVER).first_row[0])


def _forgetful(scene: Scene) -> None:
    """Tables that remember WINDOW inserts, and recorders that count on no more."""
    scene.environment = {"PYTHONPATH": f"{SMALL_WINDOW}{os.pathsep}{ROOT}", "CHAOS_WINDOW": str(WINDOW)}
    tables = scene.client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND create_table_query LIKE "
        "'%non_replicated_deduplication_window%'"
    ).result_rows
    for (name,) in tables:
        if name != "recorder_blocks":  # it keeps its own, which is counted by partition
            scene.client.command(f"ALTER TABLE {name} MODIFY SETTING non_replicated_deduplication_window = {WINDOW}")


def no_own_disk() -> str:
    """Why this machine lets a process have no file system of its own; "" when it does."""
    if shutil.which("unshare") is None:
        return "there is no unshare (util-linux)"
    command = [*OWN_DISK, "/mnt", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)
    return "" if done.returncode == 0 else f"no file system for a test: {done.stderr.strip()}"


def disk_full(scene: Scene, rounds: int) -> list[float]:
    """ClickHouse's disk, a small file system of its own, fills up under load; later there is room again."""
    rows = scene.stack.settings.paths.home / "clickhouse" / "current"
    scene.stack.end("clickhouse")
    scene.stack.begin("clickhouse", before=(*OWN_DISK, str(rows)))
    migrations.apply(scene.stack.settings.recording)
    rollups.make_own(scene.client)
    scene.recorder(sink_budget_s=BUDGET_S, **BLOCKS)
    scene.scorers()
    scene.under_load(RATE)
    recoveries = []
    for _ in range(rounds):
        filler = _inside(scene, rows / "filler")
        _fill(filler, scene.chance.randrange(SPARE_BYTES))
        log = scene.children["recorder"]
        status = scene.ended("recorder", START_S)
        assert status == 75, f"status {status}"
        scene.notes.append(f"without room: {log.log_tail(1)}")
        until(lambda: scene.page("scorer", "live") == 200, WAIT_S, "the scorer to live on")
        filler.unlink()
        scene.recorder(sink_budget_s=BUDGET_S, **BLOCKS)
        recoveries.append(scene.recovered())
    return recoveries


def _inside(scene: Scene, path: Path) -> Path:
    """A path as ClickHouse's process sees it."""
    return Path(f"/proc/{scene.stack.child('clickhouse').pid}/root{path.resolve()}")


def _fill(filler: Path, spare: int) -> None:
    """Write until there is no room left, then give some bytes back, so that an insert begins and cannot end."""
    with filler.open("wb", buffering=0) as held:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    held.write(b"\0" * size)
            except OSError:
                continue
        held.truncate(max(0, held.tell() - spare))


FAULTS = [
    Fault(4, "ClickHouse killed -9", killed, quick=2, full=10),
    Fault(4, "ClickHouse and recorder killed -9", killed_with_recorder, quick=2, full=10),
    Fault(4, "ClickHouse away beyond the budget", away, full=3),
    Fault(4, "repeated beyond the window", beyond_the_window, full=3),
    Fault(4, "recorder asleep beyond the window", zombie_beyond_the_window, quick=3, full=10),
    Fault(4, "ClickHouse's disk full", disk_full, full=3, missing=no_own_disk),
]

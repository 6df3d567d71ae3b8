"""`weir up` as a user meets it: it comes up, what it prints can be pasted, Ctrl-C ends it."""

import os
import re
import signal
import subprocess
import sys

import psutil
import pytest
from weir.demo.signature import FEATURE_SERVICE, SERVICE, SIGNATURE
from weir.edges.features import plan as feature_plan
from weir.settings import load

from tests.bundles import tiny_bundle
from tests.integration.test_leash import gone
from tests.waiting import until

PORTS = ("--broker-port", "0", "--clickhouse-port", "0", "--registry-port", "0")


def weir(home, *arguments, **more):
    environment = {**os.environ, "WEIR_HOME": str(home), "WEIR_BUNDLES_DIR": str(home / "bundles"), "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "weir", *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **more,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the feature plan and a small bundle of the demo's service, so that nothing has to be trained."""
    home = tmp_path_factory.mktemp("up")
    with weir(home, "apply") as applied:
        said = applied.communicate(timeout=120)[0]
    assert applied.returncode == 0, said
    plan = feature_plan.load(load(home=home), FEATURE_SERVICE)
    tiny_bundle(home, SIGNATURE, service=SERVICE, feature_service=FEATURE_SERVICE, feature_fingerprint=plan.fingerprint)
    return home


def shell(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_up_serves_what_it_prints_until_ctrl_c(home):
    running = weir(home, "up", *PORTS)
    said = ""
    try:
        while "versions/latest/schema" not in said:
            line = running.stdout.readline()
            assert line, f"it ended: {said}"
            said += line
        produce, predictions, dead, ledger, schema = re.split(r"\n# .*\n", said)[1:]
        family = psutil.Process(running.pid).children(recursive=True)
        assert len(family) >= 2 * 7  # a guard and a process each

        request_id = re.match(r"sent (\S+) unsent: 0", shell(produce))[1]
        until(lambda: request_id in shell(predictions), 30, "the prediction in ClickHouse")
        shell(dead)
        assert "ScoringRequest" in shell(schema)
        assert shell(ledger)

        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
        assert running.stdout.read().rstrip().endswith("stopped")
        assert gone(*(process.pid for process in family))
    finally:
        running.kill()
        running.communicate()


def test_up_without_a_bundle_says_what_to_do(tmp_path):
    with weir(tmp_path, "up", *PORTS) as running:
        said = running.communicate(timeout=60)[0]
    assert running.returncode == 75
    assert said.startswith("weir: there is no model bundle to serve")
    assert "weir demo" in said
    assert "Traceback" not in said

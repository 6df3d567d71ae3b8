"""`weir up` as a user meets it: it comes up, what it prints can be pasted, what it keeps is kept, Ctrl-C ends it."""

import os
import re
import signal
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener

import lmdb
import psutil
import pytest
from weir.demo.signature import FEATURE_SERVICE, SERVICE, SIGNATURE
from weir.edges.features import plan as feature_plan
from weir.settings import ROOT, load
from weir.wire import request_contract

from tests.bundles import SIGNATURE as TINY
from tests.bundles import tiny_bundle
from tests.integration.test_leash import gone
from tests.kafka_cluster import kafka_libs
from tests.waiting import COMMAND_S, START_S, WAIT_S, ended, until

PORTS = ("--broker-port", "0", "--clickhouse-port", "0", "--registry-port", "0", "--no-console")
LEARNER = """service: tiny
model: [river.preprocessing.StandardScaler, river.linear_model.LogisticRegression]
"""
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def weir(home, *arguments, cwd=ROOT, more=None):
    """A `weir` process that hears no SIGINT, as a shell starts what runs in the background."""
    environment = {**os.environ, "WEIR_HOME": str(home), "COLUMNS": "200", **(more or {})}
    return subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-P", "-m", "weir", *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
    )


def until_up(running: subprocess.Popen) -> str:
    """What it says until the last command that it prints."""
    said = ""
    while "versions/latest/schema" not in said:
        line = running.stdout.readline()
        assert line, f"it ended: {said}"
        said += line
    return said


def printed(said: str) -> list[str]:
    """The commands, without those that send made-up requests."""
    return [command for command in re.split(r"\n# .*\n", said)[1:] if "--sample" not in command.split("\n")[0]]


def end(running: subprocess.Popen) -> str:
    running.send_signal(signal.SIGTERM)
    rest = running.stdout.read()
    assert running.wait(WAIT_S) == 0, rest
    assert rest.rstrip().endswith("stopped")
    return rest


def shell(command: str, cwd=ROOT) -> str:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=COMMAND_S, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A folder whose files have the names of modules, and an environment that is meant for the world outside."""
    folder = tmp_path / "mine"
    for package in ("app", "weir", "tests"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("raise SystemExit('this is my own package')")
    for module in ("typing", "json", "prometheus_client", "feast"):
        (folder / f"{module}.py").write_text("raise SystemExit('this is my own module')")
    for name in PROXIES:
        monkeypatch.setenv(name, "socks5://127.0.0.1:1" if name == "all_proxy" else "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), os.environ[name])
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the feature plan and a small bundle of the demo's service, so that nothing has to be trained."""
    home = tmp_path_factory.mktemp("up")
    with ended(weir(home, "apply")) as applied:
        said = applied.communicate(timeout=COMMAND_S)[0]
    assert applied.returncode == 0, said
    plan = feature_plan.load(load(home=home), FEATURE_SERVICE)
    read = plan.reading(SIGNATURE.looked_up)
    tiny_bundle(home, SIGNATURE, service=SERVICE, feature_service=FEATURE_SERVICE, feature_fingerprint=read.fingerprint)
    return home


def pid_of(said: str, role: str) -> int:
    """Of a worker, from the table."""
    return int(re.search(rf"\b{role} +\u2502 +(\d+) ", said)[1])


def scored(commands: list[str], cwd) -> str:
    """Send the printed request, wait for its prediction with the printed query; the id of the request."""
    produce, predictions, dead, *_ = commands
    sent = re.match(r"sent (\S+) unsent: 0", shell(produce, cwd))[1]
    until(lambda: sent in shell(predictions, cwd) or shell(dead, cwd), START_S, "an answer in ClickHouse")
    assert sent in shell(predictions, cwd), shell(dead, cwd)
    return sent


def put_online(home) -> None:
    """A record of an earlier run in the online store."""
    store = lmdb.open(str(home / "features" / "online"), map_size=1 << 24)
    with store.begin(write=True) as txn:
        txn.put(b"weir\0my_view\0my_key", b"my value")
    store.close()


def known_answer(said: str, cwd) -> None:
    """Wait until one that is known was asked for and is recorded."""
    exports = re.search("^export .*$", said, re.MULTILINE)[0]
    query = "query 'SELECT request_id FROM predictions WHERE golden'"
    asked = f"{exports}; unset WEIR_FEATURE_REPO_DIR; {sys.executable} -P -m weir {query}"  # the folder is not there
    until(lambda: "weir-golden:" in shell(asked, cwd), START_S, "a known answer")


@pytest.mark.timeout(1200)
def test_up_keeps_what_there_is_and_a_worker_that_ends_takes_nobody_along(home, world):
    kafka_libs()
    put_online(home)
    project = {"WEIR_SCHEMAS_DIR": str(ROOT / "schemas"), "WEIR_FEATURE_REPO_DIR": str(ROOT / "feature_repo")}

    arguments = ("--console", "--console-port", "0", "--no-golden")
    with ended(weir(home, "up", *PORTS, *arguments, cwd=world, more=project)) as running:
        said = until_up(running)
        assert "kept from the last run: 1 online records" in said
        commands = printed(said)
        family = psutil.Process(running.pid).children(recursive=True)
        assert len(family) >= 2 * 8  # a guard and a process each
        first = scored(commands, world)
        address = re.search(r"console +\u2502 (http://127\.0\.0\.1:\d+/)", said)[1]
        page = build_opener(ProxyHandler({})).open(address, timeout=COMMAND_S).read()
        assert b"<h1>Overview</h1>" in page
        assert shell(commands[3], world)  # the ledger
        assert "ScoringRequest" in shell(commands[4], world)

        canary = next(one for one in family if one.cmdline()[1:2] == ["-P"] and one.cmdline()[-1] == "canary")
        canary.kill()
        lines = iter(running.stdout.readline, "")
        line = next(line for line in lines if "ended with exit status" in line)
        assert line.startswith(f"canary (pid {canary.pid}) ended with exit status 137 (SIGKILL); the last lines of ")
        assert line.endswith("logs/canary.log:\n")
        scored(commands, world)
        running.send_signal(signal.SIGINT)  # of which a background job hears nothing
        end(running)
        assert gone(*(process.pid for process in family))

    arguments = ("--no-features", "--no-monitor", "--no-canary", "--no-golden")
    with ended(weir(home, "up", *PORTS, *arguments, cwd=world, more=project)) as running:
        said = until_up(running)
        assert "kept from the last run: 2 predictions, 1 online records" in said
        assert not re.search("^(features|monitor|canary|golden) ready", said, re.MULTILINE)
        commands = printed(said)
        scored(commands, world)
        assert first in shell(commands[1], world)
        exports = re.search("^export .*$", said, re.MULTILINE)[0]
        assert {"WEIR_BROKERS", "WEIR_REGISTRY_URL", "WEIR_CLICKHOUSE_URL"} <= set(re.findall(r"WEIR_\w+", exports))
        python = f"no_proxy='*' {sys.executable} -P -m weir"
        assert "complete" in shell(f"{exports}; {python} ledger", world)
        assert "as declared" in shell(f"{exports}; {python} topics check", world)
        workers = {role: psutil.Process(pid_of(said, role)) for role in ("scorer", "recorder")}
        workers["scorer"].terminate()
        lines = iter(running.stdout.readline, "")
        assert next(line for line in lines if line.startswith(f"scorer (pid {workers['scorer'].pid}) ended"))
        workers["recorder"].kill()
        rest = running.stdout.read()
        assert f"recorder (pid {workers['recorder'].pid}) ended with exit status 137 (SIGKILL); the last lines" in rest
        assert "no worker is left: scorer ended with exit status 0, recorder ended with exit status 137" in rest
        assert running.wait(WAIT_S) == 75


@pytest.mark.timeout(1200)
def test_up_serves_a_project_of_somebody_else(tmp_path):
    """A service, a contract and a bundle of its own, anywhere; no feature repository; the broker in memory.

    The second run finds a learner, and starts its worker.
    """
    project, home = tmp_path / "project", tmp_path / "home"
    contract = project / "schemas" / "requests.tiny" / "v1.avsc"
    contract.parent.mkdir(parents=True)
    contract.write_text(request_contract.build("tiny", TINY))
    bundle = tiny_bundle(tmp_path / "elsewhere", TINY, service="tiny")
    memory = {"WEIR_EMBEDDED_BROKER": "tansu"}
    for run in range(2):
        with ended(weir(home, "up", *PORTS, "--bundle", str(bundle), cwd=project, more=memory)) as running:
            said = until_up(running)
            ready = re.findall("^(features|monitor|learner|canary) ready", said, re.MULTILINE)
            assert sorted(ready) == ["learner", "monitor"][1 - run :]
            assert ("whose rows are kept apart" in said) == bool(run)
            if not run:
                scored(printed(said), project)
                known_answer(said, project)
                (project / "learners").mkdir()
                (project / "learners" / "fresh.yaml").write_text(LEARNER)
            end(running)
    assert (home / "clickhouse" / "kept-1").is_dir()


def test_up_without_a_contract_names_the_command_before_anything_starts(tmp_path):
    bundle = tiny_bundle(tmp_path / "elsewhere", TINY, service="tiny")
    with ended(weir(tmp_path / "home", "up", *PORTS, "--bundle", str(bundle), cwd=tmp_path)) as running:
        said = running.communicate(timeout=COMMAND_S)[0]
    assert running.returncode == 78
    assert f"`weir bundle contract {bundle.name[:12]} --write`" in said
    assert not (tmp_path / "home").exists()


def test_up_without_a_bundle_says_what_to_do(tmp_path):
    with ended(weir(tmp_path, "up", *PORTS)) as running:
        said = running.communicate(timeout=COMMAND_S)[0]
    assert running.returncode == 75
    assert said.startswith("weir: there is no model bundle to serve")
    assert "weir service add" in said
    assert "Traceback" not in said

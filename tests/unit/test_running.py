"""Commands find a `weir up` that runs here, and no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from weir import running
from weir.cli.arguments import reached
from weir.edges.embedded.stack import _lock
from weir.settings import load, sources

UP = {
    "brokers": "127.0.0.1:41",
    "registry_url": "http://127.0.0.1:42",
    "clickhouse_url": "http://127.0.0.1:43",
    "deployment": "mine",
    "clickhouse_database": "ours",
}
KILLED = """
import os, signal, sys
from pathlib import Path
from weir import running
from weir.edges.embedded.stack import _lock
_lock(Path(sys.argv[1]), print)
running.write(Path(sys.argv[1]), dict.fromkeys(running.FIELDS, "gone:1"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project with a home of its own, in which nothing runs."""
    for name in [name for name in os.environ if name.startswith("WEIR_") and not name.startswith("WEIR_TEST_")]:
        monkeypatch.delenv(name)
    (tmp_path / "weir.yaml").touch()
    (tmp_path / ".weir").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".weir"


@pytest.fixture
def up(home):
    lock = _lock(home, print)
    running.write(home, load(**UP).values())
    yield
    os.close(lock)


def addresses(settings):
    return (settings.kafka.brokers, settings.registry.registry_url, settings.recording.clickhouse_url)


def test_its_addresses_are_taken_where_nobody_says_one(up, home, capsys):
    settings = reached()
    assert {field: settings.values()[field] for field in UP} == UP
    assert "asking the `weir up` that runs here: Kafka 127.0.0.1:41" in capsys.readouterr().err
    assert Path(sources(settings)["brokers"]).resolve() == home / running.FILE
    assert sources(settings)["http_port"] == "default"


@pytest.mark.parametrize("said", ["environment", "project", "caller"])
def test_none_of_them_is_where_somebody_says_one(up, home, monkeypatch, said, capsys):
    given = {}
    if said == "environment":
        monkeypatch.setenv("WEIR_CLICKHOUSE_URL", "http://elsewhere:8123")
    elif said == "project":
        (home.parent / "weir.yaml").write_text("WEIR_CLICKHOUSE_URL: http://elsewhere:8123")
    else:
        given = {"clickhouse_url": "http://elsewhere:8123"}
    assert addresses(load(**given)) == ("127.0.0.1:9092", "http://127.0.0.1:8081", "http://elsewhere:8123")
    reached()
    assert said == "caller" or not capsys.readouterr().err


def test_a_name_that_somebody_says_stays(up, monkeypatch):
    monkeypatch.setenv("WEIR_DEPLOYMENT", "said")
    settings = load()
    assert (settings.kafka.deployment, settings.kafka.brokers) == ("said", UP["brokers"])


def test_what_a_killed_one_left_behind_is_not_believed(home):
    done = subprocess.run([sys.executable, "-c", KILLED, str(home)], check=False)
    assert done.returncode < 0
    assert (home / running.FILE).exists()
    assert addresses(load())[0] == "127.0.0.1:9092"
    lock = _lock(home, print)  # another stack, a demo say, has the home
    assert addresses(load())[0] == "127.0.0.1:9092"
    os.close(lock)


def test_what_one_of_the_same_number_left_behind_is_not_believed(home):
    """In a container the first process has the same number each time."""
    running.write(home, dict.fromkeys(running.FIELDS, "gone:1"))
    lock = _lock(home, print)
    assert addresses(load())[0] == "127.0.0.1:9092"
    os.close(lock)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"process": 1}', '{"process": "x", "settings": {}}'])
def test_a_file_that_says_nothing_is_none(up, home, text):
    (home / running.FILE).write_text(text)
    assert running.read(home) == {}


def test_nothing_is_left_once_it_ends(up, home):
    running.remove(home)
    running.remove(home)
    assert running.read(home) == {}
    assert [path.name for path in home.iterdir()] == [running.LOCK]

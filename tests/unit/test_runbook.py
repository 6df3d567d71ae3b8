"""Entries of the run-book can be carried out: each step is a command, and each monitor's entry is there."""

import re
import shlex
from datetime import UTC, datetime, timedelta

import pytest
import typer
from weir.edges.clickhouse import monitors
from weir.monitor import assess
from weir.monitor.assess import Computed
from weir.monitor.burn import RUNBOOK
from weir.monitor.left import Left, Work
from weir.operations import run_book
from weir.settings import ROOT, load

from tests.command_line import cli

FOLDER = run_book.FOLDER
ENTRIES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
STEP = re.compile(r"^\d+\. .*?(`[^`]+`)$", re.M)
COMMAND = re.compile(r"`(weir [^`]+)`")
PLACES = {
    "ALERT": "0123456789ab",
    "SERVICE": "flight-delay",
    "SUBJECT": "hybrid",
    "BEGIN": "2026-01-01T00:00",
    "END": "2026-01-02T00:00",
    "ID": "03bb2cc3-d800-7000-8000-000000000000",
}


def commands(path):
    return COMMAND.findall(path.read_text())


def parsed(words):
    """The command that these words mean, with its arguments read and checked; nothing is run."""
    command = typer.main.get_command(cli)
    context = typer.Context(command, info_name="weir")
    while hasattr(command, "commands"):
        name, command, words = command.resolve_command(context, list(words))
        assert command is not None, name
        context = typer.Context(command, info_name=name, parent=context)
    return command.make_context(command.name, list(words), parent=context.parent)


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_every_step_is_a_command_that_can_be_given(path):
    text = path.read_text()
    numbered = re.findall(r"^\d+\. .*$", text, re.M)
    assert len(numbered) == len(STEP.findall(text)) >= 3, "a step ends with its command"
    known = monitors.files(load())
    for command in commands(path):
        words = [PLACES.get(word, word) for word in shlex.split(command)[1:]]
        context = parsed(words)
        if words[:2] == ["monitors", "run"]:
            assert context.params["name"] in known, command
        if words[0] == "query":
            assert (ROOT / "app" / "weir" / "sql" / f"{words[1]}.sql").exists(), command


def test_a_step_that_cannot_be_given_is_noticed():
    for words in (["ledger", "--sevrice", "x"], ["alerts", "show"], ["alerts", "ack", "x"]):
        with pytest.raises(typer.BadParameter.__base__):  # a wrong usage, whatever it is about
            parsed(words)


def test_every_monitor_that_can_alert_names_an_entry_that_is_there():
    there = {path.stem for path in ENTRIES}
    known = monitors.files(load()).values()
    alerting = [monitor for monitor in known if monitor.warn or monitor.page or monitor.usual]
    assert len(alerting) > 25
    assert {monitor.name: monitor.runbook for monitor in alerting if monitor.runbook not in there} == {}
    assert {monitor.runbook for monitor in known if monitor.runbook} <= there
    assert assess.FAILURES in there, "any monitor's query may fail"
    assert RUNBOOK in there, "any objective's budget may burn"


def test_the_alert_of_a_query_that_fails_names_the_entry_for_it():
    monitor = monitors.files(load())["drift/features"]
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    computed = Computed(
        work=Work("a", monitor.name, 3600),
        begin=begin,
        covers=(),
        revision=0,
        age=timedelta(0),
        at=begin,
        worker="w",
    )
    (firing,) = assess.failure(monitor, "no such column", computed, Left("weir.outcomes")).changes
    assert firing.watched.runbook == assess.FAILURES


def test_the_list_of_entries_is_whole():
    listed = re.findall(r"\]\((\S+?)\.md\)", (FOLDER / "README.md").read_text())
    assert sorted(listed) == [path.stem for path in ENTRIES]


def test_a_project_has_entries_of_its_own_before_those_of_weir(tmp_path):
    settings = load().having(runbook_dir=tmp_path)
    assert run_book.place(settings, "drift") == FOLDER / "drift.md"
    (tmp_path / "drift.md").write_text("# Another")
    (tmp_path / "returns.md").write_text("# Returns")
    assert run_book.place(settings, "drift") == tmp_path / "drift.md"
    assert run_book.place(settings, "returns") == tmp_path / "returns.md"
    for name in ("nothing", "", "../runbook/drift", "README"):
        assert run_book.place(settings, name) is None


def test_the_source_tree_has_it_among_what_operators_read():
    assert (ROOT / "infra" / "runbook" / "drift.md").samefile(FOLDER / "drift.md")

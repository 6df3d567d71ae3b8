"""Entries of the run-book can be carried out: each step is a command, and each monitor's entry is there."""

import re
import shlex

import pytest
import typer
from weir.__main__ import cli
from weir.edges.clickhouse import monitors
from weir.settings import ROOT, load

FOLDER = ROOT / "infra" / "runbook"
ENTRIES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
STEP = re.compile(r"^\d+\. .*?(`[^`]+`)$", re.M)
COMMAND = re.compile(r"`(weir [^`]+)`")
PLACES = {
    "ALERT": "0123456789ab",
    "SERVICE": "flight-delay",
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


def test_every_entry_that_a_monitor_names_is_there():
    there = {path.stem for path in ENTRIES}
    named = {monitor.runbook for monitor in monitors.files(load()).values() if monitor.runbook}
    assert named <= there


def test_the_list_of_entries_is_whole():
    listed = re.findall(r"\]\((\S+?)\.md\)", (FOLDER / "README.md").read_text())
    assert sorted(listed) == [path.stem for path in ENTRIES]

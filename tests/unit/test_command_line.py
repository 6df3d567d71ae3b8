"""`weir` as people expect it: help for users, whole names, arguments checked first, a decided exit status."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import click
import pytest
import typer
from weir import __main__ as entry
from weir.core.errors import Refused, Unavailable
from weir.core.rejects import Reason
from weir.edges.kafka import admin

from tests.command_line import cli
from tests.ports import free_port
from tests.waiting import START_S, WAIT_S

COMMAND = [sys.executable, "-m", "weir"]


def commands(command=None, path=()):
    command = command or typer.main.get_command(cli)
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))
    else:
        yield path, command


COMMANDS = dict(commands())
TABLES = [
    ("ledger",),
    ("migrate",),
    ("apply",),
    ("settings",),
    ("topics", "list"),
    ("topics", "create"),
    ("topics", "check"),
    ("topics", "acls"),
    ("dead-letters", "list"),
    ("dead-letters", "show"),
    ("dead-letters", "redrive"),
    ("dead-letters", "give-up"),
]


@pytest.fixture
def weir(monkeypatch, capsys):
    """Run the entry in this process; (exit status, standard output, standard error). Every service is away."""
    nowhere = f"127.0.0.1:{free_port()}"
    for name, value in (
        ("BROKERS", nowhere),
        ("CLICKHOUSE_URL", f"http://{nowhere}"),
        ("REGISTRY_URL", f"http://{nowhere}"),
        ("SERVICE", "flight-delay"),
    ):
        monkeypatch.setenv(f"WEIR_{name}", value)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["weir", *arguments])
        status = 0
        try:
            entry.main()
        except SystemExit as ended:
            status = ended.code or 0
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_says_what_it_does_for_its_user(weir, path):
    status, out, _ = weir(*path, "--help")
    assert status == 0
    help_text = COMMANDS[path].help
    assert help_text[0].isupper()
    assert len(help_text.split("\n\n")[0]) < 200
    assert path[0] in out
    for option in COMMANDS[path].params:
        assert not (option.secondary_opts and option.default is False), "a switch that is off is a flag"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_usage_line_is_of_real_words(weir, path):
    usage = weir(*path, "--help")[1].split("Usage:")[1].splitlines()[0]
    assert "{" not in usage
    assert all(word.isupper() for word in usage.split()[1 + len(path) :]), usage


def test_a_wrong_setting_names_a_command_that_a_project_has(weir, monkeypatch):
    monkeypatch.setenv("WEIR_HTTP_PORT", "99999")
    err = weir("ledger")[2]
    assert "`weir settings --wide`" in err
    assert ".md" not in err


@pytest.mark.parametrize("path", TABLES, ids=" ".join)
def test_what_prints_a_table_prints_json_too(path):
    assert any("--json" in option.opts for option in COMMANDS[path].params)


def test_the_version_is_printed(weir):
    status, out, _ = weir("--version")
    assert (status, out.split()[0]) == (0, "weir")


def test_completion_can_be_installed(weir):
    assert "--install-completion" in weir("--help")[1]


def test_the_help_lists_the_exit_statuses(weir):
    out = weir("--help")[1]
    assert all(str(status) in out for status in (entry.SOFTWARE, entry.FILES, Unavailable.status, Refused.status))


@pytest.mark.parametrize("columns", ["80", "40", None])
def test_names_are_never_cut(weir, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS", raising=False)
    topics = json.loads(weir("topics", "list", "--json")[1])
    out = weir("topics", "list")[1]
    assert all(topic["name"] in out and topic["record"] in out for topic in topics)
    out = weir("topics", "list", "--wide")[1]
    assert all(topic["name"] in out for topic in topics)
    acls = json.loads(weir("topics", "acls", "--json")[1])
    out = weir("topics", "acls")[1]
    assert all(acl["principal"] in out and acl["name"] in out for acl in acls)
    out = weir("settings")[1]
    assert "WEIR_KAFKA_SSL_CERTIFICATE_FILE" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dead-letters", "list", "--reason", "foo"], next(iter(Reason))),
        (["dead-letters", "list", "--limit", "0"], "--limit"),
        (["dead-letters", "list", "--since", "2026-01-02", "--until", "2026-01-01"], "--until"),
        (["dead-letters", "show", "17"], "topic/partition/offset"),
        (["dead-letters", "redrive", "--letter", "a/b/c"], "topic/partition/offset"),
        (["dead-letters", "redrive", "--patch", "amount"], "FIELD=VALUE"),
        (["dead-letters", "give-up", "17", "--reason", "x"], "topic/partition/offset"),
        (["dead-letters", "give-up", "t/0/1@log"], "--reason"),
        (["dead-letters", "give-up", "t/0/1@log", "--reason", " "], "--reason"),
        (["dead-letters", "redrive", "--repairs", "/nowhere"], "--repairs"),
        (["topics", "acls", "--principal", "foo"], "ROLE=PRINCIPAL"),
        (["topics", "create", "--replication", "0"], "--replication"),
        (["up", "--broker-port", "70000"], "--broker-port"),
        (["demo", "--flights", "0"], "--flights"),
        (["worker", "scoer"], "scorer"),
        (["nonsense"], "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_arguments_are_checked_before_anything_is_connected_to(weir, arguments, says):
    status, _, err = weir(*arguments)
    assert status == 2
    assert str(says) in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["ledger"],
        ["migrate"],
        ["dead-letters", "list"],
        ["dead-letters", "list", "--ids"],
        ["dead-letters", "show", "t/0/1@log"],
        ["dead-letters", "give-up", "t/0/1@log", "--reason", "x"],
        ["topics", "check"],
        ["topics", "create"],
    ],
    ids=" ".join,
)
def test_a_service_that_is_away_is_75(weir, monkeypatch, arguments):
    for module in ("admin", "topics"):
        monkeypatch.setattr(f"weir.edges.kafka.{module}.REACH_S", 0.5)
    status, out, err = weir(*arguments)
    assert (status, out) == (75, "")
    assert err.startswith("weir: ")
    assert err.count("\n") == 1
    assert err.count("127.0.0.1:") == 1


def test_a_broker_whose_port_nobody_listens_at_is_given_up_soon(weir, monkeypatch):
    def taken_s() -> float:
        began_s = time.monotonic()
        assert weir("send", "fraud", "--sample", "1")[0] == 75
        return time.monotonic() - began_s

    weir("send", "--help")  # what it imports is imported
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WEIR_BROKERS", f"127.0.0.1:{silent.getsockname()[1]}")
        refused_s = taken_s()
        silent.listen()  # a broker that takes the connection may be about to answer
        assert taken_s() >= max(admin.REACH_S, refused_s + 2)


@pytest.mark.parametrize(
    ("variable", "value", "arguments"),
    [
        ("WEIR_HTTP_PORT", "99999", ["settings"]),
        ("WEIR_BRIKERS", "x:1", ["settings"]),
        ("WEIR_SECRETS_DIR", "/nowhere", ["settings"]),
        ("WEIR_SCHEMAS_DIR", "/nowhere", ["topics", "list"]),
        ("WEIR_BUNDLES_DIR", "/nowhere", ["bundle", "check", "absent"]),
    ],
)
def test_a_wrong_configuration_is_78(weir, monkeypatch, variable, value, arguments):
    monkeypatch.setenv(variable, value)
    status, out, err = weir(*arguments)
    assert (status, out) == (78, "")
    assert value in err or variable in err
    assert "Traceback" not in err


def test_a_file_that_cannot_be_written_is_74_and_a_fault_of_ours_70(weir, monkeypatch):
    def broken(error):
        def fail(**values):
            raise error

        return fail

    monkeypatch.setattr("weir.settings.load", broken(PermissionError(13, "Permission denied", "/there")))
    assert weir("topics", "list")[::2] == (74, "weir: Permission denied (/there)\n")
    monkeypatch.setattr("weir.settings.load", broken(ZeroDivisionError("ours")))
    status, _, err = weir("topics", "list")
    assert (status, "ZeroDivisionError: ours" in err) == (70, True)


def test_settings_show_where_a_value_comes_from_and_no_secret(weir, monkeypatch, tmp_path):
    (tmp_path / "weir_kafka_sasl_password").write_text("kept from you")
    monkeypatch.setenv("WEIR_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("WEIR_ONLINE_STORE", "redis://:kept-from-you@store:6379/0")
    monkeypatch.setenv("WEIR_REGISTRY_AUTH", "me:kept-from-you")
    status, out, _ = weir("settings", "--json")
    found = {row["variable"]: row for row in json.loads(out)}
    assert status == 0
    assert "kept from you" not in out
    assert "kept-from-you" not in out
    assert found["WEIR_ONLINE_STORE"]["value"] == "redis://(hidden)@store:6379/0"
    assert found["WEIR_REGISTRY_AUTH"]["source"] == "environment"
    assert found["WEIR_KAFKA_SASL_PASSWORD"]["source"] == str(tmp_path / "weir_kafka_sasl_password")
    assert found["WEIR_KAFKA_SASL_PASSWORD"]["value"] == "(hidden)"
    assert found["WEIR_HOME"] == {
        "variable": "WEIR_HOME",
        "value": ".weir",
        "source": "default",
        "what": found["WEIR_HOME"]["what"],
    }


def test_a_reader_that_goes_away_is_met_in_silence():
    with subprocess.Popen(
        [*COMMAND, "settings", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        child.stdout.close()
        assert child.stderr.read() == ""


def test_ctrl_c_is_130_and_no_traceback():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and says nothing
        silent.settimeout(START_S)
        environment = os.environ | {"WEIR_CLICKHOUSE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        child = subprocess.Popen(
            [*COMMAND, "ledger"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with child, silent.accept()[0]:
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=WAIT_S)
    assert (child.returncode, out) == (130, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("absent", "command"),
    [
        ("onnx", ["bundle", "build", "FILE"]),
        ("onnx", ["service", "add", "a", "FILE", "--sample", "FILE"]),
        ("lightgbm", ["service", "add", "a", "FILE", "--sample", "FILE"]),
    ],
)
def test_a_module_of_an_extra_that_is_absent_is_named_with_the_extra(absent, command, tmp_path):
    (tmp_path / "weir.yaml").touch()
    (tmp_path / "file.txt").touch()
    arguments = ["file.txt" if word == "FILE" else word for word in command]
    program = f"import sys; sys.modules['{absent}'] = None; from weir.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (78, f"weir: {absent} is not installed: pip install 'weir[build]'\n")


def test_a_command_is_the_same_without_the_others():
    whole = typer.main.get_command(cli)
    assert list(whole.commands) == [*entry.COMMANDS, *entry.GROUPS]
    for name, command in whole.commands.items():
        alone = typer.main.get_command(entry.command_line([name, "--json"])).commands
        assert list(alone) == [name]
        assert [path for path, _ in commands(alone[name])] == [path for path, _ in commands(command)]


def test_a_command_imports_nothing_that_others_need():
    program = "import sys; from weir.__main__ import command_line; command_line(['ledger']); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "weir.cli.ledger" in said
    assert not {"numpy", "pydantic", "prometheus_client", "weir.cli.bundle"} & set(said)

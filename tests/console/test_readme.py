"""What the README promises of the console is so."""

import re

from typer.testing import CliRunner
from weir.edges.embedded.service import CONSOLE_PORT
from weir.settings import ROOT, load
from weir.web.console.asking import reader
from weir.web.console.security import SHORTEST_TOKEN

from tests.command_line import cli

SECTION = re.search(r"## See it\n(.*?)In a terminal:", (ROOT / "README.md").read_text(), re.DOTALL)[1]


def test_its_address_user_and_token_are_those_that_it_has():
    assert f"http://127.0.0.1:{CONSOLE_PORT}/" in SECTION
    settings = reader(load(clickhouse_reader_password="secret"))
    assert f"by default `{settings.recording.clickhouse_user}`" in SECTION
    assert settings.recording.clickhouse_password.get_secret_value() == "secret"
    assert f"`WEIR_CONSOLE_TOKEN`, {SHORTEST_TOKEN} characters at" in SECTION


def test_its_options_are_there():
    said = CliRunner().invoke(cli, ["console", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).stdout
    assert set(re.findall(r"--[a-z]+", SECTION)) - {"--keep"} <= set(re.findall(r"--[a-z]+", said))
    demo = CliRunner().invoke(cli, ["demo", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).stdout
    assert "--keep" in demo

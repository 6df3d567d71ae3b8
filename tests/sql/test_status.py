"""`weir status` over a day of three services: what is read at 40, 80 and 140 columns, without colour, and as JSON."""

import json

import pytest
from typer.testing import CliRunner
from weir.core.errors import Unavailable
from weir.settings import ROOT

from tests.command_line import cli
from tests.console.filled import ARRIVALS, FLIGHTS, NOW, SERVICES
from tests.ports import free_port

AT = ("--at", f"{NOW:%Y-%m-%dT%H:%M:%S}")
README = (ROOT / "README.md").read_text()
AT_80 = README[README.index("Weir, the last 24h") :].split("```")[0]


@pytest.fixture(scope="module")
def variables(day):
    return {
        "WEIR_CLICKHOUSE_URL": day.recording.clickhouse_url,
        "WEIR_CLICKHOUSE_DATABASE": day.recording.clickhouse_database,
        "WEIR_SERVICE": FLIGHTS.service,
        "NO_COLOR": "1",
    }


def asked(variables, *words, columns=None, **more):
    env = variables | more | {"COLUMNS": str(columns) if columns else None}  # None: whoever runs the tests has none
    return CliRunner().invoke(cli, ["status", *words], env=env, catch_exceptions=False)


def shown(variables, *words, **more):
    return "\n".join(line.rstrip() for line in asked(variables, *words, **more).stdout.splitlines())


def test_eighty_columns_are_as_the_readme_shows_them_to_the_letter(variables):
    assert shown(variables, *AT, columns=80).strip() == AT_80.strip()


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_nothing_is_wider_than_the_terminal_and_no_name_is_cut(variables, columns):
    text = shown(variables, *AT, columns=columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    for of in SERVICES:
        assert f"{of.service} " in text
    assert "◆ 2 firing" in text
    assert "weir diagnose 1b652688ed26a13a-1" in text


def test_a_wide_terminal_and_a_pipe_have_every_column(variables):
    for columns in (140, None):
        text = shown(variables, *AT, columns=columns)
        for heading in ("traffic", "rate", "p99", "says", "inputs", "quality", "cost", "complete to"):
            assert heading in text
        for figure in ("47.1 % positive", "33.8 % letter", "35.1 mean", "0.700 AUC", "75.0 % accuracy", "€3.50/M"):
            assert figure in text


def test_there_is_no_colour_where_nobody_wants_it(variables):
    plain = asked(variables, *AT, columns=80, TERM="xterm-256color", FORCE_COLOR="1").stdout
    assert "\x1b[3" not in plain.replace("\x1b[3m", "")
    coloured = asked({**variables, "NO_COLOR": ""}, *AT, columns=80, TERM="xterm-256color", FORCE_COLOR="1").stdout
    assert "\x1b[1;31m◆" in coloured


def test_the_exit_status_says_whether_something_fires_or_is_missing(variables):
    assert asked(variables, *AT).exit_code == 1
    assert asked(variables, *AT, "--service", ARRIVALS.service).exit_code == 0
    assert asked(variables, "--at", "2026-11-28T01:00:00", "--range", "1h", "--service", "parcel-kind").exit_code == 0


def test_json_has_all_of_it(variables):
    done = asked(variables, *AT, "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (found["state"], found["in_order"]) == ("alarm", False)
    assert found["balance"]["read"] == found["balance"]["scored"] + found["balance"]["rejected"]
    assert [one["missing"] for one in found["balance"]["lost"]] == [50]
    assert [one["name"] for one in found["services"]] == sorted(of.service for of in SERVICES)
    assert found["alerts"][0]["alert_id"] == "1b652688ed26a13a-1"
    assert found["services"][1]["complete_to"].startswith("2026-11-28T19:19")


def test_a_time_without_anything_says_when_there_was_something(variables):
    text = shown(variables, "--at", "2026-12-24", columns=140)
    assert "– Nothing was read in this time." in text
    assert "The newest predictions are of 28 Nov 19:59: weir status --at 2026-11-28T20:00" in text


def test_a_clickhouse_that_is_away_is_said_with_status_75(variables):
    with pytest.raises(Unavailable, match="ClickHouse does not answer") as raised:
        asked({**variables, "WEIR_CLICKHOUSE_URL": f"http://127.0.0.1:{free_port()}"}, *AT)
    assert raised.value.status == 75


def test_what_cannot_be_asked_is_said(variables):
    wrong = CliRunner().invoke(cli, ["status", "--range", "yesterday"], env=variables)
    assert (wrong.exit_code, "is no span of time" in wrong.output) == (2, True)
    with pytest.raises(Exception, match="there is no service flight-delays"):
        asked(variables, *AT, "--service", "flight-delays")

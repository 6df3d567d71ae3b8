"""`weir cost`: what is exported adds up to what was metered, as CSV and as Parquet."""

import csv
import io
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner
from weir.edges.clickhouse import costs
from weir.edges.clickhouse.client import connect

from tests.command_line import cli
from tests.databases import migrated
from tests.doubles import spent
from tests.sql.test_cost_monitors import ANSWERS, BATCHES, BOOK

TIME = ("--service", "fraud", "--from", "2026-01-01", "--to", "2026-01-11")


@pytest.fixture(scope="module")
def variables(databases):
    """The environment of a command that asks a database with ten days of costs."""
    with migrated(databases) as settings:
        client = connect(settings.recording)
        costs.make(client, "EUR", BOOK, ())
        spent.record(client, BATCHES, ANSWERS)
        yield {
            "WEIR_SERVICE": "fraud",
            "WEIR_CLICKHOUSE_URL": settings.recording.clickhouse_url,
            "WEIR_CLICKHOUSE_DATABASE": settings.recording.clickhouse_database,
        }


def test_an_export_adds_up_to_what_was_metered(variables, tmp_path):
    """15 s of CPU and 5 idle at 1 a second, 200 reads at 1 a million, 100,000 bytes at 1 a gigabyte."""
    metered = Decimal(15 + 5) + Decimal(200) / 10**6 + Decimal(10 * (2000 + 2 * 4000)) / 10**9
    for by, digits in (("team,tenant", "9"), ("day,version", "4")):
        asked = ["cost", "export", *TIME, "--by", by, "--digits", digits]
        done = CliRunner().invoke(cli, asked, env=variables, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert {row["kind"] for row in rows} == {"answers", "rejected", "idle"}
        assert sum(Decimal(row["amount"]) for row in rows) == round(metered, int(digits))
        assert sum(int(row["predictions"]) for row in rows if row["kind"] == "answers") == 80
        file = tmp_path / "charges.parquet"
        CliRunner().invoke(cli, [*asked, "--parquet", str(file)], env=variables, catch_exceptions=False)
        table = pq.read_table(file).to_pylist()
        assert [str(row["amount"]) for row in table] == [row["amount"] for row in rows]
        assert {row["currency"] for row in table} == {"EUR"}


def test_costs_are_shown_with_their_total(variables):
    done = CliRunner().invoke(cli, ["cost", "show", *TIME, "--by", "tenant"], env=variables, catch_exceptions=False)
    assert done.exit_code == 0
    assert "together 20.000300 EUR" in done.stdout
    wrong = CliRunner().invoke(cli, ["cost", "show", "--by", "colour"], env=variables)
    assert (wrong.exit_code, "colour is none of service, model" in wrong.output) == (2, True)

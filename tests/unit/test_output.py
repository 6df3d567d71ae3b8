"""Tables are no wider than the terminal, and a name stays on one line."""

import pytest
from rich.table import Table
from weir.cli.output import Column, show, show_table

ID = "weir.requests.flight-delay/11/1234567@Vx3uT0ZyQ2mJd7r5ab-Kcw"
ROWS = [{"id": f"{ID}{n}", "reason": "unknown_category", "detail": "channel is none of web, app", "n": n} for n in "12"]
COLUMNS = (
    Column("letter", "id", name=True),
    Column("rejected for", "reason", name=True),
    Column("detail", "detail"),
    Column("n", "n", right=True),
)


@pytest.mark.parametrize("width", [40, 80, 100, 140])
def test_no_table_is_wider_than_the_terminal_and_no_name_is_cut(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    show(ROWS, COLUMNS, title="letters", as_json=False)
    out = capsys.readouterr().out
    assert all(row["id"] in out and row["reason"] in out for row in ROWS)
    assert all(len(line) <= width or ID in line for line in out.splitlines())
    assert ("rejected for  unknown_category" in out) == (width < 100)


def test_a_table_without_headings_keeps_its_names_beside_their_values(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("id", ID)
    table.add_row("detail", "[bold]channel[/] is none of those that the signature names, which are web, app and shop")
    show_table(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"id      {ID}"
    assert lines[1:] == [
        "detail  channel is none of those that the signature names,",
        "        which are web, app and shop",
    ]


def test_in_a_pipe_a_table_is_as_wide_as_it_wants(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    show(ROWS, COLUMNS, as_json=False)
    assert f"{ROWS[0]['id']} \u2502 unknown_category" in capsys.readouterr().out

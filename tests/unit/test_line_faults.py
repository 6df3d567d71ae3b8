"""Faults of lines: a few for each reason, and how many more."""

from weir.cli.line_faults import LineFaults


def test_a_reason_is_told_for_some_lines_and_counted_for_the_others(capsys):
    faults = LineFaults()
    faults.tell({2: "no JSON", 1: "no JSON", 4: "not UTF-8"})
    faults.tell(dict.fromkeys(range(5, 1007), "no JSON"))
    faults.tell_rest()
    out, err = capsys.readouterr()
    assert not out
    assert err.splitlines() == [
        "line 1: no JSON",
        "line 2: no JSON",
        "line 4: not UTF-8",
        "line 5: no JSON",
        "1,001 more lines: no JSON",
    ]

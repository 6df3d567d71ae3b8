"""A project's monitor that has the SQL of one of Weir's, and what it may say."""

import pytest
from weir.core.errors import Refused
from weir.monitor import header, like
from weir.monitor.baseline import Against, Baseline
from weir.monitor.threshold import Threshold

from tests.unit.monitor.test_header import SQL, text

BROUGHT = {
    "rate": text(
        SQL + "\n    HAVING {baseline:String} != ''", warn="> 1", page="> 2", baseline="reference", owner="us"
    ),
    "auc": text(usual="falls", name="auc"),
}


def read(*lines, name="rate"):
    said = "".join(f"-- {line}\n" for line in lines)
    return header.monitor(like.whole(said, "file", BROUGHT.get, BROUGHT), name, "file", own=True)


def test_it_has_the_sql_of_the_other_and_its_own_baseline_and_bounds():
    one = read("name: rate", "like: rate", "baseline: frozen july", "warn:", "page: > 7", "minimum: 12")
    other = header.monitor(BROUGHT["rate"], "rate", "brought")
    assert (one.baseline, one.warn, one.page) == (Baseline(Against.FROZEN, "july"), None, Threshold(">", 7))
    assert (one.like, one.own, one.minimum, one.owner) == ("rate", True, 12, "us")
    assert header.bare(one.sql).split() == header.bare(other.sql).split()
    assert one.sha256 != other.sha256
    assert read("name: mine", "like: rate", "owner: them", name="mine").owner == "them"


def test_a_bound_takes_the_place_of_what_is_usual_and_the_other_way_round():
    one = read("name: auc", "like: auc", "page: < 0.7", name="auc")
    assert (one.usual, one.page) == ({}, Threshold("<", 0.7))
    two = read("name: rate", "like: rate", "usual: moves")
    assert (two.warn, two.page, list(two.usual)) == (None, None, [""])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("name: rate", "like: rat"), r"Weir brings no monitor rat \(file\): did you mean rate"),
        (("name: rate", "like: rate", "unit: psi"), "like rate, whose SQL unit belongs to.*baseline, maturity, warn"),
        (("name: rate", "like: rate", "pages: > 1"), "whose SQL pages belongs to"),
        (("name: rates", "like: rate"), "its header calls it rates"),
        (("name: rate", "like: rate", "baseline: frozen"), "baseline: frozen.*weir baseline capture"),
    ],
)
def test_what_it_cannot_say_is_refused(lines, said):
    with pytest.raises(Refused, match=said):
        read(*lines)


def test_one_with_sql_of_its_own_is_refused():
    with pytest.raises(Refused, match="it is like rate and has SQL of its own"):
        like.whole("-- name: rate\n-- like: rate\n--\n-- why\nSELECT 1\n", "file", BROUGHT.get, BROUGHT)

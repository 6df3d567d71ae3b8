"""Which of ClickHouse's errors are waited for, which are said at once, and in which words."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse.client import answering, connect, retry
from weir.edges.clickhouse.rights import LIMITS, OUTSIDE, rights
from weir.settings import load

WHERE = "http://ch:8123"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            OperationalError("Error HTTPConnectionPool(host='ch'): [Errno 111] Connection refused')"),
            Unavailable,
            "ClickHouse does not answer: Connection refused",
        ),
        (OperationalError("Error HTTPSConnectionPool: Read timed out."), Unavailable, "Read timed out"),
        (
            DatabaseError("x Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS) (version 26.9)", code=252),
            Unavailable,
            "Too many parts",
        ),
        (
            DatabaseError("x Code: 60. DB::Exception: Unknown table t. (UNKNOWN_TABLE) (version 26.9)", code=60),
            Refused,
            "Unknown table t. (UNKNOWN_TABLE) (http://ch:8123): run `weir migrate`",
        ),
        (
            DatabaseError("Code: 516. DB::Exception: Authentication failed", code=516),
            Refused,
            "WEIR_CLICKHOUSE_PASSWORD",
        ),
        (
            DatabaseError("Code: 53. DB::Exception: Type mismatch (version 26.9 (official build))", code=53),
            Refused,
            "refuses a statement: Type mismatch (http",
        ),
    ],
)
def test_errors_in_our_words(error, kind, words):
    with pytest.raises(kind) as caught, answering(WHERE):
        raise error
    assert words in str(caught.value)


def test_defects_of_ours_are_not_dressed_up():
    with pytest.raises(ValueError, match="ours"), answering(WHERE):
        raise ValueError("ours")


@pytest.mark.parametrize("url", ["clickhouse:9000", "tcp://ch:9000", "http://"])
def test_an_address_of_another_kind_is_refused(url):
    with pytest.raises(Refused, match="WEIR_CLICKHOUSE_URL"):
        connect(load(clickhouse_url=url).recording)


@pytest.mark.parametrize(
    ("error", "may"),
    [(DatabaseError("readonly", code=164), ()), (DatabaseError("path", code=291), tuple(OUTSIDE))],
)
def test_what_a_user_may_reach_is_known_by_how_it_is_refused(error, may):
    assert rights(_Asked(error)).beyond == may


@pytest.mark.parametrize("error", [OperationalError("Read timed out."), DatabaseError("of all", code=241)])
def test_a_server_that_is_busy_says_nothing_of_what_its_user_may(error):
    with pytest.raises(Unavailable):
        rights(_Asked(error))


@pytest.mark.parametrize(
    ("granted", "may"), [("", ()), ("INSERT", ("insert",)), ("INSERT, DROP TABLE", ("insert", "drop"))]
)
def test_a_user_who_may_set_what_it_likes_changes_what_it_is_granted(granted, may):
    assert rights(_Asked(DatabaseError("not granted", code=497), readonly="0", granted=granted)).beyond == may


class _Asked:
    """A client of a user who only reads; what it reaches outside of the tables fails with an error."""

    def __init__(self, error, readonly="1", granted=""):
        self.error, self.readonly, self.granted = error, readonly, granted

    def command(self, statement):
        return int(statement.removeprefix("CHECK GRANT ").removesuffix(" ON *") in self.granted)

    def query(self, statement, parameters=None):
        if statement in OUTSIDE.values():
            raise self.error
        plain = {"value": "1", "readonly": 1, "least": "", "most": ""}
        self.rows = [{"name": "readonly", **plain, "value": self.readonly}, *({"name": n, **plain} for n in LIMITS)]
        return self

    def named_results(self):
        return self.rows


def failing(times, error):
    calls = []

    def call():
        calls.append(1)
        if len(calls) <= times:
            raise error
        return len(calls)

    return call


def test_what_passes_by_itself_is_tried_again():
    seen = []
    away = Unavailable("away", remedy="wait")
    assert retry(failing(3, away), 5.0, seen.append) == 4
    assert seen == [away] * 3


def test_the_budget_ends_and_refusals_are_not_retried():
    with pytest.raises(Unavailable):
        retry(failing(1000, Unavailable("away", remedy="wait")), 0.2)
    refused = failing(1, Refused("no", remedy="repair"))
    with pytest.raises(Refused):
        retry(refused, 5.0)
    assert refused() == 2, "a refusal was tried once"

"""Every query file says what it is, is found by its name, and runs on an empty database."""

import re

import pytest
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import results, sql_files
from weir.edges.clickhouse.sql_files import FOLDER
from weir.settings import ROOT

QUERIES = sorted(
    str(path.relative_to(FOLDER).with_suffix(""))
    for path in FOLDER.rglob("*.sql")
    if path.relative_to(FOLDER).parts[0] not in {*sql_files.NO_QUERIES, "monitors"}
)
VALUES = {
    "service": "",
    "limit": 5,
    "step": 3600,
    "settle_s": 30,
    "from": BEGINNING,
    "to": END,
    "reason": "",
    "ids": [],
    "prediction_ids": [],
    "request_ids": [],
    "open": False,
    "monitor": "",
    "labels": ["negative", "positive"],
    "base_from": BEGINNING,
    "base_to": BEGINNING,
    "dimension": "",
    "value": "",
    "alert": "",
    "results": results.view_of("nobody"),
    "by": "day",
    "flagging": ["positive"],
    "words": ["negative", "positive"],
    "meant": ["negative", "positive"],
    "positive": "positive",
    "traffic": "traffic_hour",
    "settled": END,
    "since": BEGINNING,
    "recent": BEGINNING,
    "monitors": ["outcome/auc"],
    "log": "log",
    "shadows": ["0123456789ab"],
    "topic": "weir.requests.nobody",
    "partition": 0,
    "offset": 0,
    "inputs": ["amount"],
    "known": "received",
    "keys": [],
    "action": "",
    "learner": "fresh",
    "rule": "1h",
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_has_a_header(name):
    query = sql_files.load(name)
    assert query.header["name"] == name
    assert {"title", "grain", "source", "value", "panel"} <= query.header.keys()
    assert query.parameters <= VALUES.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_the_source_of_a_query_can_be_found_by_a_stranger(name):
    source = sql_files.load(name).header["source"]
    assert all((ROOT / file).exists() for file in re.findall(r"[\w/.-]+\.(?:md|py|sql)\b", source)), source
    if other := re.fullmatch(r"see ([\w/]+)", source):
        assert other[1] in QUERIES


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_runs_where_nothing_is_recorded(client, name):
    results.make(client, {"nobody": ""})
    query = sql_files.load(name)
    found = sql_files.table(client, name, **{key: VALUES[key] for key in query.parameters})
    assert found.num_columns > 1


def test_a_forgotten_parameter_is_said_before_the_server_is_asked(client):
    with pytest.raises(TypeError, match=r"ledger/gaps.sql takes \['limit', 'service'\]"):
        sql_files.table(client, "ledger/gaps", service="")

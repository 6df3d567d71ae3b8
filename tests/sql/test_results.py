"""The view of a service: its formula is one expression over the prediction and its outcome, and money is exact."""

import pytest
from weir.core.errors import Refused
from weir.edges.clickhouse import results

GOOD = {
    "1": "1",
    "if(label = '1', attributes['missed'], 0) -- what it cost": "if(label = '1', attributes['missed'], 0)",
    "CASE WHEN decision = 'a' AND label IN ('0', 'b') THEN -100 ELSE 0 END": (
        "multiIf((decision = 'a') AND (label IN ('0', 'b')), -100, 0)"
    ),
    "-abs(score - observed) * attributes['per_minute']": "(-abs(score - observed)) * (attributes['per_minute'])",
    "toDecimal64(round(coalesce(observed, 0), 2), 2)": "toDecimal64(round(coalesce(observed, 0), 2), 2)",
    "attributes['it''s (alias x)']": "attributes['it\\'s (alias x)']",
    "attributes['{x:String}']": "attributes['{x:String}']",
    "10 / attributes['n']": "10 / (attributes['n'])",
    "if(toInt64(observed) = 0, 0, intDiv(10, toInt64(observed)))": (
        "if(toInt64(observed) = 0, 0, intDiv(10, toInt64(observed)))"
    ),
}


@pytest.mark.parametrize("formula", GOOD)
def test_a_formula_is_kept_as_clickhouse_writes_it(client, formula):
    (view,) = results.make(client, {"fraud-eu": formula})
    assert (view.name, view.formula) == ("results_fraud_eu", GOOD[formula])
    assert client.query("SELECT count(), sum(value) FROM results_fraud_eu").result_rows == [(0, None)]
    assert client.query("SELECT toTypeName(value) FROM shadow_results_fraud_eu").result_rows == []


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("1, 2", "more than one expression"),
        ("1) AS value, (2", "Syntax error"),
        ("1 AS a", "gives a part a name"),
        ("if(score > 1, 1, 2 AS has_outcome)", "gives a part a name"),
        ("(SELECT 1)", "holds a Subquery"),
        ("score IN (SELECT 1)", "holds a Subquery"),
        ("1 UNION ALL SELECT 2", "more than one expression"),
        ("1 FROM predictions", "more than one expression"),
        ("1 FORMAT CSV", "more than one expression"),
        ("1 SETTINGS max_threads = 1", "more than one expression"),
        ("1; DROP TABLE outcomes", "Syntax error"),
        ("1 INTO OUTFILE '/tmp/x'", "OUTFILE"),
        ("DISTINCT score", "Syntax error"),
        ("*", "holds a Asterisk"),
        ("{x:UInt8}", "Substitution `x` is not set"),
        ("sum(score)", "sum is no function of the prediction"),
        ("sum(score) OVER ()", "holds a WindowDefinition"),
        ("arrayJoin([1, 2])", "arrayjoin is no function of the prediction"),
        ("rand()", "rand is no function of the prediction"),
        ("toUnixTimestamp(now())", "now is no function of the prediction"),
        ("file('/etc/passwd')", "file"),
        ("sleep(1)", "sleep is no function of the prediction"),
        ("request_id", "it names request_id"),
        ("attributes.keys", "it names attributes.keys"),
        ("arrayMap(x -> x, [1])", "it names x"),
        ("label", r"gives LowCardinality\(Nullable\(String\)\), no number"),
        ("attributes", "no number"),
        ("no_such(1)", "no function no_such"),
        ("toDate(1)", "gives Date, no number"),
        ("missed +", "Syntax error"),
        ("intDiv(10, toInt64(attributes['n']))", "on some outcome it would raise.*ivision by zero"),
        ("10 % toInt64(attributes['n'])", "on some outcome it would raise"),
        ("toFloat64(decision)", "on some outcome it would raise"),
        ("if(label = 'it''s', intDiv(1, toInt64(attributes['it''s'])), 0)", "on some outcome it would raise"),
        ("if(decision IN ('a', 'b'), intDiv(1, toInt64(observed) - 37), 0)", "on some outcome it would raise"),
        ("throwIf(observed = 1)", "throwif"),
    ],
)
def test_what_is_no_such_expression_is_refused_and_no_view_is_made(client, formula, why):
    with pytest.raises(Refused, match=why) as refusal:
        results.make(client, {"good": "1", "fraud": formula})
    assert "services/fraud, value" in str(refusal.value)
    made = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'results\\_%'"
    assert not client.query(made).result_rows


def test_two_services_do_not_share_a_view(client):
    with pytest.raises(Refused, match="services a-b and a_b would share the view results_a_b"):
        results.make(client, {"a-b": "", "a_b": ""})
    results.make(client, {"a-b": ""})
    with pytest.raises(Refused, match="services a-b and a_b would share"):
        results.make(client, {"a_b": ""})
    results.make(client, {"a-b": "2"})
    with pytest.raises(Refused, match="no name of a service"):
        results.make(client, {"a' OR 1": ""})

"""Questions of a person to ClickHouse: what is refused says what to write."""

import pytest
from weir.core.errors import Refused
from weir.edges.clickhouse import questions, results

from tests.doubles.monitoring import NOON, SERVICE, SHARE, monitor, predict


@pytest.mark.parametrize("ending", ["FORMAT TSV", "format TSV", "FORMAT TSV ;", "\nFORMAT\tTSV\n"])
def test_a_format_in_the_question_is_told_with_what_says_it_instead(client, ending):
    with pytest.raises(Refused, match="in which format") as refused:
        questions.free(client, f"SELECT 1 AS one {ending}", {}, 10)
    assert "leave FORMAT TSV out" in str(refused.value)
    assert "CSV by --csv, JSON by --json" in str(refused.value)
    assert "Native" not in str(refused.value)


def test_words_that_are_no_format_of_the_answer_are_left_alone(client):
    assert questions.free(client, "SELECT 'a FORMAT TSV' AS format", {}, 10).rows == [("a FORMAT TSV",)]
    with pytest.raises(Refused, match="refuses the question"):
        questions.free(client, "SELECT 1 FROM nothing_of_this_name", {}, 10)


def test_a_monitor_is_about_the_only_service_where_none_is_named(client, database, tmp_path):
    by_view = SHARE.replace("predictions\nWHERE service = {service:String} AND", "{results:Identifier}\nWHERE")
    monitor(tmp_path, "mine", by_view)
    settings, anytime = database.having(monitors_dir=tmp_path), {"from": "2026-01-01", "to": "2026-01-02"}
    with pytest.raises(Refused, match=r"about one service: give --param service=NAME: nothing is recorded of any"):
        questions.named(client, "mine", anytime, 10, settings)
    predict(client, 0, 99, begin=NOON)
    results.make(client, {SERVICE: ""})
    found = questions.named(client, "mine", anytime, 10, settings)
    assert len(found.rows) == 2
    asked = questions.named(client, "mine", anytime | {"service": SERVICE}, 10, settings)
    assert sorted(asked.rows) == sorted(found.rows)
    with pytest.raises(Refused, match="takes no team"):
        questions.named(client, "mine", anytime | {"team": "a"}, 10, settings)

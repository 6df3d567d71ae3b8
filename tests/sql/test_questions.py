"""Questions of a person to ClickHouse: what is refused says what to write."""

import pytest
from weir.core.errors import Refused
from weir.edges.clickhouse import questions


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

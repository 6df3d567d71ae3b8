"""Files of repairs: what their lines say, and which of them is wrong."""

import json

import pytest
from weir.core.errors import Refused
from weir.operations import repair


def test_a_text_may_hold_whatever_json_takes(tmp_path):
    said = {"id": "requests/0/1@log", "fields": {"note": "one\u2028two\x85three"}}
    file = tmp_path / "repairs.jsonl"
    file.write_text(json.dumps(said, ensure_ascii=False) + "\n\n", encoding="utf-8")
    assert repair._repairs(file) == {said["id"]: said["fields"]}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "no JSON"),
        (b"[1]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b'{"id": "K\xf6ln"}', "not UTF-8"),
        (b'{"id": "a"}', ""),
        (b'{"id": "a", "fields": 1}', ""),
    ],
)
def test_a_line_that_is_no_repair_is_named(tmp_path, line, why):
    file = tmp_path / "repairs.jsonl"
    file.write_bytes(b'{"id": "a", "fields": {}}\n' + line)
    with pytest.raises(Refused, match=f"line 2 is no repair.*{why}"):
        repair.check((), file)

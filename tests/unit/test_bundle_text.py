"""YAML of anywhere: only the forms of YAML 1.2, nothing that grows, and as fast as a model of 2,000 inputs needs it."""

from __future__ import annotations

import pytest
from weir.edges.bundles import text

from tests.waiting import cpu_time_below


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: &a [1]\nb: *a\n", "it has an alias"),
        (b"a: &a [1, *a]\n", "it has an alias"),
        (b"a: " + b"[" * 100_000, "more than 100 deep"),
        (b"{a: " * 1000, "more than 100 deep"),
        (b"- " * 1000, "more than 100 deep"),
        (b"a: 1\nb: 2\na: 3\n", "it has the key a twice"),
        (b"a: !!python/object:os.system x\n", "could not determine a constructor"),
        (b"a: [1\n", "expected"),
        (b"[1]", "it is not a mapping"),
        (b"", "it is not a mapping"),
        (b"a: \xff", "decode"),
        (b"a: " + b"1" * (1 << 20), "more than 1048576"),
    ],
)
def test_what_is_not_a_plain_mapping_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        text.parse(content)


ODD = [
    *("1.10", "010", "007", "1:30", "1_000", "0x1f", "+1", ".5", "1e3", "1e-3", ".inf", "2026-01-01"),
    *("no", "on", "true", "null", "~", "", " a", " a ", "é", "a: b", "#", "=", "<<", "|"),
]


@pytest.mark.parametrize("value", ODD)
def test_text_comes_back_as_it_was_written(value: str) -> None:
    assert text.parse(text.write({"version": value}).encode()) == {"version": value}


def test_values_come_back_as_they_were_written() -> None:
    content = {"words": ODD, "numbers": [1, -1, 1.5, 1e-9, True, False, None], "0": {"é": []}}
    assert text.parse(text.write(content).encode()) == content


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("010", "010"),
        ("1:30", "1:30"),
        ("no", "no"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("0x1f", "0x1f"),
        ("1e-3", 0.001),
        ("1.10", 1.1),
        ("-7", -7),
        ("true", True),
    ],
)
def test_nothing_is_changed_in_silence(written: str, read: object) -> None:
    assert text.parse(f"key: {written}\n".encode()) == {"key": read}


def test_two_thousand_inputs_are_read_within_seconds() -> None:
    entry = {"name": "a_name", "low": None, "high": 1.5, "doc": "what a caller knows of it", "categories": ["a", "b"]}
    content = {"inputs": [{**entry, "ref": f"field_{i}"} for i in range(2000)]}
    written = text.write(content).encode()
    with cpu_time_below(10):
        assert text.parse(written) == content

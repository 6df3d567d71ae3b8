"""Bundles by service, kept in a file that several processes change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from weir.operations import kept_bundles
from weir.settings import load


def test_of_changes_at_once_each_is_kept(tmp_path):
    settings = load().having(home=tmp_path)

    def put(number: int) -> None:
        kept_bundles.change(settings, "kept.json", "a test", lambda kept: {**kept, f"s{number}": f"/{number}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(64)))
    assert kept_bundles.read(settings, "kept.json", "a test") == {f"s{i}": f"/{i}" for i in range(64)}

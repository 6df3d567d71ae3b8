"""The folders of ClickHouse's rows, each of one Kafka log. None is ever deleted here."""

from __future__ import annotations

from pathlib import Path

MARK = "kafka-log-id"  # in each folder: the log that its rows were recorded from


def follow_log(rows: Path, log_id: str) -> Path | None:
    """Make `rows`/current the folder of the Kafka log `log_id`; where another log's rows were set aside for that.

    Rows are keyed by Kafka offsets. When a log begins anew, so do its offsets, and old rows would pass for its
    answers; so the folder of another log becomes `rows`/kept-1, kept-2 and so on, and comes back with its log. Whole
    folders are moved, not databases renamed: views and dictionaries name their tables in full.
    """
    current = rows / "current"
    if _log_of(current) == log_id:
        return None
    aside = _set_aside(rows, current)
    own = next((kept for kept in rows.glob("kept-*") if _log_of(kept) == log_id), None)
    if own is not None:
        own.rename(current)
    else:
        current.mkdir(parents=True, exist_ok=True)
        (current / MARK).write_text(log_id)
    return aside


def _set_aside(rows: Path, current: Path) -> Path | None:
    if not current.exists():
        return None
    taken = [int(kept.name.removeprefix("kept-")) for kept in rows.glob("kept-[0-9]*")]
    aside = rows / f"kept-{max(taken, default=0) + 1}"
    return current.rename(aside)


def _log_of(folder: Path) -> str:
    try:
        return (folder / MARK).read_text()
    except FileNotFoundError:
        return ""

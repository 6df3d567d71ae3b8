"""A client's query ids: the engine makes its own and takes none, so a client's stands in a setting of the statement."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weir.edges.embedded.clickhouse_facade.words import quoted, tokens

SETTING = "query_cache_tag"  # it means nothing to a statement without the query cache
_SHOWN_ID = f"if(Settings['{SETTING}'] = '', query_id, Settings['{SETTING}'])"
_PROCESSES = f"(SELECT * REPLACE ({_SHOWN_ID} AS query_id, {_SHOWN_ID} AS initial_query_id) FROM system.processes)"
_ID_FUNCTIONS = ("queryid", "query_id", "initialqueryid", "initial_query_id", "currentqueryid", "current_query_id")
_ASKS_FOR_ID = re.compile("|".join((*_ID_FUNCTIONS, "processes")), re.IGNORECASE)


def with_query_id(sql: str, query_id: str) -> str:
    """The statement with the client's query id where it asks for the engine's."""
    if not _ASKS_FOR_ID.search(sql):  # spares most statements the look at each word
        return sql
    words = tokens(sql)
    kills = words[0].text == "KILL"
    selects = any(word.text == "SELECT" for word in words)
    out, done = [], 0
    for i, word in enumerate(words):
        texts = [follows.text for follows in words[i : i + 5] if follows.kind != "literal"]
        if word.kind != "name":
            continue
        if word.text.lower() in _ID_FUNCTIONS and texts[1:3] == ["(", ")"]:
            end, instead = words[i + 2].end, quoted(query_id)
        elif selects and texts[:3] == ["system", ".", "processes"]:
            end, instead = words[i + 2].end, _processes(texts[3:4])
        elif kills and texts[0] in ("query_id", "initial_query_id"):
            end, instead = word.end, _SHOWN_ID
        else:
            continue
        out += [sql[done : word.start], instead]
        done = end
    return "".join([*out, sql[done:]])


def _processes(follows: Sequence[str]) -> str:
    """What stands for system.processes: of a column its table's name, else the table, by this name or its own one."""
    if follows == ["."]:
        return "processes"
    return _PROCESSES if follows == ["AS"] else f"{_PROCESSES} AS processes"

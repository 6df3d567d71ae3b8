"""The words of a statement, as the engine's own formatter writes it, and its brackets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from weir.edges.embedded.clickhouse_facade.catalogue import Rights
from weir.edges.embedded.clickhouse_facade.faults import Denied

_TOKEN = re.compile(
    r"""(?P<literal>'(?:[^'\\]|\\.|'')*+')|(?P<quoted>`(?:[^`\\]|\\.|``)*+`|"(?:[^"\\]|\\.|"")*+")|(?P<name>\w+)|\S""",
    re.DOTALL,
)
HEAD_WORDS = 12  # more than any statement has before the name of its table
READER_WORDS = 50_000  # of a statement: looking at each takes time that no client's going away ends


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a statement: a literal with its quotes, a name without them, or a sign."""

    text: str
    kind: str  # "literal", "name" or ""
    start: int
    end: int

    def calls(self, follows: Token | None) -> bool:
        """Whether this is the name of something called."""
        return self.kind == "name" and follows is not None and follows.text == "(" and not follows.kind


@dataclass(frozen=True, slots=True)
class Brackets:
    """Where the brackets of a statement end, and the commas that stand directly in each, by where they begin."""

    closing: Mapping[int, int]
    commas: Mapping[int, Sequence[int]]

    @classmethod
    def of(cls, words: Sequence[Token]) -> Brackets:
        """Found in one pass. A bracket that is not closed has no end here.

        >>> Brackets.of(tokens("f(a, g(b, c))")).commas
        {1: [3], 5: [7]}
        """
        closing: dict[int, int] = {}
        commas: dict[int, list[int]] = {}
        open_at: list[int] = []
        for i, word in enumerate(words):
            if word.kind:
                continue
            if word.text in ("(", "[", "{"):
                open_at.append(i)
                commas[i] = []
            elif word.text in (")", "]", "}") and open_at:
                closing[open_at.pop()] = i
            elif word.text == "," and open_at:
                commas[open_at[-1]].append(i)
        return cls(closing, commas)


def tokens(sql: str) -> list[Token]:
    """The words of a statement as the engine's formatter writes it.

    >>> [token.text for token in tokens("SELECT `file`('x'), 1")]
    ['SELECT', 'file', '(', "'x'", ')', ',', '1']
    """
    return list(_each(sql))


def _each(sql: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(sql):
        if found.lastgroup == "quoted":
            yield Token(found[0][1:-1], "name", *found.span())
        else:
            yield Token(found[0], found.lastgroup or "", *found.span())


def words_of(normal: str, rights: Rights) -> list[Token]:
    """The words of a statement. Raises Denied for one of a reader that has too many."""
    return bounded(_each(normal), rights)


def bounded(words: Iterable[Token], rights: Rights) -> list[Token]:
    """Words as a list. Raises Denied where a reader's are too many."""
    if rights is not Rights.READER:
        return list(words)
    found = list(islice(words, READER_WORDS + 1))
    if len(found) > READER_WORDS:
        raise Denied(f"A statement of a read-only user has at most {READER_WORDS:,} words, names and signs")
    return found


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

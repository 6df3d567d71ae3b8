"""Which columns of a sample a trained model takes, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

from weir.core.errors import Refused
from weir.edges.bundles import input_columns
from weir.edges.bundles.trained import Taken, Trained
from weir.edges.bundles.words import listed_names, plain
from weir.operations.sample import Column, Kind


@dataclass(frozen=True, slots=True)
class Assigned:
    """A column of the sample that is an input. categories: the words of a text in the order of their codes.

    by: the model's input that takes it. why: where the categories come from, or why it has none, in words; "" for a
    number. text: its texts go to the model as they are, whatever they say. instead: words that encoders of the model
    know and no column has, where they know none of these categories.
    """

    column: Column
    by: Taken
    categories: tuple[str, ...] = ()
    why: str = ""
    text: bool = False
    instead: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of columns, by their names.

    codes: the words of a column in the order of their codes. texts: columns whose texts the model takes as they are.
    """

    codes: Mapping[str, tuple[str, ...]]
    texts: Collection[str] = ()


def assign(
    trained: Trained, columns: Mapping[str, Column], beside: Collection[str], said: Said
) -> list[tuple[Column, Taken]]:
    """The model's columns in its order, each with the input that takes it.

    beside: columns that are no inputs whatever the model says, such as the label. Raises Refused with both lists.
    """
    known = {name: column for name, column in columns.items() if name not in beside}
    only = trained.inputs[0]
    if len(trained.inputs) > 1 or only.text:
        return _by_input(trained.inputs, known, said)
    if trained.said.features is not None and trained.said.named:
        return [(column, only) for column in _by_name(trained.said.features, known)]
    found = [column for column in known.values() if column.is_input]
    numbers = [column for column in found if column.kind is not Kind.TEXT]
    if only.columns in (None, len(found)):
        return [(column, only) for column in found]
    if only.columns == len(numbers):  # a text that is no input: a key, or a note
        return [(column, only) for column in numbers]
    label = "" if len(beside) > 1 else "; if what came true is among them, name it by --label"
    raise Refused(
        f"the model takes {only.columns} columns and does not name them, and the sample has {len(found)}: "
        f"{listed_names([column.name for column in found])}",
        remedy=f"give a sample with the model's columns alone, in its order, beside the label{label}",
    )


def categories(
    trained: Trained,
    assigned: Sequence[tuple[Column, Taken]],
    said: Said,
    *,
    proved: bool,
) -> list[Assigned]:
    """The words of each column of text, and where their order comes from; or that it is text as it is.

    proved: the sample holds scores of the trained model itself, so that a wrong guess would show. Raises Refused where
    nothing says the order, or what is said does not fit.
    """
    _check_said(assigned, said)
    texts = [column.name for column, taken in assigned if column.kind is Kind.TEXT and not taken.text]
    lists = trained.said.categories or ()
    in_order = dict(zip(texts, lists, strict=True)) if len(lists) == len(texts) else {}
    found = []
    for column, taken in assigned:
        if why := _why_text(column, taken, trained, said):
            found.append(Assigned(column, taken, (), why, text=True))
        else:
            found.append(Assigned(column, taken, *_words(column, taken, trained, said.codes, in_order, proved=proved)))
    return _with_instead(found, trained.known)


def _with_instead(found: Sequence[Assigned], known: Collection[tuple[str, ...]]) -> list[Assigned]:
    """With what the model knows beside each column of which it knows no word. known: lists of the model's words."""
    texts = [one for one in found if one.by.text]
    left = tuple(
        words for words in dict.fromkeys(known) if not any(set(words) & set(one.column.words) for one in texts)
    )
    heard = {word for words in known for word in words}
    return [
        dataclasses.replace(one, instead=left)
        if one.by.text and one.categories and not heard & set(one.categories)
        else one
        for one in found
    ]


def _check_said(assigned: Sequence[tuple[Column, Taken]], said: Said) -> None:
    """Raises Refused for what is said of a column that is no input, or cannot be so."""
    names = [column.name for column, _ in assigned]
    for option, wanted in (("--codes", said.codes.keys()), ("--text", set(said.texts))):
        if unknown := sorted(wanted - set(names)):
            remedy = f"name one of {listed_names(names)}"
            raise Refused(f"{option} names {', '.join(unknown)}, which is no input", remedy=remedy)
    if both := sorted(said.codes.keys() & set(said.texts)):
        raise Refused(f"--codes and --text both name {', '.join(both)}", remedy="give one of the two")
    for column, taken in assigned:
        if column.name in said.texts and not taken.text:
            what = f"--text names {column.name}, and the model takes a number for it, no text"
            raise Refused(what, remedy="leave --text out, or export the model with the steps that read the text")
        if column.name in said.codes and column.kind is not Kind.TEXT:
            _check_numbers(column, len(said.codes[column.name]))


def _check_numbers(column: Column, words: int) -> None:
    """Whether a column's values are the codes of so many words. Raises Refused."""
    low, high = (0.0, 1.0) if column.kind is Kind.BOOL else (column.low or 0.0, column.high or 0.0)
    if column.whole and low >= 0 and high < words:
        return
    holds = f"numbers from {low:.6g} to {high:.6g}" if column.whole else "what is neither words nor whole numbers"
    raise Refused(
        f"column {column.name} holds {holds}, and --codes gives the words of 0 to {words - 1}",
        remedy="give a word for each number from 0, in their order, or leave --codes out for an input of numbers",
    )


def _why_text(column: Column, taken: Taken, trained: Trained, said: Said) -> str:
    """Why a column's texts go to the model as they are; "" where they do not."""
    if column.name in said.texts:
        return "as --text says"
    if not taken.text or column.name in said.codes or _known(column, trained):
        return ""
    if taken.cut:
        return "the model itself cuts it into words"
    if column.is_free:
        return f"the sample's {column.rows:,} rows have {len(column.words):,} different ones"
    return ""


def _known(column: Column, trained: Trained) -> tuple[str, ...]:
    """The shortest list of words that the model knows and a column's all stand in."""
    return min((words for words in trained.known if set(column.words) <= set(words)), key=len, default=())


def _words(
    column: Column,
    taken: Taken,
    trained: Trained,
    codes: Mapping[str, tuple[str, ...]],
    in_order: Mapping[str, tuple[str, ...]],
    *,
    proved: bool,
) -> tuple[tuple[str, ...], str]:
    if column.kind is not Kind.TEXT and column.name in codes:
        return codes[column.name], "as --codes says"
    if column.kind is not Kind.TEXT and not taken.text:
        return (), ""
    there = set(column.words)
    said = codes.get(column.name) or in_order.get(column.name, ())
    if said:
        if lacking := sorted(there - set(said)):
            what = f"column {column.name} has {listed_names(lacking)}, which are no categories of the model's: "
            raise Refused(what + listed_names(said), remedy="leave such rows out of the sample, or correct --codes")
        return said, "as --codes says" if column.name in codes else "as the model file says"
    if taken.text:
        shortest = _known(column, trained)
        return (shortest, "those that the model knows") if shortest else (column.words, "those of the sample")
    if column.coded:
        return column.words, "in the order of the sample's own categories"
    if proved:
        return column.words, "in alphabetical order, a guess that the sample's scores prove"
    raise Refused(
        f"column {column.name} holds text, and the model takes a number for it: nothing says which number",
        remedy=f"say it by --codes {column.name}={','.join(column.words[:3])},... in the order in which the training "
        "numbered them, from 0; or add the scores of the trained model itself to the sample, as column `score`",
    )


def _by_name(features: Sequence[str], known: Mapping[str, Column]) -> list[Column]:
    by = {plain(name): column for name, column in known.items()} | dict(known)
    if lacking := [name for name in features if plain(name) not in by]:
        raise Refused(
            f"the model was trained on {listed_names(features)}, and the sample lacks {listed_names(lacking)}",
            remedy="give a sample with these columns",
        )
    return [by.get(name, by[plain(name)]) for name in features]


def _by_input(inputs: Sequence[Taken], known: Mapping[str, Column], said: Said) -> list[tuple[Column, Taken]]:
    """Inputs of one column take that of their name; the others what is left in turn, texts and numbers apart."""
    by = {plain(name): column for name, column in known.items()} | dict(known)
    found = [
        (by.get(one.name, by[plain(one.name)]), one)
        for one in inputs
        if one.columns in (1, None) and plain(one.name) in by
    ]
    named = {taken.name for _, taken in found}
    wide = [one for one in inputs if one.name not in named]
    if lacking := [one.name for one in wide if one.columns == 1 and len(inputs) > 1]:
        what = f"the model takes {listed_names([one.name for one in inputs])}, and the sample lacks "
        raise Refused(what + listed_names(lacking), remedy="give a sample with these columns")
    used = {column.name for column, _ in found}
    texts, numbers = [one for one in wide if one.text], [one for one in wide if not one.text]
    left = [
        (column, bool(texts) and (column.kind is Kind.TEXT or column.name in said.texts or not numbers))
        for column in (known.values() if wide else ())
        if column.name not in used
        and (column.is_input or column.name in said.texts or (bool(texts) and column.is_prose))
    ]
    worded = sum(text for _, text in left)
    takers = {True: _in_turn(texts, worded), False: _in_turn(numbers, len(left) - worded)}
    found += [(column, taken) for column, text in left if (taken := next(takers[text], None))]
    return found


def _in_turn(takers: Sequence[Taken], columns: int) -> Iterator[Taken]:
    """The input that takes the first of so many columns, the second, and so on; the last one takes what is too many."""
    for one, size in zip(takers, input_columns.sizes([one.columns for one in takers], columns), strict=True):
        yield from repeat(one, size)
    if takers:
        yield from repeat(takers[-1])

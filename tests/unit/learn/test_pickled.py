"""Models that can be kept as pickles only: a restart comes to the same bits, and nothing else is ever opened."""

import builtins
import functools
import importlib
import json
import os
import pickle
from collections import Counter
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pytest
from numpy._core.multiarray import scalar as np_scalar
from numpy._core.numeric import _frombuffer as np_frombuffer
from river import preprocessing
from river._river_rust.stats import RsQuantile
from weir.core.signature import Task
from weir.learn import allowed, pickled, river_parts, sealed
from weir.learn.allowed import Outside
from weir.learn.evidence import Evidence
from weir.learn.learner import Limits, Part
from weir.learn.live import Held, Live, Place
from weir.learn.pickled import Whose
from weir.learn.river_model import RiverModel

from tests.unit.learn.streams import BAYES, SCALER, learner, subject
from tests.unit.learn.test_live import entries

KEY, OTHER = b"0123456789abcdef" * 4, b"another key of thirty-two letters"
TASK = Task.BINARY
SEED = {"seed": 1}
EUCLID = Part("river.neighbors.LazySearch", {"window_size": 80})
MODELS = {
    "adaptive tree": (Part("river.tree.HoeffdingAdaptiveTreeClassifier", {**SEED, "grace_period": 50}),),
    "forest": (Part("river.forest.ARFClassifier", {**SEED, "n_models": 3, "grace_period": 50}),),
    "naive Bayes": (SCALER, BAYES),
    "neighbours": (SCALER, Part("river.neighbors.KNNClassifier", {"engine": EUCLID})),
}
WHOSE = Whose({"name": "one"}, "log", "{}")
VERSIONS = {"weir": "1", "river": "2"}


def life(model, held=None):
    """A learner of a River model, with its evidence."""
    of, declared = subject(TASK), learner(*MODELS[model])
    evidence = Evidence(of, declared, held.evidence if held else None)
    made = lambda: RiverModel(river_parts.made(declared, TASK), of)  # noqa: E731
    return Live(made, of, Limits(window=100), 1000, held, evidence)


def dumped(held, whose=WHOSE, key=KEY):
    return pickled.dump(key, held, subject(TASK), whose, VERSIONS)


def loaded(content, whose=WHOSE, place=None, key=KEY):
    good, states, _ = pickled.load(key, content, subject(TASK), whose, place)
    pickled.look(good, states)
    return good, states


def restarted(model, live):
    held = live.held
    good, states = loaded(dumped(held), place=held.next)
    assert isinstance(good.kept, Outside)
    found = json.loads(json.dumps(held.evidence, allow_nan=False))
    return life(model, Held(good, held.next, states, held.tally, held.blind, held.left, held.published_ms, found))


def told(live):
    """All but the models, as bytes."""
    held, now = live.held, live.now
    usual = [each.tobytes() for each in (held.good.usual.counts, held.good.usual.means, held.good.usual.squares)]
    states = [(one.since_ms, one.seen.count, one.seen.sums.tobytes()) for one in now.history.states]
    return usual, states, held.next, now.next, now.tally, now.blind, json.dumps(live.evidence.kept())


def answers(live, x):
    """What it says of rows, by all states that it has answered with, too."""
    model, found = live._scratch, []
    for kept in (live.answering, live.held.good.kept, *(one.kept for one in live.now.history.states)):
        model.restore(kept)
        out, zeros = np.empty((len(x), 1)), np.zeros(len(x))
        model.run(x, zeros, np.zeros(len(x), bool), out)
        learns = np.arange(len(x)) % 2 == 0  # what it draws at random goes on from there, too
        again = np.empty((len(x), 1))
        model.run(x, zeros, learns, again)
        found += [out.tobytes(), again[~learns].tobytes()]
    return found


@pytest.mark.parametrize("model", MODELS)
def test_cut_anywhere_it_comes_to_the_same_bits(model):
    n = 300 if model == "forest" else 500
    log = entries(TASK, n, 35)
    whole, one = life(model), life(model)
    for offset, at_ms, rows in log:
        whole.take(rows, offset, at_ms)
    for number, (offset, at_ms, rows) in enumerate(log):
        one.take(rows, offset, at_ms)
        if number % 3:
            continue
        one = restarted(model, one)
        for earlier, then_ms, before in log[max(0, number - 3) : number + 1]:  # of the log it may find too much
            one.take(before, earlier, then_ms)
    assert whole.learned == n
    assert told(one) == told(whole)
    assert answers(one, log[0][2].x) == answers(whole, log[0][2].x)


def test_an_older_state_and_what_the_log_has_behind_it_are_the_same():
    """So whoever writes an old record again changes nothing."""
    log = entries(TASK, 400, 40)
    one, old = life("naive Bayes"), None
    for number, (offset, at_ms, rows) in enumerate(log):
        one.take(rows, offset, at_ms)
        old = one.held if number == 3 else old
    good, states = loaded(dumped(old), place=old.next)
    again = life("naive Bayes", replace(old, good=good, history=states))
    for offset, at_ms, rows in log:
        again.take(rows, offset, at_ms)
    assert told(again) == told(one)
    assert answers(again, log[0][2].x) == answers(one, log[0][2].x)


def held_now():
    one = life("naive Bayes")
    for offset, at_ms, rows in entries(TASK, 150, 50):
        one.take(rows, offset, at_ms)
    return one.held


class Runs:
    """A pickle of it runs what it says."""

    def __init__(self, of, *given):
        self._of = of, given

    def __reduce__(self):
        return self._of


def by_name(module, name):
    """A pickle that is what stands under a name, dotted or not."""
    return b"\x80\x04" + b"".join(b"\x8c" + bytes([len(one)]) + one for one in (module, name)) + b"\x93."


ATTACKS = {
    "os.system": pickle.dumps(Runs(os.system, "touch ran")),
    "eval": pickle.dumps(Runs(builtins.eval, "1")),
    "open": pickle.dumps(Runs(open, "ran", "w")),
    "a chain of getattr": pickle.dumps(Runs(getattr, preprocessing.StandardScaler, "learn_one")),
    "a chain through an allowed name": by_name(b"river.preprocessing.scale", b"StandardScaler.__init__.__globals__"),
    "a module that an allowed one has": by_name(b"river.stats.quantile", b"typing"),
    "what River calls with a function": by_name(b"river.compose.func", b"FuncTransformer"),
    "River's own loader": by_name(b"river.datasets.base", b"RemoteDataset"),
    "a partial of it": pickle.dumps(functools.partial(os.system, "true")),
    "importing": by_name(b"importlib", b"import_module"),
    "numpy's loader": by_name(b"numpy", b"load"),
    "copy": by_name(b"copy", b"deepcopy"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_on_the_list_is_not_opened_even_with_the_key(attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = ATTACKS[attack]
    held = held_now()
    with pytest.raises(ValueError, match="is not on the list"):
        dumped(replace(held, good=replace(held.good, kept=content)))
    with pytest.raises(ValueError, match="is not on the list"):
        allowed.loads(content)
    assert not (tmp_path / "ran").exists()


def reduced(function, *given, state=None):
    """A pickle of what a function gives, and what that is told then."""

    class One:
        def __reduce__(self):
            return (function, given) if state is None else (function, given, state)

    return One()


OBJECT = reduced(np.dtype, "O8", False, True)
OBJECTS = reduced(np.dtype, [("a", "O")], False, True)
HIDDEN = reduced(np.dtype, "V8", False, True, state=(3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 0))
TURNED = reduced(np.dtype, "u8", False, True, state=(3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 0))
BYTES = reduced(np_frombuffer, b"\1" * 8, np.dtype("u1"), (8,), "C")


@pytest.mark.parametrize(
    "forged",
    [
        reduced(np_scalar, OBJECTS, BYTES),
        reduced(np_scalar, HIDDEN, b"\1" * 8),
        reduced(np_frombuffer, b"\1" * 8, HIDDEN, (1,), "C"),
        reduced(np_scalar, TURNED, b"\1" * 8),
        reduced(np_scalar, OBJECT, b"\1" * 8),
        reduced(np_scalar, np.dtype("f8"), b"\1" * 4),
        reduced(np_frombuffer, b"\1" * 8, np.dtype("u1"), (1 << 60,), "C"),
    ],
)
def test_no_bytes_of_a_pickle_are_used_as_an_address(forged):
    """NumPy's own types would let objects lie there: whoever opened it would be killed, or run what it says."""
    with pytest.raises(ValueError, match="cannot be opened"):
        allowed.loads(pickle.dumps(forged, pickle.HIGHEST_PROTOCOL))


@pytest.mark.parametrize("dtype", ["b1", "i1", "u2", "<i8", ">i4", "f2", "<f4", ">f8"])
def test_numbers_of_numpy_are_opened_as_they_were(dtype):
    column = np.arange(6).astype(dtype)
    for number in (column[3], column, column.reshape(2, 3), np.asfortranarray(column.reshape(2, 3)), column[:0]):
        again = allowed.loads(pickle.dumps(number, pickle.HIGHEST_PROTOCOL))
        assert (type(again), again.dtype, again.tobytes()) == (type(number), number.dtype, number.tobytes())
        assert np.array_equal(again, number)


@pytest.mark.parametrize(
    ("module", "name", "state"),
    [
        (b"river.preprocessing.scale", b"StandardScaler", {"learn_one": dict}),
        (b"river.preprocessing.scale", b"StandardScaler", {"new": 1}),
        (b"river.preprocessing.scale", b"StandardScaler", {"__bases__": (Counter,)}),
        (b"river.naive_bayes.gaussian", b"GaussianNB._make_gaussian", {"__defaults__": (1,), "new": 1}),
    ],
)
def test_a_pickle_changes_no_class(module, name, state):
    """All models of this process would be others."""
    of = attrgetter(name.decode())(importlib.import_module(module.decode()))
    before = allowed._has(of)
    told = pickle.dumps((None, state), 2)[2:-1]  # without its head and its end
    with pytest.raises(ValueError, match=r"changes \w+ itself|cannot be opened"):
        allowed.loads(by_name(module, name)[:-1] + told + b"b.")
    assert allowed._has(of) == before


def test_what_falls_over_in_rust_is_a_fault_of_the_pickle():
    """It is no Exception: the worker would end, at each start, where another River reads an old state so."""
    with pytest.raises(ValueError, match="cannot be opened: called `Result::unwrap"):
        allowed.loads(pickle.dumps(reduced(RsQuantile, 0.5, state=b"cut"), 4))


def test_whoever_has_no_key_opens_nothing(monkeypatch):
    """Another key, another learner, another place, a cut record, one with a bit turned: before anything is read."""
    held = held_now()
    content, other = dumped(held), dumped(held, key=OTHER)
    monkeypatch.setattr(allowed, "loads", lambda _content: pytest.fail("a pickle was opened"))
    monkeypatch.setattr(json, "loads", lambda _text: pytest.fail("it was read before its seal was compared"))
    for broken in (content[:-1], content[: len(content) // 2], content + b"\0", b"", content[:20]):
        with pytest.raises(ValueError, match=r"seal does not fit|no sealed state"):
            loaded(broken, place=held.next)
    for bit in (20, 50, 60, len(content) - 1):
        turned = bytearray(content)
        turned[bit] ^= 1
        with pytest.raises(ValueError, match="seal does not fit"):
            loaded(bytes(turned), place=held.next)
    with pytest.raises(ValueError, match="seal does not fit"):
        loaded(content, place=held.next, key=OTHER)
    with pytest.raises(ValueError, match="seal does not fit"):
        loaded(other, place=held.next)
    with pytest.raises(ValueError, match="no sealed state"):
        loaded(content + b"\0" * sealed.MOST, place=held.next)


@pytest.mark.parametrize(
    ("whose", "on", "what"),
    [
        (replace(WHOSE, learner={"name": "two"}), 0, "learner"),
        (replace(WHOSE, log="another"), 0, "log"),
        (replace(WHOSE, beside='{"blind": 7}'), 0, "beside"),
        (WHOSE, 1, "next"),
    ],
)
def test_a_state_passes_for_no_other_one(whose, on, what):
    held = held_now()
    with pytest.raises(ValueError, match=f"sealed for something else: {what} differ"):
        loaded(dumped(held), whose, Place(held.next.offset + on, held.next.number))


def test_a_state_that_is_too_large_is_said(monkeypatch):
    monkeypatch.setattr(sealed, "MOST", 500)
    with pytest.raises(sealed.TooLarge, match="more than 500"):
        dumped(held_now())

"""Bundle folders with anything in their files: opened, or Refused; never another error, and no hang."""

from __future__ import annotations

import copy
import datetime
import shutil
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import strategies as st
from weir.core.errors import Refused
from weir.edges.bundles import folder
from weir.edges.bundles.opened import Opened

from tests.bundles import opened_bundle, tiny_bundle
from tests.fuzz import mutate
from tests.fuzz.cases import fuzz, seeds, tried
from tests.waiting import cpu_time_below

BOMB = "&a [x,x,x,x,x,x,x,x,x]\nb1: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "\n".join(
    f"{to}1: &{to} [{','.join([f'*{source}'] * 9)}]" for source, to in zip("bcdefgh", "cdefghi", strict=True)
)
WORDS = (
    "&a ",
    "*a",
    "<<: ",
    "!!python/object/apply:os.system [id]",
    "!!binary x",
    "!!timestamp 1",
    "2001-99-99",
    "1e999",
    ".nan",
    "-.inf",
    "[" * 3000,
    "{" * 3000,
    "9" * 5000,
    "1:60:60",
    "0b2",
    "\t",
    "\0",
    "\x85",
    "? ",
    "- ",
    ": ",
    "|\n",
    "---\n",
    "...",
    "%YAML 9.9\n",
    "{a: 1, a: 2}",
    "true",
    "~",
    "''",
)
ODD = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "x" * 3000,
    "abc",
    [],
    {},
    ["a"],
    {"a": 1},
    [[[[]]]],
    datetime.date(2013, 1, 1),
    b"bytes",
    {1: 2},
    "category",
    "feature",
    "default",
    1e-320,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


def opened(bundle: Path, changed: dict[str, bytes], renamed: bool = True) -> Opened | Refused:
    """What comes of a copy with some files changed, under the digest of what it then holds."""
    draft = bundle.parent / "draft"
    shutil.copytree(bundle, draft)
    try:
        for name, content in changed.items():
            (draft / name).write_bytes(content)
        name = folder.digest(folder.file_hashes(draft)) if renamed else bundle.name
        target = bundle.parent.parent / name
        draft.rename(target)
        draft = target
        return opened_bundle(target)
    except Refused as refusal:
        return refusal
    finally:
        shutil.rmtree(draft)


def spoilt_text(random: Random, text: str) -> bytes:
    lines = text.splitlines()
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(lines))
        head = lines[at].partition(":")[0]
        lines[at] = random.choice(
            (
                f"{head}: {random.choice(WORDS)}",
                random.choice(WORDS) + lines[at],
                lines[at] + random.choice(WORDS),
                lines[random.randrange(len(lines))],
                "  " + lines[at],
            )
        )
    raw = "\n".join(lines).encode()
    return mutate.spoilt(random, raw, [raw]) if random.random() < 0.3 else raw


def spoilt_tree(random: Random, text: str) -> bytes:
    """The manifest with one to three of its values replaced, removed or added, as YAML again."""
    content = yaml.safe_load(text)
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(_places(content))
        holder, key = random.choice(places)
        action = random.random()
        if action < 0.75:
            holder[key] = copy.deepcopy(random.choice(ODD))
        elif action < 0.9 or not isinstance(holder, dict):
            del holder[key]
        else:
            holder[random.choice(("extra", 5, None))] = copy.deepcopy(random.choice(ODD))
    return yaml.dump(content, sort_keys=False).encode()


def _places(node):
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


@fuzz("bundle manifests", seed=seeds(), how=st.sampled_from([spoilt_text, spoilt_tree]))
def test_any_manifest_is_understood_or_refused(bundle, seed, how):
    text = (bundle / folder.MANIFEST).read_text(encoding="utf-8")
    opened(bundle, {folder.MANIFEST: how(Random(seed), text)})
    tried("bundle manifests")


@fuzz("bundle folders", seed=seeds(), name=st.sampled_from([folder.MODEL, folder.GOLDEN]), renamed=st.booleans())
def test_any_file_of_a_bundle_is_read_or_refused(bundle, seed, name, renamed):
    raw = (bundle / name).read_bytes()
    content = mutate.spoilt(Random(seed), raw, [(bundle / other).read_bytes() for other in folder.FILES])
    found = opened(bundle, {name: content}, renamed)
    assert renamed or content == raw or isinstance(found, Refused)
    tried("bundle folders")


@pytest.mark.parametrize(
    "text",
    [
        f"a1: {BOMB}\nformat: *i\n",
        f"a1: {BOMB}\nformat: 2\nsignature: {{inputs: [{{name: x, ref: x, source: *i}}]}}\n",
        f"a1: {BOMB}\nformat: 2\nsignature: *i\n",
        "format: 2\nmetrics: &m {a: *m}\n",
        "format: " + "[" * 100_000,
        "format: " + "9" * 9000,
        "format: 2\nname: " + "x" * (1 << 24),
        "format: 2001-99-99",
    ],
)
def test_a_manifest_that_explodes_is_refused(bundle, text):
    with cpu_time_below(20):
        assert isinstance(opened(bundle, {folder.MANIFEST: text.encode()}), Refused)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tolerance", "abc"),
        ("tolerance", float("inf")),
        ("tolerance", float("nan")),
        ("tolerance", -1.0),
        ("service", 5),
        ("service", ["a"]),
        ("metrics", 7),
        ("version", None),
        ("training_from", 20130101),
        ("format", True),
        ("signature", "x"),
        ("signature", {"inputs": []}),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(bundle, key, value):
    content = yaml.safe_load((bundle / folder.MANIFEST).read_text(encoding="utf-8")) | {key: value}
    assert isinstance(opened(bundle, {folder.MANIFEST: yaml.dump(content).encode()}), Refused)

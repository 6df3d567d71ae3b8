"""A new service of a project: a trained model and a sample of rows -> a specification that a person can go on with."""

from __future__ import annotations

import dataclasses
import getpass
import re
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from weir import project
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.core.topics import SERVICE
from weir.edges.bundles import text as yaml
from weir.edges.bundles import trained
from weir.edges.bundles.rows import LABEL, SCORE
from weir.edges.bundles.trained import Trained
from weir.operations import mistyped, replaced, scored_sample, services
from weir.operations import sample as samples
from weir.operations.assignment import Assigned, Said, assign, categories
from weir.operations.findings import findings
from weir.operations.sample import Column
from weir.operations.score import read as read_rows
from weir.operations.service_text import Draft, text
from weir.settings import Settings

BASELINE_ROWS: Final = 20_000
CARD: Final = "card.md"
_CARD: Final = """# {name}

What the model is for, what it was trained on, who may use it, and where it fails.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person says of a new service; what is empty is found out.

    label: the sample's column with what came true. output: the model's output that is the score. codes, texts: see
    assignment.Said. replace: the service is there, and is to be written anew.
    """

    label: str = ""
    task: Task | None = None
    output: str = ""
    codes: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    texts: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """A new service. said: what was found and chosen, in words."""

    folder: Path
    said: tuple[str, ...]


def add(name: str, model: Path, sample: Path, wishes: Wishes, settings: Settings) -> Added:
    """Write services/<name>/ with specification, model, golden rows and baseline.

    A service that is replaced keeps its owner and the formula of its value, its old specification beside the new one,
    and every file that this does not write.
    Raises Refused naming what could not be found out and how to say it; nothing is written then.
    """
    folder = _folder(name, settings, replace=wishes.replace)
    old = replaced.read(folder / services.SPEC) if wishes.replace else {}
    owned = replaced.owned(old)
    source, whole = trained.read(model), read_rows(sample)
    table = samples.pick(whole, BASELINE_ROWS)
    if not table.num_rows:
        raise Refused("the sample has no rows", where=str(sample), remedy="give some hundred rows or more")
    columns = samples.look(table)
    label = _label(wishes.label, columns, sample)
    beside = {SCORE, *(f"{SCORE}_{word}" for word in label.words)} if label else {SCORE}
    beside |= {label.name} if label else set()
    assigned = _assigned(source, whole, table, columns, beside, wishes)
    found = scored_sample.score(source, table, assigned, label, output=wishes.output, task=wishes.task)
    golden, whose = scored_sample.golden(table, found, source)
    used = beside | {one.column.name for one in assigned}
    draft = Draft(
        name=name,
        version=replaced.next_version(old) if wishes.replace else "1",
        owner=owned.get("owner") or _owner(),
        model=source.file[0],
        output=wishes.output,
        source=f"{model.name} and {sample.name}",
        golden=f"{golden.num_rows:,} rows of the sample, with scores that {whose}",
        baseline=f"{len(found.matrix):,} rows of the sample{', their scores and label' if label else ' and scores'}",
        signature=found.signature,
        assigned=assigned,
        left_out=[column for column in columns.values() if column.name not in used],
        why=found.meaning.why,
        value=owned.get("value", ""),
    )
    kept = _write(folder, draft, source, golden, scored_sample.baseline(found))
    carried = replaced.carried(old, yaml.parse(text(draft).encode()))
    return Added(folder, (*findings(draft, whose, label), *kept, *carried))


def _folder(name: str, settings: Settings, *, replace: bool) -> Path:
    """Where the service will be. Raises Refused for a name that cannot be, is taken, or is not there to be replaced."""
    if not re.fullmatch(SERVICE, name):
        fit = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-0123456789")[:100]
        like = f", such as {fit}" if fit else ""
        what = f"{name!r} cannot name a service: topics, contracts and views are called after it"
        raise Refused(what, remedy=f"take letters, digits, - and _, no digit first, 100 at most{like}")
    if project.found() is None and "services_dir" not in settings.paths.model_fields_set:
        remedy = "run `weir init DIR`, and this command in that folder"
        raise Refused("there is no project here", where=str(Path.cwd()), remedy=remedy)
    folder = settings.paths.services_dir / name
    if folder.exists() and not replace:
        raise Refused(
            f"service {name} is there already, and nothing was changed",
            where=str(folder),
            remedy="edit its service.yaml; or add --replace, which writes it anew and keeps the old one beside it",
        )
    if replace and not (folder / services.SPEC).is_file():
        raise Refused(f"there is no service {name} to replace", where=str(folder), remedy="leave --replace out")
    others = [one for one in services.listed(settings) if one != name]
    alike = [one for one in others if one.replace("-", "_") == name.replace("-", "_")]
    if alike:
        what = f"service {alike[0]} has the same name but for - and _, which are one in SQL and Avro"
        raise Refused(what, where=str(folder.parent), remedy="take another name")
    return folder


def _label(wanted: str, columns: Mapping[str, Column], sample: Path) -> Column | None:
    if wanted and wanted not in columns:
        raise Refused(f"the sample has no column {wanted}", where=str(sample), remedy=f"it has {', '.join(columns)}")
    return columns.get(wanted or LABEL)


def _assigned(
    source: Trained,
    whole: pa.Table,
    table: pa.Table,
    columns: Mapping[str, Column],
    beside: Collection[str],
    wishes: Wishes,
) -> list[Assigned]:
    """The columns that the model takes. whole: the sample; table: its rows that are looked at; beside: see assign."""
    said, proved = Said(wishes.codes, wishes.texts), SCORE in columns
    taken = [
        (samples.worded(column, table) if one.text and column.name not in wishes.codes else column, one)
        for column, one in assign(source, columns, beside, said)
    ]
    mistyped.check(source, taken, whole, said, proved=proved)
    return categories(source, taken, said, proved=proved)


def _write(folder: Path, draft: Draft, source: Trained, golden: pa.Table, baseline: pa.Table) -> list[str]:
    """The whole folder, or nothing; what became of a specification that was there, in words."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder.parent) as around:
        made = Path(around) / folder.name
        made.mkdir(mode=0o755)
        name, content = source.file
        (made / name).write_bytes(content)
        (made / services.SPEC).write_text(text(draft), encoding="utf-8")
        (made / CARD).write_text(_CARD.format(name=draft.name), encoding="utf-8")
        pq.write_table(golden, made / "golden.parquet", compression="zstd")
        pq.write_table(baseline, made / "baseline.parquet", compression="zstd")
        if not folder.exists():
            made.rename(folder)
            return []
        return _replace(folder, made)


def _replace(folder: Path, made: Path) -> list[str]:
    """Put new files into a service's folder; the old specification is kept, and the card is a person's own."""
    spec = folder / services.SPEC
    names = (f"{services.SPEC}.old", *(f"{services.SPEC}.old-{i}" for i in range(2, 10**4)))
    old = next(folder / name for name in names if not (folder / name).exists())
    spec.rename(old)
    for file in sorted(made.iterdir(), key=lambda path: path.name == services.SPEC):  # the specification last
        if file.name != CARD or not (folder / CARD).exists():
            file.replace(folder / file.name)
    return [f"kept the old {services.SPEC} as {old.name}; the card was left alone"]


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "nobody"

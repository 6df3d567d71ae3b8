"""What users read has the words of the glossary, and not those that it has replaced."""

import re

import pytest
import typer
import yaml
from weir.__main__ import STATUSES
from weir.edges.schemas import folder
from weir.metrics import METRICS
from weir.settings import ROOT, fields

from tests.command_line import cli

REJECTED = re.compile(
    r"turn(s|ed)? away|not whole|ledger is whole|another life|lacks? a right|says? of itself|it passes\b|\btold\b"
    r"|for ever,|letters to look at"
)
PAGES = [
    "README.md",
    "SECURITY.md",
    "infra/runbook.md",
    "infra/learners.md",
    "infra/settings.md",
    "infra/metrics.md",
    "infra/commands.md",
    "infra/prometheus/alerts.yml",
    "app/weir/schemas/README.md",
    "app/weir/schemas/topics.yaml",
]


def helps(command=None):
    command = command or typer.main.get_command(cli)
    yield command.help or ""
    for parameter in command.params:
        yield getattr(parameter, "help", "") or ""
    for inner in getattr(command, "commands", {}).values():
        yield from helps(inner)


TEXTS = {
    "help": [*helps(), STATUSES],
    "metrics": [f"{metric.meaning} {metric.action}" for metric in METRICS],
    "settings": [f"{field.description} {field.json_schema_extra}" for field in fields().values()],
    "topics": [str(entry["doc"]) for entry in yaml.safe_load((folder.GENERIC / "topics.yaml").read_text())["topics"]],
    **{page: [(ROOT / page).read_text()] for page in PAGES},
}


@pytest.mark.parametrize("place", TEXTS)
def test_replaced_words_do_not_come_back(place):
    found = [match[0] for text in TEXTS[place] for match in REJECTED.finditer(" ".join(text.split()))]
    assert found == []


FLIGHTS = re.compile(
    r"(?<!in[ _-])(?<!in)flights?(?:\b|[_-]\w)|\b(?:origin|carrier|dest|route|plane)_(?:recent|weather)|carrier"
    r"|airport|airline|\bdep_?delay|\barr_?delay|\b(?:EWR|JFK|LGA)\b",
    re.I,
)
DEMO = ("app/weir/demo/", "app/weir/cli/demo.py")  # what is the flights'


def test_only_the_demo_speaks_of_flights():
    """Weir's own code has no service, topic, view, event or word of the demo's."""
    product = [path for path in (ROOT / "app" / "weir").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in sorted(product)
        if not str(path.relative_to(ROOT)).startswith(DEMO)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FLIGHTS.search(line)
    ]
    assert found == []


def test_the_glossary_is_sorted_and_short():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    words = re.findall(r"^\| ([a-z, ]+) \| ", page[page.index("## Glossary") :], re.M)[1:]
    assert words == sorted(words)
    assert 20 <= len(words) <= 35


def test_links_and_commands_of_the_pages_lead_somewhere():
    known = {" ".join(name) for name in names()}
    for page in ("README.md", "CONTRIBUTING.md", "infra/runbook.md", "infra/learners.md", "SECURITY.md"):
        text = (ROOT / page).read_text()
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in link:
                assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"
        for called in re.findall(r"(?:^|`)weir ((?:[a-z][a-z-]* ?)+)", text, re.M):
            words = called.split()
            assert any(" ".join(words[:n]) in known for n in (1, 2)), f"{page}: weir {' '.join(words)}"


def names(command=None, path=()):
    command = command or typer.main.get_command(cli)
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from names(inner, (*path, name))

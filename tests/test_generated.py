"""What is generated from the code is as the code says."""

import pytest
from weir.settings import ROOT

from infra import generate


@pytest.fixture(scope="module")
def pages():
    return {
        str(path.relative_to(ROOT)): (path.read_text() if path.exists() else "", text)
        for path, text in generate.pages().items()
    }


@pytest.mark.parametrize(
    "page",
    [
        "infra/commands.md",
        "infra/settings.md",
        "infra/metrics.md",
        "infra/grafana/dashboards/overview.json",
        "infra/grafana/dashboards/service.json",
        "infra/grafana/dashboards/ledger.json",
        "infra/grafana/dashboards/metrics.json",
    ],
)
def test_generated_pages_are_fresh(pages, page):
    committed, fresh = pages[page]
    assert committed == fresh, "run `make generated`"


def test_every_setting_is_in_the_table_with_a_meaning():
    from weir.settings import fields, variable_of

    rows = [line.split(" | ") for line in generate.settings_page().splitlines() if line.startswith("| `WEIR_")]
    assert [row[0] for row in rows] == [f"| `{variable_of(name)}`" for name in fields()]
    assert [row[0] for row in rows if not row[2].strip(" |")] == []

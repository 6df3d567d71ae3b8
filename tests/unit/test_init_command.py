"""`weir init`: a project that runs as it is, and nothing that was there is touched."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner
from weir.core.errors import Refused
from weir.edges.schemas import folder as schema_folder
from weir.operations import projects
from weir.settings import load

from tests.command_line import cli


def test_a_project_is_found_and_has_every_folder(tmp_path, monkeypatch):
    done = CliRunner().invoke(cli, ["init", str(tmp_path / "a" / "card-fraud")], catch_exceptions=False)
    assert done.exit_code == 0
    made = tmp_path / "a" / "card-fraud"
    assert {path.name for path in made.iterdir()} == {
        *(
            ".gitignore",
            "README.md",
            "weir.yaml",
            "services",
            "feature_repo",
            "schemas",
            "monitors",
            "slos",
            "learners",
        ),
        *("Dockerfile", ".dockerignore", "prices.yaml"),
    }
    assert done.output.splitlines()[-1] == f"next: cd {made} && weir service add NAME MODEL --sample ROWS"
    monkeypatch.chdir(made / "services")
    settings = load()
    assert settings.paths.schemas_dir == made / "schemas"
    assert {topic.record for topic in schema_folder.topics(settings.paths.schemas_dir, ("fraud",), "weir")}
    assert "project: card_fraud\n" in (made / "feature_repo" / "feature_store.yaml").read_text()
    assert "${WEIR_HOME}" in (made / "feature_repo" / "feature_store.yaml").read_text()
    assert (made / "README.md").read_text().startswith("# card-fraud\n")


def test_nothing_is_written_where_something_is(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(Refused, match=r"nothing was written: there is README.md already"):
        projects.init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    (tmp_path / "src").mkdir()
    written = projects.init(tmp_path, keep=True)
    assert Path("weir.yaml") in written
    assert Path("README.md") not in written
    assert (tmp_path / "README.md").read_text() == "mine"
    with pytest.raises(Refused, match=r"weir\.yaml already"):
        projects.init(tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(Refused, match="cannot be written"):
        projects.init(file)


def test_what_was_written_before_it_failed_is_taken_back(tmp_path):
    (tmp_path / "services").write_text("a file")
    with pytest.raises(Refused, match="cannot be written"):
        projects.init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["services"]
    (tmp_path / "services").unlink()
    (tmp_path / "weir.yaml").symlink_to("nowhere")
    with pytest.raises(Refused, match=r"there is weir\.yaml already"):
        projects.init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weir.yaml"]


def test_its_features_apply_as_they_are(tmp_path):
    projects.init(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "weir", "apply", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "example_v1" in done.stdout
    assert (tmp_path / ".weir" / "features" / "plan.json").is_file()

"""What a project declares in learners/: only what does something is taken, and each fault is said by its name."""

import json

import pytest
from typer.testing import CliRunner
from weir.agents.learner import files as learners
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.learn.learner import Limits, Part, Promotion, subject_of
from weir.learn.river_parts import MODULES, made
from weir.settings import load

from tests.bundles import tiny_bundle
from tests.command_line import cli
from tests.unit.learn.streams import BAYES, LOGISTIC, SCALER, TREE, learner

GOOD = """
service: returns
model:
  - river.preprocessing.StandardScaler
  - river.linear_model.LogisticRegression: {intercept_lr: 0.002}
features: [amount, age_days]
champion: true
learning_rate: 0.001
guards: {window: 500, outlier_sd: 50}
"""
BAGGED = """
service: returns
model:
  river.ensemble.ADWINBaggingClassifier:
    model: {river.tree.HoeffdingTreeClassifier: {grace_period: 100}}
    n_models: 3
    seed: 42
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "weir.yaml").write_text("")
    (tmp_path / "learners").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "learners"


def test_a_file_is_read(project):
    (project / "fresh.yaml").write_text(GOOD)
    (project / "bagged.yaml").write_text(BAGGED + "promotion: automatic\n")
    found, refused = learners.looked(load())
    assert refused == {}
    fresh = found["fresh"]
    assert (fresh.service, fresh.features, fresh.champion) == ("returns", ("amount", "age_days"), True)
    assert fresh.model == (SCALER, Part(LOGISTIC.path, {"intercept_lr": 0.002}))
    assert (fresh.learning_rate, fresh.guards) == (0.001, Limits(window=500, outlier_sd=50))
    inner = Part(TREE.path, {"grace_period": 100})
    assert found["bagged"].model[0].parameters == {"model": inner, "n_models": 3, "seed": 42}
    done = CliRunner().invoke(cli, ["learners", "list", "--json"])
    assert {row["name"]: row["promotion"] for row in json.loads(done.stdout)} == {
        "bagged": "automatic",
        "fresh": "manual",
    }
    assert {row["name"]: row["model"] for row in json.loads(done.stdout)} == {
        "bagged": "ADWINBaggingClassifier",
        "fresh": "StandardScaler | LogisticRegression",
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("model: river.naive_bayes.GaussianNB", "service is missing"),
        ("service: returns", "model is missing"),
        (GOOD + "publish: 5s", "unknown key publish"),
        (GOOD + "label: returned", "unknown key label"),
        (GOOD + "promotion: always", "promotion is 'always'"),
        (GOOD.replace("champion", "champoin"), "unknown key champoin: is champion meant"),
        (GOOD.replace("window", "windows"), "guards: unknown key windows: is window meant"),
        (GOOD.replace("500", "3"), "window is 3, not from 20"),
        (GOOD.replace("0.001", "fast"), "learning_rate"),
        ("service: returns\nmodel: sklearn.linear_model.SGDClassifier", "no path such as river.linear_model"),
        ("service: returns\nmodel: []", "model has no step"),
        ("service: returns\nmodel:\n  - {lr: 1, l2: 2}", "step 1 of the model has the keys lr, l2"),
        ("service: returns\nmodel:\n  - river.tree.HoeffdingTreeClassifier: 3", "has 3 in the place of parameters"),
        ("- a", "not a mapping"),
        ("service: [", "this is no learner"),
    ],
)
def test_a_file_that_says_something_else_is_refused(project, text, why):
    (project / "wrong.yaml").write_text(text)
    with pytest.raises(Refused, match=why) as refusal:
        learners.named(load(), "wrong")
    assert "wrong.yaml" in str(refusal.value)
    done = CliRunner().invoke(cli, ["learners", "list"])
    assert (done.exit_code, "wrong.yaml" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["gone", "../weir", ""])
def test_a_learner_that_there_is_not_is_refused_with_those_that_there_are(project, name):
    (project / "fresh.yaml").write_text(GOOD)
    with pytest.raises(Refused, match=f"there is no learner {name}.*there are fresh"):
        learners.named(load(), name)


@pytest.mark.parametrize(
    ("model", "task", "why"),
    [
        (("river.compat.SKL2RiverClassifier",), Task.BINARY, r"river.compat.SKL2RiverClassifier is not of river.drift"),
        (("river.datasets.Elec2",), Task.BINARY, "is not of"),
        (("river.compose.FuncTransformer",), Task.BINARY, "is not of"),
        (("river.linear_model.base.GLM",), Task.BINARY, "is not of"),
        (("river.linear_model.LogisticRegresion",), Task.BINARY, "did you mean LogisticRegression"),
        (("river.linear_model.__builtins__",), Task.BINARY, "there is no river.linear_model.__builtins__"),
        ((("river.linear_model.LogisticRegression", {"lr": 1}),), Task.BINARY, "takes no lr; it takes optimizer"),
        (("river.multiclass.OneVsRestClassifier",), Task.BINARY, "cannot be made: .*missing"),
        (("river.forest.ARFClassifier",), Task.BINARY, "draws at random: give it a seed"),
        (
            ("river.neighbors.KNNClassifier",),
            Task.BINARY,
            r"random by its engine: .* as \{engine: \{river.neighbors.SWINN:",
        ),
        (("river.linear_model.LinearRegression",), Task.BINARY, "no classifier, and the task of the service is binary"),
        (("river.naive_bayes.GaussianNB",), Task.REGRESSION, "no regressor, and the task of the service is regression"),
        (("river.linear_model.LogisticRegression",), Task.MULTICLASS, "OneVsRestClassifier"),
        (("river.naive_bayes.GaussianNB", "river.naive_bayes.GaussianNB"), Task.BINARY, "can only be the last step"),
    ],
)
def test_a_model_that_is_none_is_refused(model, task, why):
    parts = [Part(*one) if isinstance(one, tuple) else Part(one) for one in model]
    with pytest.raises(ValueError, match=why):
        made(learner(*parts), task)


@pytest.mark.parametrize(
    ("model", "rate", "why"),
    [
        (BAYES, 0.1, "GaussianNB has none"),
        (LOGISTIC, 0.0, "learning_rate is 0, not above 0"),
        (Part(LOGISTIC.path, {"optimizer": Part("river.optim.Adam")}), 0.1, "leave one of them out"),
    ],
)
def test_a_learning_rate_that_nobody_reads_is_refused(model, rate, why):
    with pytest.raises(ValueError, match=why):
        made(learner(model, rate=rate), Task.BINARY)


def test_several_faults_are_all_said():
    parts = [Part("river.forest.ARFClassifier", {"trees": 3}), Part("river.tree.Oak")]
    with pytest.raises(ValueError, match=r"takes no trees.*draws at random.*there is no river.tree.Oak"):
        made(learner(*parts), Task.BINARY)


@pytest.mark.parametrize("module", MODULES)
def test_no_class_of_the_list_takes_a_file_or_a_function(module):
    """Names of parameters that are read as one; values are plain in any case."""
    import inspect
    from importlib import import_module

    of = import_module(module)
    classes = [getattr(of, name) for name in of.__all__ if inspect.isclass(getattr(of, name, None))]
    assert classes
    takes = {name for one in classes for name in inspect.signature(one.__init__).parameters}
    assert not takes & {"path", "filepath", "file", "url", "func", "callback", "verbose_file"}


def test_features_that_do_not_fit_a_service_are_all_said():
    automatic = learner(BAYES, champion=True, promotion=Promotion.AUTOMATIC)
    with pytest.raises(ValueError, match="automatic is for learners without champion: true"):
        subject_of(automatic, Task.BINARY, ("a", "b"), ["amount"], [])
    of = learner(BAYES, features=("amount", "city", "nothing"), champion=True)
    with pytest.raises(ValueError, match=r"city is no number.*no input nothing; its numbers are amount.*several"):
        subject_of(of, Task.MULTICLASS, ("a", "b", "c"), ["amount"], ["city"])
    with pytest.raises(ValueError, match="has no input that is a number"):
        subject_of(learner(BAYES), Task.BINARY, ("a", "b"), [], ["city"])
    with pytest.raises(ValueError, match="has an input of that name"):
        subject_of(learner(BAYES, champion=True), Task.BINARY, ("a", "b"), ["champion"], [])


def test_check_says_each_fault_in_a_line_of_its_own(project, monkeypatch):
    monkeypatch.setenv("WEIR_BUNDLES_DIR", str(tiny_bundle(project.parent).parent))
    tiny = "service: tiny\nmodel: river.naive_bayes.GaussianNB\n"
    (project / "good.yaml").write_text(tiny)
    done = CliRunner().invoke(cli, ["learners", "check"], env={"COLUMNS": "400"})
    assert (done.exit_code, done.stdout) == (0, "1 learners read, 0 faults\n")
    (project / "good.yaml").write_text(tiny + "promotion: automatic\n")
    done = CliRunner().invoke(cli, ["learners", "check"], env={"COLUMNS": "400"})
    assert (done.exit_code, "automatic is for a standard scaler" in done.stdout) == (1, True)
    (project / "good.yaml").write_text(tiny)
    (project / "away.yaml").write_text(GOOD)
    (project / "other.yaml").write_text(
        "service: tiny\nmodel: river.linear_model.LinearRegression\nfeatures: [channel, it]"
    )
    (project / "broken.yaml").write_text("service: tiny\nmodle: x\nguards: {window: 3}\n")
    done = CliRunner().invoke(cli, ["learners", "check"], env={"COLUMNS": "400"})
    *faults, last = done.stdout.splitlines()
    assert (done.exit_code, last) == (1, "3 learners read, 6 faults")
    for line, said in zip(
        faults,
        (
            "unknown key modle: is model meant",
            "guards: window is 3, not from 20",
            "the service of this learner has no bundle: there is no bundle returns",
            "feature channel is no number",
            "tiny has no input it; its numbers are amount, items, gift",
            "LinearRegression is no classifier",
        ),
        strict=True,
    ):
        assert said in line
    done = CliRunner().invoke(cli, ["learners", "check", "good"], env={"COLUMNS": "400"})
    assert done.stdout == "1 learners read, 0 faults\n"
    with pytest.raises(Refused, match="there is no learner gone"):
        CliRunner().invoke(cli, ["learners", "check", "gone"], catch_exceptions=False)


def test_a_file_that_ends_otherwise_is_said_to_be_no_learner(project):
    (project / "slow.yml").write_text(GOOD)
    found, refused = learners.looked(load())
    assert "slow" not in found
    ((path, (said,)),) = refused.items()
    assert path.name == "slow.yml"
    assert (said.what, said.remedy) == ("this is not read: a learner's file ends in .yaml", "call it slow.yaml")

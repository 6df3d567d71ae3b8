"""The adapter changes nothing of River: its own published figures come out, to all six decimals.

Source: docs/benchmarks/Binary classification/index.md of online-ml/river; the data sets are in its package.
"""

import numpy as np
import pytest
from river import datasets
from weir.core.signature import Task
from weir.learn import linear_river
from weir.learn.learner import Part, Subject
from weir.learn.river_model import RiverModel
from weir.learn.river_parts import made

from tests.unit.learn.streams import BAYES, LOGISTIC, SCALER, TREE, learner

SETS = {"Phishing": datasets.Phishing, "Bananas": datasets.Bananas}
LAST, ALMA = Part("river.dummy.NoChangeClassifier"), Part("river.linear_model.ALMAClassifier")
ADAPTIVE = Part("river.tree.HoeffdingAdaptiveTreeClassifier", {"seed": 42})
BAGGED = Part("river.ensemble.ADWINBaggingClassifier", {"model": TREE, "seed": 42})
SGD = {"optimizer": Part("river.optim.SGD", {"lr": 0.005})}
LR = (SCALER, Part(LOGISTIC.path, SGD))
PUBLISHED = [
    (LR, "Phishing", 0.887200, 0.871233),
    (LR, "Bananas", 0.543208, 0.197015),
    ((SCALER, ALMA), "Phishing", 0.825600, 0.810764),
    ((SCALER, ALMA), "Bananas", 0.506415, 0.482595),
    ((BAYES,), "Phishing", 0.884708, 0.871429),
    ((TREE,), "Phishing", 0.879904, 0.860595),
    ((ADAPTIVE,), "Phishing", 0.874299, 0.856095),
    ((ADAPTIVE,), "Bananas", 0.616531, 0.428250),
    ((BAGGED,), "Phishing", 0.893515, 0.879201),
    ((LAST,), "Phishing", 0.515612, 0.447489),
    ((LAST,), "Bananas", 0.509530, 0.452957),
]


def rows(name):
    """Each row twice: first it is asked about, then it is learned."""
    examples = list(SETS[name]())
    columns = tuple(examples[0][0])
    x = np.repeat([[float(row[column]) for column in columns] for row, _ in examples], 2, axis=0)
    y = np.repeat([float(label) for _, label in examples], 2)
    return Subject(Task.BINARY, ("no", "yes"), columns), x, y, np.arange(len(y)) % 2 == 1


@pytest.mark.parametrize(("model", "name", "accuracy", "f1"), PUBLISHED)
def test_published_figures_come_out(model, name, accuracy, f1):
    subject, x, y, learns = rows(name)
    of = made(learner(*model), Task.BINARY)
    ways = [RiverModel(of, subject), linear_river.arrays_of(of, subject.columns)]
    for way in filter(None, ways if model is LR else ways[:1]):
        if way is not ways[0]:
            way.restore(linear_river.arrays_of(made(learner(*model), Task.BINARY), subject.columns).keep())
        out = np.full((len(x), 1), np.nan)
        way.run(x, y, learns, out)
        asked = np.isfinite(out[:, 0]) & ~learns  # of what it has no opinion on, there is no figure
        said, true = out[asked, 0] > 0.5, y[asked] > 0
        hits = (said & true).sum()
        assert round(float((said == true).mean()), 6) == accuracy
        assert round(float(2 * hits / (said.sum() + true.sum())), 6) == f1

"""What `weir bundle check` says that a row costs."""

from types import SimpleNamespace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from weir.edges.bundles.onnx_model import Model
from weir.operations import engine_speed


def test_a_model_that_takes_no_values_of_several_golden_rows_in_one_is_not_measured(tmp_path):
    """It looks the difference of its two columns up, in a table for small ones."""
    nodes = [
        helper.make_node("Split", ["x", "sizes"], ["a", "b"], axis=1),
        helper.make_node("Sub", ["a", "b"], ["apart"]),
        helper.make_node("Cast", ["apart"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "place"], ["score"]),
    ]
    constants = [
        numpy_helper.from_array(np.ones(2, np.int64), "sizes"),
        numpy_helper.from_array(np.zeros(9, np.float32), "table"),
    ]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    given = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph(nodes, "apart", [taken], [given], constants)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "model.onnx"
    )
    golden = np.repeat(np.arange(100, dtype=np.float32) * 100, 2).reshape(-1, 2)
    model = Model(tmp_path)
    assert model.run(golden).shape == (100, 1)
    opened = SimpleNamespace(model=model, path=tmp_path, golden=SimpleNamespace(inputs=golden))
    assert engine_speed.measure(opened) == {}

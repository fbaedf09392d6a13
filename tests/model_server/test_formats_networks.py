"""Networks in ONNX and of Keras: what is written down of a model, and the server predicts what they do."""
# ruff: noqa: PLC0415 - a library is imported in the tests of its format alone

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mldeploy_model.schema import Column, ModelSchema
from tests.model_server.rows import (
    KIND,
    NUMBERS,
    VALUE,
    predictions,
    probabilities,
)
from tests.model_server.serving import ROOT, describe


def save_onnx(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any]) -> None:
    import onnx
    from onnx import helper

    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))


@pytest.mark.parametrize("batch", ["rows", 1])
@pytest.mark.parametrize("width", [2, "columns"])
def test_an_onnx_network_with_one_matrix_of_columns(batch: str | int, width: str | int, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.array([[2.0], [-1.0]], dtype=np.float32), "w")
    save_onnx(
        tmp_path / "model.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 1])],
        [weights],
    )
    NUMBERS.assign(value=VALUE).to_csv(tmp_path / "rows.csv", index=False)
    schema = (
        describe(tmp_path, "model.onnx", "rows.csv", task="regression")
        if width == 2
        else ModelSchema("model", "model.onnx", "onnx", columns=(Column("height"), Column("weight")))
    )
    assert [column.name for column in schema.columns] == ["height", "weight"]
    assert predictions(tmp_path, schema, NUMBERS) == pytest.approx(VALUE.tolist(), rel=1e-5)


def test_an_onnx_classifier_with_an_input_for_each_column(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    names = ["height", "weight"]
    classifier = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        classlabels_strings=["light", "heavy"],
        coefficients=[0.0, -1.0, 0.0, 1.0],
        intercepts=[70.0, -70.0],
        post_transform="SOFTMAX",
        multi_class=1,
    )
    zipped = helper.make_node(
        "ZipMap", ["scores"], ["shares"], domain="ai.onnx.ml", classlabels_strings=["light", "heavy"]
    )
    shares = helper.make_value_info(
        "shares",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        ),
    )
    save_onnx(
        tmp_path / "model.onnx",
        [helper.make_node("Concat", names, ["x"], axis=1), classifier, zipped],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names],
        [helper.make_tensor_value_info("label", TensorProto.STRING, [None]), shares],
        [],
    )
    schema = describe(tmp_path, "model.onnx")
    assert (schema.classes, [column.name for column in schema.columns]) == (("heavy", "light"), names)
    assert predictions(tmp_path, schema, NUMBERS) == KIND.tolist()
    assert {max(row, key=row.__getitem__) for row in probabilities(tmp_path, schema, NUMBERS[KIND == "heavy"])} == {
        "heavy"
    }


@pytest.mark.exhaustive
def test_a_keras_model_on_a_cpu(tmp_path: Path) -> None:
    program = (
        "import keras, numpy as np\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation='softmax')])\n"
        "model.save('model.keras')\n"
        "print(np.asarray(model(np.array([[170.0, 70.0]], 'float32'))).tolist())\n"
    )
    environment = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    (shares,) = json.loads(made.stdout.splitlines()[-1])
    (tmp_path / "rows.csv").write_text("height,weight\n170.0,70.0\n")
    described = subprocess.run(
        [sys.executable, "-m", "mldeploy_model.describe", "model.keras", "--sample", "rows.csv"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(described.stdout)
    assert [column["name"] for column in document["columns"]] == ["height", "weight"]
    assert (document["task"], document["classes"]) == ("classification", [0, 1, 2])
    predict = (
        "from pathlib import Path; from mldeploy_model.formats import load_predictor\n"
        "from mldeploy_model.schema import *\n"
        "columns = Column('height'), Column('weight')\n"
        "schema = ModelSchema('m', 'model.keras', 'keras', columns=columns, classes=(0, 1, 2))\n"
        "model = load_predictor(schema, Path('.')); row = {'height': [170.0], 'weight': [70.0]}\n"
        "print([model.predict(row, 1), model.probabilities(row, 1)[0]['1']])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", predict], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([[int(np.argmax(shares))], shares[1]])

"""Packages that were made to harm: refused in words, never a traceback, an endless wait or another network."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from edge_all.classification.classifier import Classifier
from edge_all.cli.main import build_app
from edge_all.errors import EdgeAllError, ModelError, ModelIncompatibleError, ModelIntegrityError
from edge_all.model.package import load_package
from edge_all.session import inference, open_session

APP = build_app()
ILL_TYPED: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    10**400,
    float("nan"),
    "",
    "x",
    "\x1b[2J",
    [],
    [[]],
    {},
    {"a": 1},
)


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The path of every value of a card."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def reseal(folder: Path, record: dict[str, Any]) -> None:
    record = {key: value for key, value in record.items() if key != "card_sha256"}
    record["card_sha256"] = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    (folder / "card.json").write_text(json.dumps(record))


READERS = (["model", "show"], ["model", "show", "--full"], ["model", "show", "--json"], ["model", "verify"])
"""Everything that reads a card."""


def use(folder: Path, reader: list[str]) -> None:
    done = CliRunner().invoke(APP, [*reader, str(folder)])
    assert done.exception is None or isinstance(done.exception, EdgeAllError | SystemExit), done.exc_info


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, make_tiny_package: Callable[..., Path]) -> Path:
    return make_tiny_package(tmp_path_factory.mktemp("attacked") / "package")


@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_ill_typed_card_is_refused_or_used_and_never_a_traceback(package: Path, data: st.DataObject) -> None:
    genuine = json.loads((package / "card.json").read_text())
    genuine.setdefault("training", {}).update(data_sets=[{"name": "a", "cells": 3}], cells={"ALL": 2})
    record = copy.deepcopy(genuine)
    *path, last = data.draw(st.sampled_from(sorted(places(record), key=str)))
    block: Any = record
    for key in path:
        block = block[key]
    block[last] = data.draw(st.sampled_from(ILL_TYPED))
    attacked = package.with_name("copy")
    shutil.copytree(package, attacked, dirs_exist_ok=True)
    reseal(attacked, record)
    use(attacked, data.draw(st.sampled_from(READERS)))


def test_a_card_with_other_thresholds_does_not_carry_the_genuine_identity(
    tiny_package: Path, edit_card: Callable[..., None]
) -> None:
    genuine = Classifier(load_package(tiny_package)).identity
    edit_card(tiny_package, lambda card: card["variants"]["fp32"]["thresholds"].update(all_from=0.99))
    other = Classifier(load_package(tiny_package)).identity
    assert re.fullmatch("[0-9a-f]{64}", genuine.card_sha256)
    assert genuine.sha256 == other.sha256
    assert genuine != other


def test_statistics_that_switch_the_score_off_are_refused(tiny_package: Path, edit_card: Callable[..., None]) -> None:
    with np.load(tiny_package / "features.npz") as arrays:
        mean, precision = arrays["mean"], arrays["precision"]
    for bad in ({"mean": mean * np.nan}, {"precision": -precision}, {"precision": np.full_like(precision, np.inf)}):
        np.savez(tiny_package / "features.npz", **{"mean": mean, "precision": precision, **bad})
        edit_card(tiny_package)
        with pytest.raises(ModelIntegrityError):
            Classifier(load_package(tiny_package))


@pytest.mark.parametrize("file", ["model.fp32.onnx", "features.npz"])
def test_what_is_swapped_after_the_hash_is_not_used(
    tiny_package: Path, tiny_package_factory: Callable[..., Path], file: str
) -> None:
    package = load_package(tiny_package)
    other = tiny_package_factory(name="other", input_size=32, out_of_distribution=1.0)
    content = (other / file).read_bytes()
    if content == (tiny_package / file).read_bytes():
        content += b"\0"
    (tiny_package / file).write_bytes(content)
    with pytest.raises(ModelIntegrityError, match="changed since"):
        Classifier(package)


def test_weights_in_another_file_are_refused(tiny_package: Path, edit_card: Callable[..., None]) -> None:
    import onnx

    file = tiny_package / "model.fp32.onnx"
    onnx.save(onnx.load(file), file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tiny_package / "weights.bin").exists()
    edit_card(tiny_package)
    with pytest.raises(ModelIncompatibleError, match="in another file"):
        Classifier(load_package(tiny_package))


@pytest.mark.parametrize("where", ["at run time", "while it is opened", "in a branch"])
def test_an_endless_network_is_refused_before_it_is_opened(tmp_path: Path, where: str) -> None:
    from onnx import TensorProto, helper

    boolean = TensorProto.BOOL
    step = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "step",
        [helper.make_tensor_value_info("n", TensorProto.INT64, []), helper.make_tensor_value_info("go", boolean, [])],
        [helper.make_tensor_value_info("on", boolean, [])],
    )
    true = helper.make_tensor("true", boolean, [], [True])
    most = helper.make_tensor("most", TensorProto.INT64, [], [2**62])
    nodes = [helper.make_node("Loop", ["most", "true"], [], body=step)]
    if where == "in a branch":
        branch = helper.make_graph(nodes, "branch", [], [helper.make_tensor_value_info("b", boolean, [])])
        nodes = [helper.make_node("If", ["true"], ["b"], then_branch=branch, else_branch=branch)]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 32, 32, 3])
    answer = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])
    graph = helper.make_graph(nodes, "endless", [image], [answer], [true, most])
    (tmp_path / "endless.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(ModelIncompatibleError, match="a Loop, which need not end"):
        open_session(tmp_path / "endless.onnx", device="cpu")


def heavy_network(folder: Path, *, of_the_image: bool) -> None:
    """Put products of large matrices into a package's network, without making its file large."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    file = folder / "model.fp32.onnx"
    model = onnx.load(file)
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([1500, 1500], np.int64), "many"))
    tiny = helper.make_tensor("tiny", TensorProto.FLOAT, [1], [1e-9])
    nodes = [helper.make_node("ConstantOfShape", ["many"], ["product0"], value=tiny)]
    if of_the_image:
        # Depends on the input, so that nothing of it is computed while the file is opened.
        nodes += [
            helper.make_node("Cast", ["image"], ["as_float"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["as_float"], ["mean"], keepdims=0),
            helper.make_node("Add", ["product0", "mean"], ["start"]),
        ]
    last = "start" if of_the_image else "product0"
    # While a file is opened, ONNX Runtime looks whether it is to stop after all constants are computed, not in between.
    for step in range(1, 60 if of_the_image else 20):
        nodes.append(helper.make_node("MatMul", [last, "product0"], [f"product{step}"]))
        last = f"product{step}"
    (answer,) = (node for node in graph.node if node.output[0] == "probability")
    answer.output[0] = "light"
    nodes += [
        helper.make_node("ReduceMean", [last], ["small"], keepdims=0),
        helper.make_node("Mul", ["small", "light"], ["nothing"]),
        helper.make_node("Add", ["nothing", "light"], ["probability"]),
    ]
    graph.node.extend(nodes)
    file.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("when", ["of_the_image", "while it is opened"])
def test_a_network_that_computes_for_hours_is_given_up(
    tiny_package: Path, edit_card: Callable[..., None], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    heavy_network(tiny_package, of_the_image=when == "of_the_image")
    edit_card(tiny_package)
    limit = "FIRST_ANSWER_SECONDS" if when == "of_the_image" else "OPENING_SECONDS"
    monkeypatch.setattr(inference, limit, 0.2)
    with pytest.raises(ModelIncompatibleError, match=r"model\.fp32\.onnx .* within 0\.2 s"):
        Classifier(load_package(tiny_package), device="cpu")
    # It does not compute for hours once it is given up: that would take the cores from the tests that follow.
    for thread in threading.enumerate():
        if thread.name == "edge-all-limited":
            thread.join(200)
            assert not thread.is_alive()


def test_a_network_that_answers_for_no_cell_is_refused(tiny_package: Path, edit_card: Callable[..., None]) -> None:
    import onnx
    from onnx import helper, numpy_helper

    file = tiny_package / "model.fp32.onnx"
    model = onnx.load(file)
    for name, number in (("none", 0), ("nothing", 0)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([number], np.int64), name))
    (last,) = (node for node in model.graph.node if node.output[0] == "probability")
    last.output[0] = "all_of_them"
    model.graph.node.append(helper.make_node("Slice", ["all_of_them", "none", "nothing"], ["probability"]))
    file.write_bytes(model.SerializeToString())
    edit_card(tiny_package)
    classifier = Classifier(load_package(tiny_package))
    with pytest.raises(ModelError, match="for 1 cells"):
        classifier.judge(np.zeros((1, 32, 32, 3), np.uint8))


def test_a_network_without_outputs_is_refused(tiny_package: Path, edit_card: Callable[..., None]) -> None:
    import onnx

    file = tiny_package / "model.fp32.onnx"
    model = onnx.load(file)
    del model.graph.output[:]
    file.write_bytes(model.SerializeToString())
    edit_card(tiny_package)
    with pytest.raises(ModelError):
        Classifier(load_package(tiny_package))

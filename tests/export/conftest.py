"""The tests of the training side run where it is installed: ``pip install -e ./export``."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import keras
    import typer

TRAINING_SIDE_INSTALLED = importlib.util.find_spec("edge_all_export") is not None

collect_ignore_glob = [] if TRAINING_SIDE_INSTALLED else ["test_*.py"]

TRAINING_TIMEOUT = 900
"""Seconds. Loading TensorFlow and tracing InceptionV3 once take a minute of a slow, busy machine; the other tests keep
the limit of pyproject.toml."""


def pytest_report_header() -> str:
    """Say what is left out, so that nobody takes it for tested."""
    return "training side: " + ("installed" if TRAINING_SIDE_INSTALLED else "not installed, tests/export is left out")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests that need TensorFlow their own limit."""
    for item in items:
        if item.get_closest_marker("training") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TRAINING_TIMEOUT))


def tiny_inception(include_top: bool, weights: str | None, input_shape: tuple[int, int, int]) -> keras.Model:
    """Two convolutions under the names of the blocks that the head pools, quickly traced."""
    import keras
    from keras import layers

    assert not include_top
    assert weights is None
    image = maps = keras.Input(input_shape)
    for block, width in (("mixed7", 6), ("mixed10", 8)):
        maps = layers.Conv2D(width, 3, strides=5, use_bias=False)(maps)
        maps = layers.BatchNormalization(scale=False)(maps)
        maps = layers.Activation("relu", name=block)(maps)
    return keras.Model(image, maps)


@pytest.fixture
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts `tiny_inception` in the place of InceptionV3, for tests of what happens around the network, not in it."""
    import keras

    monkeypatch.setattr(keras.applications, "InceptionV3", tiny_inception)


@pytest.fixture(autouse=True, scope="module")
def forgotten_networks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lets go of the networks that Keras keeps, so that they do not add up over a session."""
    yield
    if request.node.get_closest_marker("training"):
        import gc

        import keras

        keras.backend.clear_session()
        gc.collect()


@pytest.fixture
def eager() -> Iterator[None]:
    """Runs every TensorFlow function step by step: a step is slower, but nothing is traced."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def app() -> typer.Typer:
    """The command line with the verbs of the training side alone."""
    import typer

    from edge_all_export import commands

    made = typer.Typer(pretty_exceptions_enable=False)
    commands.register(made)
    return made

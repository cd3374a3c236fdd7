"""The network: outputs, weights, and an activation map that adds up to the logit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_all.errors import InputNotFoundError, ModelIncompatibleError, UsageError

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("eager")]

keras = pytest.importorskip("keras")
from edge_all_export.network import (  # noqa: E402 - needs Keras
    BACKBONE,
    architecture_of,
    build_network,
    inference_network,
    set_backbone_trainable,
    settle_batch_norm,
)

SIZE = 80


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    made = build_network(SIZE, "none")
    settle_batch_norm(made, [noise(8)])
    return made


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, SIZE, SIZE, 3), np.uint8)


def test_outputs_have_the_contracts_names_and_shapes(network: keras.Model) -> None:
    outputs = inference_network(network).predict(noise(3), verbose=0)
    assert set(outputs) == {"probability", "features", "activation"}
    assert outputs["probability"].shape == (3,)
    assert outputs["features"].shape == (3, 128)
    assert outputs["activation"].ndim == 3
    assert all(output.dtype == np.float32 for output in outputs.values())
    assert outputs["activation"].min() >= 0


def test_probability_is_the_softmax_of_all(network: keras.Model) -> None:
    softmax = network.predict(noise(4), verbose=0)
    assert softmax.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert inference_network(network).predict(noise(4), verbose=0)["probability"] == pytest.approx(
        softmax[:, 1], abs=1e-5
    )


def test_activation_is_the_gradient_weighted_map(network: keras.Model) -> None:
    """Against a gradient taken numerically: what a place adds is weight times map, averaged over places."""
    from keras import ops

    backbone = network.get_layer(BACKBONE)
    earlier, last = backbone(network.get_layer("scale")(noise(2)))

    def logit(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        pooled = np.concatenate([first.mean(axis=(1, 2)), second.mean(axis=(1, 2))], axis=1)
        hidden = network.get_layer("features_activation")(network.get_layer("features")(pooled))
        probabilities = ops.convert_to_numpy(network.get_layer("probabilities")(hidden))
        return np.log(probabilities[:, 1] / probabilities[:, 0])

    first, second = ops.convert_to_numpy(earlier), ops.convert_to_numpy(last)
    step = 1e-3
    slope_earlier = (logit(first * (1 + step), second) - logit(first * (1 - step), second)) / (2 * step)
    slope_last = (logit(first, second * (1 + step)) - logit(first, second * (1 - step))) / (2 * step)
    positive = inference_network(network).predict(noise(2), verbose=0)["activation"][:, 1:-1, 1:-1]
    assert positive.shape[1:] == first.shape[1:3]
    # The map is cut at 0, so that its mean is no smaller than the whole derivative.
    assert (positive.mean(axis=(1, 2)) >= slope_earlier + slope_last - 1e-2).all()


@pytest.mark.parametrize("size", [80, 112])
def test_activation_covers_the_image_evenly(size: int) -> None:
    """InceptionV3 shrinks by 16 up to that block; the rim is the outermost places again."""
    keras.utils.set_random_seed(2)
    made = inference_network(build_network(size, "none"))
    activation = made.predict(np.zeros((1, size, size, 3), np.uint8), verbose=0)["activation"][0]
    assert size / len(activation) == pytest.approx(16, abs=1)
    assert np.array_equal(activation[0], activation[1])
    assert np.array_equal(activation[:, -1], activation[:, -2])


def test_scaling_lives_inside_the_network(network: keras.Model) -> None:
    assert network.input.dtype == "uint8"
    scaled = keras.ops.convert_to_numpy(network.get_layer("scale")(np.array([[[[0, 127.5, 255]]]], np.float32)))
    assert scaled.ravel() == pytest.approx([-1, 0, 1], abs=1e-6)


def test_batch_norm_settles_to_the_means_of_the_batches() -> None:
    keras.utils.set_random_seed(2)
    made = build_network(SIZE, "none")
    crops = noise(16, seed=5)
    settle_batch_norm(made, [crops])
    first_norm = next(layer for layer in made.get_layer(BACKBONE).layers if "batch_norm" in layer.name)
    first_conv = next(layer for layer in made.get_layer(BACKBONE).layers if layer.name.startswith("conv2d"))
    seen = keras.ops.convert_to_numpy(first_conv(made.get_layer("scale")(crops)))
    assert keras.ops.convert_to_numpy(first_norm.moving_mean) == pytest.approx(seen.mean(axis=(0, 1, 2)), abs=1e-3)


def test_freezing(network: keras.Model) -> None:
    set_backbone_trainable(network, False)
    assert len(network.trainable_weights) == 4
    before = network.get_weights()
    network(noise(4), training=True)
    assert all((old == new).all() for old, new in zip(before, network.get_weights(), strict=True))
    set_backbone_trainable(network, True, train_batch_norm=False)
    without_norm = len(network.trainable_weights)
    set_backbone_trainable(network, True)
    assert 4 < without_norm < len(network.trainable_weights)


def test_the_first_layers_stay_as_they_are_where_that_is_asked_for(network: keras.Model) -> None:
    set_backbone_trainable(network, True, frozen_until="mixed2")
    layers = {layer.name: layer for layer in network.get_layer("backbone").layers}
    before = [name for name in layers if layers[name].trainable]
    assert not layers["mixed2"].trainable
    assert layers["mixed3"].trainable
    assert len(layers) / 2 < len(before) < len(layers)
    with pytest.raises(UsageError, match="mixed99"):
        set_backbone_trainable(network, True, frozen_until="mixed99")
    set_backbone_trainable(network, True)


def test_weights_of_a_backbone_are_taken_over(tmp_path: Path) -> None:
    source = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    source.save_weights(tmp_path / "blood.weights.h5")
    made = build_network(SIZE, tmp_path / "blood.weights.h5")
    assert (made.get_layer(BACKBONE).get_weights()[0] == source.get_weights()[0]).all()


def test_the_architecture_is_read_from_the_network_itself() -> None:
    assert architecture_of(build_network(SIZE, "none")) == "InceptionV3"
    pixels = keras.Input((8, 8, 3))
    other = keras.Model(pixels, keras.layers.Conv2D(2, 1, name="block_1")(pixels), name=BACKBONE)
    assert "InceptionV3" not in architecture_of(keras.Model(pixels, other(pixels), name="second"))
    assert architecture_of(other) == BACKBONE


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ModelIncompatibleError, match=r"other\.weights\.h5"):
        build_network(SIZE, tmp_path / "other.weights.h5")
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(ModelIncompatibleError):
        build_network(SIZE, tmp_path / "text.weights.h5")


def test_missing_weights_and_tiny_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="gone"):
        build_network(SIZE, tmp_path / "gone.weights.h5")
    with pytest.raises(UsageError, match="too small"):
        build_network(64, "none")

"""InceptionV3 with the project's own head.

Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016. The head pools the last block and
``mixed7``, the block that the paper hangs its auxiliary classifier on: at the small inputs of a single cell the last
block has only a few positions left, and texture is best seen one stage earlier.

All code here speaks Keras 3 alone and runs on any of its backends.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras
from keras import KerasTensor, layers, ops

from edge_all.errors import InputNotFoundError, MissingPackageError, ModelIncompatibleError, UsageError
from edge_all.results import RgbImage
from edge_all.wording.foreign_errors import first_line

__all__ = [
    "MIN_INPUT_SIZE",
    "architecture_of",
    "build_network",
    "inference_network",
    "set_backbone_trainable",
    "settle_batch_norm",
]

MIN_INPUT_SIZE = 75
"""The smallest input that InceptionV3's unpadded convolutions leave anything of."""

FEATURES = 128
"""Width of the feature layer: small, so that a few hundred cells determine the covariance of the out-of-distribution
score."""

LEAK = 0.2
"""Slope of the feature layer below zero; with a plain ReLU many features are constant and the covariance singular."""

BATCH_NORM_MOMENTUM = 0.97
"""Of the running means of batch-norm. Keras's 0.99 lags hundreds of steps behind, which is several epochs of a small
data set: held-out AUC fell as low as 0.84 between epochs of 0.95."""

BACKBONE = "backbone"
EARLIER_BLOCK = "mixed7"
LAST_BLOCK = "mixed10"


def build_network(
    input_size: int, weights: str | Path = "imagenet", *, dropout: float = 0.4, features: int = FEATURES
) -> keras.Model:
    """Make the trainable network.

    Args:
        input_size: side of the square input in pixels, from `MIN_INPUT_SIZE`.
        weights: ``imagenet`` (downloaded by Keras), ``none``, a weights file of InceptionV3 without its top, or the
            ``model.keras`` of an earlier run, whose head is taken over too.
        dropout: share of features dropped before the softmax while training.
        features: width of the feature layer.

    Returns:
        Model from ``uint8 [batch, size, size, 3]`` RGB to ``float32 [batch, 2]``: softmax over non-ALL and ALL.

    Raises:
        UsageError: the input is too small.
        InputNotFoundError: there is no such weights file.
        ModelIncompatibleError: the weights are of another architecture.
        MissingPackageError: the ImageNet weights could not be downloaded.
    """
    if input_size < MIN_INPUT_SIZE:
        raise UsageError(
            f"An input of {input_size} pixels is too small for InceptionV3.", f"Use {MIN_INPUT_SIZE} or more."
        )
    earlier_run = Path(weights) if str(weights).endswith(".keras") else None
    backbone = _backbone(input_size, weights if earlier_run is None else "none")
    for layer in _batch_norms(backbone):
        layer.momentum = BATCH_NORM_MOMENTUM
    pixels = keras.Input((input_size, input_size, 3), dtype="uint8", name="image")
    # Inside the network, so that no caller can scale differently.
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(pixels)
    earlier, last = backbone(scaled)
    pooled = layers.Concatenate(name="pooled")(
        [
            layers.GlobalAveragePooling2D(name="pool_earlier")(earlier),
            layers.GlobalAveragePooling2D(name="pool_last")(last),
        ]
    )
    hidden = layers.Dense(features, name="features")(pooled)
    hidden = layers.LeakyReLU(negative_slope=LEAK, name="features_activation")(hidden)
    hidden = layers.Dropout(dropout, name="dropout")(hidden)
    # float32 whatever the precision policy: a softmax in 16 bits cannot say 0.999.
    probabilities = layers.Dense(2, activation="softmax", dtype="float32", name="probabilities")(hidden)
    network = keras.Model(pixels, probabilities, name="edge_all")
    if earlier_run is not None:
        _take_over(network, earlier_run)
    return network


def architecture_of(network: keras.Model) -> str:
    """What a network is, for its card: by the blocks that it is made of, not by what this version would build.

    Args:
        network: any Keras model.

    Returns:
        ``InceptionV3`` where the blocks that the head pools are InceptionV3's; else the network's own name.
    """
    parts = {layer.name: layer for layer in network.layers}
    if BACKBONE not in parts:
        return str(network.name)
    blocks = {layer.name for layer in parts[BACKBONE].layers}
    return "InceptionV3" if {EARLIER_BLOCK, LAST_BLOCK} <= blocks else f"{network.name}, backbone unknown"


def set_backbone_trainable(
    network: keras.Model, trainable: bool, *, train_batch_norm: bool = True, frozen_until: str | None = None
) -> None:
    """Freeze or free the backbone; recompile the network afterwards.

    Args:
        network: from `build_network`.
        trainable: False trains the head alone, and keeps batch-norm in inference mode.
        train_batch_norm: False keeps batch-norm in inference mode while the rest is trained.
        frozen_until: layer of the backbone up to which, itself included, all stays frozen.

    Raises:
        UsageError: the backbone has no such layer.
    """
    backbone = network.get_layer(BACKBONE)
    frozen = _layers_until(backbone, frozen_until)
    # Layer by layer: setting it on the nested model alone leaves batch-norm in training mode.
    for layer in backbone.layers:
        frozen_norm = isinstance(layer, layers.BatchNormalization) and not train_batch_norm
        layer.trainable = trainable and not frozen_norm and layer.name not in frozen


def _layers_until(backbone: keras.Model, last: str | None) -> frozenset[str]:
    """Names of the layers up to one of them; Keras lists layers by depth, those that feed it first."""
    if last is None:
        return frozenset()
    names = [layer.name for layer in backbone.layers]
    if last not in names:
        raise UsageError(f"InceptionV3 has no layer {last!r}.", "Name one of mixed0 to mixed10.")
    return frozenset(names[: names.index(last) + 1])


def settle_batch_norm(network: keras.Model, batches: Iterable[RgbImage]) -> None:
    """Replace the running means of batch-norm by exact ones over unaltered crops, with the weights as they are.

    Training sees augmented crops while the weights still move; and averaged weights never had means of their own
    (Izmailov et al., UAI 2018; Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021).

    Args:
        network: trained.
        batches: ``uint8 [batch, s, s, 3]``, drawn as in training.
    """
    normalisations = _batch_norms(network.get_layer(BACKBONE))
    for number, batch in enumerate(batches):
        for layer in normalisations:
            layer.momentum = number / (number + 1)
        network(batch, training=True)
    for layer in normalisations:
        layer.momentum = BATCH_NORM_MOMENTUM


def _batch_norms(backbone: keras.Model) -> list[keras.Layer]:
    return [layer for layer in backbone.layers if isinstance(layer, layers.BatchNormalization)]


def inference_network(network: keras.Model) -> keras.Model:
    """The network as it is exported: three outputs by name.

    Args:
        network: from `build_network`, trained.

    Returns:
        Model from ``image`` ``uint8 [batch, s, s, 3]`` to a dictionary of ``float32``: ``probability`` ``[batch]`` of
        ALL, ``features`` ``[batch, d]``, and ``activation`` ``[batch, h, w]``, evenly over the image: how much each
        place adds to the logit of ALL, 0 where it speaks against it. Before that cut at 0 it is the gradient-weighted
        sum of Grad-CAM (Selvaraju et al., ICCV 2017), written out for this head, so that it needs no gradient.
    """
    pixels = keras.Input(network.input_shape[1:], dtype="uint8", name="image")
    earlier, last = network.get_layer(BACKBONE)(network.get_layer("scale")(pixels))
    pooled = network.get_layer("pooled")(
        [network.get_layer("pool_earlier")(earlier), network.get_layer("pool_last")(last)]
    )
    features = network.get_layer("features_activation")(network.get_layer("features")(pooled))
    probabilities = network.get_layer("probabilities")(features)
    features = ops.cast(features, "float32")
    outputs = {
        "probability": probabilities[:, 1],
        "features": features,
        "activation": _class_activation(network, ops.cast(earlier, "float32"), ops.cast(last, "float32"), features),
    }
    return keras.Model(pixels, outputs, name="edge_all_inference")


def _class_activation(
    network: keras.Model, earlier: KerasTensor, last: KerasTensor, features: KerasTensor
) -> KerasTensor:
    """How much each place adds to the logit of ALL: the places of the earlier block with a rim, ``[batch, h, w]``."""
    feature_kernel = ops.convert_to_numpy(network.get_layer("features").kernel).astype("float32")
    class_kernel = ops.convert_to_numpy(network.get_layer("probabilities").kernel).astype("float32")
    slope = ops.where(features > 0, 1.0, LEAK)
    weights = ops.matmul(slope * (class_kernel[:, 1] - class_kernel[:, 0]), feature_kernel.T)
    width = earlier.shape[-1]
    fine = ops.einsum("bhwc,bc->bhw", earlier, weights[:, :width])
    coarse = ops.einsum("bhwc,bc->bhw", last, weights[:, width:])
    # Both maps are means over their places, so the smaller one is spread over the larger.
    spread = ops.image.resize(ops.expand_dims(coarse, -1), earlier.shape[1:3], interpolation="bilinear")
    positive = ops.relu(fine + ops.squeeze(spread, -1))
    # InceptionV3's first convolutions are not padded: the places of `mixed7` lie 16 pixels apart from pixel 21.5 on, at
    # any input size, and leave a place's width free on every side. Stretched over the whole image they would show what
    # they mark 1.4 times too far from the middle at 112 pixels. The rim repeats the outermost places.
    rows = ops.concatenate([positive[:, :1], positive, positive[:, -1:]], axis=1)
    return ops.concatenate([rows[:, :, :1], rows, rows[:, :, -1:]], axis=2)


def _backbone(input_size: int, weights: str | Path) -> keras.Model:
    shape = (input_size, input_size, 3)
    if weights == "imagenet":
        try:
            whole = keras.applications.InceptionV3(include_top=False, weights="imagenet", input_shape=shape)
        except Exception as error:  # Keras wraps every failure to download in a bare Exception
            raise MissingPackageError(
                f"The ImageNet weights could not be downloaded ({error}).",
                "Connect to the internet once, or name a weights file, or train from nothing with --weights none.",
            ) from error
    else:
        whole = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=shape)
        if weights != "none":
            _load(whole, Path(weights))
    maps = [whole.get_layer(EARLIER_BLOCK).output, whole.get_layer(LAST_BLOCK).output]
    return keras.Model(whole.input, maps, name=BACKBONE)


def _take_over(network: keras.Model, earlier_run: Path) -> None:
    _require_file(earlier_run)
    try:
        network.set_weights(keras.models.load_model(earlier_run).get_weights())
    except (ValueError, OSError, TypeError) as error:
        raise ModelIncompatibleError(
            f"{earlier_run} is not the network of an earlier run ({first_line(error)}).",
            "Name the model.keras that edge-all train wrote.",
        ) from error


def _require_file(weights: Path) -> None:
    if not weights.is_file():
        raise InputNotFoundError(f"There is no weights file {weights}.", "Name imagenet, none, or a file that exists.")


def _load(backbone: keras.Model, weights: Path) -> None:
    _require_file(weights)
    try:
        backbone.load_weights(weights)
    except (ValueError, OSError, KeyError) as error:
        raise ModelIncompatibleError(
            f"{weights} holds no weights of InceptionV3 without its top ({first_line(error)}).",
            "Save them with Keras: InceptionV3(include_top=False).save_weights('NAME.weights.h5').",
        ) from error

"""The network of outlines: a small U-Net that says which pixels of a window belong to the cell that is meant.

Ronneberger, Fischer, Brox: U-Net, MICCAI 2015. That a click says which object is meant: Xu et al., Deep interactive
object selection, CVPR 2016.
"""

from __future__ import annotations

import keras
from keras import KerasTensor, layers, ops

from edge_all.segmentation.outline_windows import CHANNELS, WINDOW

__all__ = ["build_outline_network", "outline_loss"]

WIDTHS = (12, 24, 40, 64)
"""Channels at a half, a quarter, an eighth and a sixteenth of the window's size."""


def build_outline_network(widths: tuple[int, ...] = WIDTHS) -> keras.Model:
    """Make the trainable network.

    Args:
        widths: channels at each size, the largest first.

    Returns:
        Model from ``window`` ``uint8 [batch, WINDOW, WINDOW, 4]`` to ``float32 [batch, WINDOW, WINDOW]``, the
        probability that a pixel belongs to the cell that is meant.
    """
    window = keras.Input((WINDOW, WINDOW, CHANNELS), dtype="uint8", name="window")
    # Inside the network, so that no caller can scale differently.
    maps = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(window)
    skipped: list[KerasTensor] = []
    for width in widths:
        maps = _convolved(maps, width, strides=2)
        maps = _convolved(maps, width)
        skipped.append(maps)
    for skip in reversed(skipped[:-1]):
        maps = layers.Conv2D(skip.shape[-1], 1, use_bias=False)(maps)
        maps = layers.UpSampling2D(2)(maps)
        maps = layers.Add()([maps, skip])
        maps = _convolved(maps, skip.shape[-1])
    # Four half-size maps are the four pixels of each place.
    logits = layers.Conv2D(4, 3, padding="same", name="logits")(maps)
    half = WINDOW // 2
    logits = ops.reshape(logits, (-1, half, half, 2, 2))
    logits = ops.reshape(ops.transpose(logits, (0, 1, 3, 2, 4)), (-1, WINDOW, WINDOW))
    return keras.Model(window, layers.Activation("sigmoid", dtype="float32", name="cell")(logits), name="outlines")


def _convolved(maps: KerasTensor, width: int, strides: int = 1) -> KerasTensor:
    maps = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(maps)
    maps = layers.BatchNormalization(momentum=0.97)(maps)
    return layers.ReLU()(maps)


def outline_loss(truth: KerasTensor, found: KerasTensor) -> KerasTensor:
    """Binary cross-entropy, plus one minus the Dice coefficient of each window (Milletari et al., V-Net, 2016)."""
    truth = ops.cast(truth, "float32")
    found = ops.clip(found, 1e-6, 1 - 1e-6)
    entropy = -(truth * ops.log(found) + (1 - truth) * ops.log(1 - found))
    common = ops.sum(truth * found, axis=(1, 2))
    total = ops.sum(truth, axis=(1, 2)) + ops.sum(found, axis=(1, 2))
    return ops.mean(entropy, axis=(1, 2)) * 2 + 1 - (2 * common + 1) / (total + 1)

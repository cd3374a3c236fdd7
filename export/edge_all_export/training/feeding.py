"""Batches for the network: drawn so that neither class nor laboratory outweighs the others, then augmented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage
from edge_all_export.augmentation import augment, colour_statistics
from edge_all_export.datasets.samples import Sample
from edge_all_export.training.configuration import TrainingConfig

__all__ = ["TrainingBatches", "drawing_weights"]


def drawing_weights(samples: Sequence[Sample], all_share: float) -> NDArray[np.float64]:
    """Probability of drawing each sample.

    Within a class, a source counts by the square root of its size: large sets lead without drowning small ones.

    Returns:
        ``float64 [samples]``, summing to 1; samples of ALL sum to ``all_share``.
    """
    sizes = Counter((sample.label, sample.source, sample.kind) for sample in samples)
    weights = np.array([sizes[sample.label, sample.source, sample.kind] ** -0.5 for sample in samples])
    labels = np.array([sample.label for sample in samples])
    for label, share in ((1, all_share), (0, 1 - all_share)):
        weights[labels == label] *= share / weights[labels == label].sum()
    return weights


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Random, augmented batches; the same seed and epoch give the same ones, also after a restart.

    Args:
        crops: ``uint8 [n, h, h, 3]``, wider than the network's view by `edge_all_export.augmentation.MARGIN`.
        samples: what they show.
        config: sizes, shares, strengths, seed.
        first_epoch: the epoch to begin with.
    """

    def __init__(self, crops: RgbImage, samples: Sequence[Sample], config: TrainingConfig, first_epoch: int) -> None:
        super().__init__(workers=1)
        self._crops = crops
        self._labels = np.array([sample.label for sample in samples])
        self._weights = drawing_weights(samples, config.all_share)
        self._colours = colour_statistics(crops)
        self._config = config
        self._epoch = first_epoch
        drawn = config.samples_per_epoch or len(samples)
        self._batches = max(1, drawn // config.batch_size)

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, index: int) -> tuple[RgbImage, NDArray[np.float32]]:
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        chosen = rng.choice(len(self._labels), self._config.batch_size, p=self._weights)
        size = self._config.input_size
        images = np.stack(
            [augment(self._crops[i], size, self._config.augmentation, rng, self._colours) for i in chosen]
        )
        return images, np.eye(2, dtype=np.float32)[self._labels[chosen]]

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's batches."""
        self._epoch += 1

"""Batches for the network: drawn so that neither class nor laboratory outweighs the others, then augmented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from edge_all.results import RgbImage
from edge_all_export.crops.augmentation import augment, colour_statistics
from edge_all_export.datasets.samples import Sample
from edge_all_export.training.configuration import TrainingConfig

__all__ = ["TrainingBatches", "drawing_weights"]

PAIRED_SHARE = 0.6
"""Share of a class that is drawn from laboratories which have the other class too."""

LEAST_DRAWN = 320
"""Crops drawn in an epoch of a smaller set, each differently augmented. 80 crops would be two or three steps, too few
for the learning rate to rise and fall."""


def drawing_weights(samples: Sequence[Sample], all_share: float) -> NDArray[np.float64]:
    """Probability of drawing each sample.

    Laboratories that have both classes weigh alike in either, however many cells they gave, so that none of them stands
    for a class; more than half of the other class comes from them too, because against negatives of another laboratory
    its colours and its camera would be the easier thing to learn. Within a laboratory, and among the laboratories of
    one class, each kind of cell of each source counts by the square root of its number: large sets lead without
    drowning small ones.

    Returns:
        ``float64 [samples]``, summing to 1; samples of ALL sum to ``all_share``.
    """
    labels = np.array([sample.label for sample in samples])
    sizes = Counter((sample.label, sample.source, sample.kind) for sample in samples)
    weights = np.array([sizes[sample.label, sample.source, sample.kind] ** -0.5 for sample in samples])
    laboratories = np.array([sample.laboratory for sample in samples])
    with_both = set(laboratories[labels == 1]) & set(laboratories[labels == 0])
    paired = np.isin(laboratories, sorted(with_both))
    for label, share in ((1, all_share), (0, 1 - all_share)):
        of_class = labels == label
        alone = of_class & ~paired
        shared = 1.0 if not alone.any() else PAIRED_SHARE
        parts = [(of_class & (laboratories == name), shared / len(with_both)) for name in sorted(with_both)]
        for part, part_share in (*parts, (alone, 1 - shared if with_both else 1.0)):
            if part.any():
                weights[part] *= share * part_share / weights[part].sum()
    return weights


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Random, augmented batches; the same seed and epoch give the same ones, also after a restart.

    Args:
        crops: ``uint8 [n, h, h, 3]``, wider than the network's view by `edge_all_export.crops.augmentation.MARGIN`.
        samples: what they show.
        config: sizes, shares, strengths, seed.
        first_epoch: the epoch to begin with.
    """

    def __init__(self, crops: RgbImage, samples: Sequence[Sample], config: TrainingConfig, first_epoch: int) -> None:
        super().__init__(workers=2)
        self._crops = crops
        self._labels = np.array([sample.label for sample in samples])
        self._weights = drawing_weights(samples, config.all_share)
        self._colours = colour_statistics(crops)
        self._config = config
        self._epoch = first_epoch
        drawn = config.samples_per_epoch or max(len(samples), LEAST_DRAWN)
        self._batches = max(1, drawn // config.batch_size)

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, index: int) -> tuple[RgbImage, NDArray[np.float32]]:
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        chosen = rng.choice(len(self._labels), self._config.batch_size, p=self._weights)
        size = self._config.input_size
        images = np.stack(
            [
                augment(self._crops[i], size, self._config.augmentation, rng, self._colours, self._config.white_point)
                for i in chosen
            ]
        )
        return images, np.eye(2, dtype=np.float32)[self._labels[chosen]]

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's batches."""
        self._epoch += 1

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

PAIRED_SHARE = 0.6
"""Share of a class that is drawn from sources which have the other class too."""

LEAST_DRAWN = 320
"""Crops drawn in an epoch of a smaller set, each differently augmented. 80 crops would be two or three steps, too few
for the learning rate to rise and fall."""


def drawing_weights(samples: Sequence[Sample], all_share: float) -> NDArray[np.float64]:
    """Probability of drawing each sample.

    Where only some sources have both classes, half or more of the other class comes from these: against negatives of
    another laboratory, its colours and its camera would be the easier thing to learn. Within that, each kind of cell of
    each source counts by the square root of its number: large sets lead without drowning small ones.

    Returns:
        ``float64 [samples]``, summing to 1; samples of ALL sum to ``all_share``.
    """
    labels = np.array([sample.label for sample in samples])
    sizes = Counter((sample.label, sample.source, sample.kind) for sample in samples)
    weights = np.array([sizes[sample.label, sample.source, sample.kind] ** -0.5 for sample in samples])
    with_both = {sample.source for sample in samples if sample.label} & {s.source for s in samples if not s.label}
    paired = np.array([sample.source in with_both for sample in samples])
    for label, share in ((1, all_share), (0, 1 - all_share)):
        parts = [part for part in ((labels == label) & paired, (labels == label) & ~paired) if part.any()]
        shares = (PAIRED_SHARE, 1 - PAIRED_SHARE) if len(parts) == 2 else (1.0,)
        for part, part_share in zip(parts, shares, strict=True):
            weights[part] *= share * part_share / weights[part].sum()
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
            [augment(self._crops[i], size, self._config.augmentation, rng, self._colours) for i in chosen]
        )
        return images, np.eye(2, dtype=np.float32)[self._labels[chosen]]

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's batches."""
        self._epoch += 1

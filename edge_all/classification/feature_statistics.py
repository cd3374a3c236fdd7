"""What training cells look like in feature space, and how far a cell lies from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.package_arrays import read_arrays
from edge_all.errors import ModelIntegrityError
from edge_all.model.package import ModelPackage

__all__ = ["FeatureStatistics", "read_statistics"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureStatistics:
    """Training cells in feature space.

    Attributes:
        mean: ``float64 [d]``.
        precision: ``float64 [d, d]``, the inverse of their covariance.

    Raises:
        ModelIntegrityError: the shapes do not fit each other, or a value is not a finite number.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    def __post_init__(self) -> None:
        width = self.mean.size
        if self.mean.shape != (width,) or self.precision.shape != (width, width):
            raise ModelIntegrityError(
                f"Feature statistics of shape {self.mean.shape} and {self.precision.shape} do not fit each other.",
                "Export the model again.",
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.precision).all()):
            # Every comparison with what is not a number is false: no cell would ever be unlike the training cells.
            raise ModelIntegrityError(
                "Feature statistics hold values that are not finite numbers.", "Export the model again."
            )
        if not (np.diagonal(self.precision) > 0).all():
            # A squared distance would not grow with the distance, and again no cell would be unlike them.
            raise ModelIntegrityError(
                "The precision of feature statistics is not that of any cells.", "Export the model again."
            )

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.mean)

    def squared_distances(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Squared Mahalanobis distance ``float64 [n]`` of features ``float32 [n, d]`` (Lee et al., NeurIPS 2018).

        Row by row: a matrix product would round a cell differently in another company.
        """
        centred = features.astype(np.float64) - self.mean
        # Rounding may leave a hair less than nothing.
        return np.array([max(0.0, float(row @ self.precision @ row)) for row in centred], np.float64)


def read_statistics(package: ModelPackage) -> FeatureStatistics | None:
    """The feature statistics of a package; None where it has none.

    Raises:
        ModelIntegrityError: the file is damaged, or holds something else.
    """
    file = package.feature_statistics_file
    if file is None:
        return None
    return read_arrays(
        package,
        file,
        "feature statistics",
        lambda arrays: FeatureStatistics(
            np.asarray(arrays["mean"], np.float64), np.asarray(arrays["precision"], np.float64)
        ),
    )

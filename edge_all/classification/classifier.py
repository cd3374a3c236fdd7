"""Crops of cells to calibrated probabilities and decisions."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, UsageError
from edge_all.model.card import VARIANTS, ModelCard, Thresholds, VariantName
from edge_all.model.package import ModelPackage
from edge_all.model.store import find_package
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import CellLabel, ModelIdentity, ProviderReport
from edge_all.selection import select_network
from edge_all.session import InferenceSession

__all__ = [
    "Classifier",
    "Judgement",
    "calibrated_probability",
    "decide",
    "load_classifier",
]

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are kept this far from 0 and 1: beyond, 32-bit sigmoids round to 0 or 1 and the logit is infinite. The
temperature is fitted with the same limit."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the classifier says of one cell.

    Attributes:
        probability: calibrated probability of ALL.
        label: the decision.
        out_of_distribution: squared Mahalanobis distance of the cell's features from the training cells, divided by the
            package's limit: above 1.0 the label is ``indeterminate``. None where the package offers no such score.
        activation: class activation map ``float32 [h, w]``, evenly over the crop: how much each place adds to the
            calibrated logit of ALL, 0 where it speaks against it. None unless it was asked for.
    """

    probability: float
    label: CellLabel
    out_of_distribution: float | None
    activation: NDArray[np.float32] | None = field(default=None, compare=False)


class Classifier:
    """A model package on a device, ready to judge.

    Attributes:
        card: of the package.
        identity: which network judges.
        provider: on which execution provider, and why.
        spec: how crops have to be cut.
        thresholds: of the variant that judges.
        variant: the precision that judges.
        variant_reason: why this precision.
    """

    def __init__(
        self,
        package: ModelPackage,
        *,
        variant: VariantName | None = None,
        device: str = "auto",
        threads: int | None = None,
        remember: bool = True,
    ) -> None:
        """Open the package's network. No cell is inferred yet, but `auto` may time networks, once on a machine.

        Args:
            package: a verified package.
            variant: precision; the best for the device where None.
            device: see `edge_all.session.open_session`.
            threads: that compute the network; as many as the process has cores where None.
            remember: whether what `auto` measures is kept for the next start.

        Raises:
            ModelError: the package lacks the variant, or its network is not the one that the card describes.
            RuntimeSetupError: what is installed cannot do what was asked.
        """
        selected = select_network(package, device=device, variant=variant, threads=threads, remember=remember)
        name, session = selected.variant, selected.session
        block = package.variant(name)
        _check_network(session, package, name)
        self._session = session
        self._temperature = block.temperature
        self._statistics = _load_statistics(package, session, block.thresholds)
        self._outputs = ("probability",) if self._statistics is None else ("probability", "features")
        self.card: ModelCard = package.card
        self.identity = ModelIdentity(package.card.name, package.card.version, name, block.sha256)
        self.provider: ProviderReport = session.provider
        self.spec: PreprocessingSpec = package.card.preprocessing
        self.thresholds: Thresholds = block.thresholds
        self.variant: VariantName = name
        self.variant_reason = selected.variant_reason

    def judge(self, crops: NDArray[np.uint8], *, activations: bool = False) -> tuple[Judgement, ...]:
        """Judge cells; the answer for one does not depend on the others, on their number or on the threads.

        Args:
            crops: ``uint8 [n, input_size, input_size, 3]`` RGB, cut by `edge_all.preprocessing` with `spec`.
            activations: whether class activation maps are wanted too.

        Raises:
            ModelError: the network failed, or answered with something that is no probability.
            UsageError: activation maps are wanted of a package that computes none.
        """
        if activations:
            self.require_activations()
        names = (*self._outputs, "activation") if activations else self._outputs
        outputs = self._session.run(crops, names)
        raw = outputs["probability"]
        if ((raw < 0) | (raw > 1)).any():
            raise ModelIncompatibleError(
                f"The network of {self.identity.name} answers with values outside 0 to 1, which are no probabilities.",
                "Export the model again with a sigmoid or softmax at its end.",
            )
        probabilities = calibrated_probability(raw, self._temperature)
        if self._statistics is None:
            distances: list[float | None] = [None] * len(probabilities)
        else:
            distances = list(self._statistics.relative_distance(outputs["features"]))
        # The logit is divided by the temperature, and so is what adds up to it.
        maps = list(outputs["activation"] / np.float32(self._temperature)) if activations else [None] * len(raw)
        return tuple(
            Judgement(float(probability), decide(float(probability), distance, self.thresholds), distance, activation)
            for probability, distance, activation in zip(probabilities, distances, maps, strict=True)
        )

    def require_activations(self) -> None:
        """See to it, before a run, that the network computes class activation maps.

        Raises:
            UsageError: it does not.
        """
        if "activation" not in self._session.outputs:
            raise UsageError(
                f"Model package {self.identity.name} computes no class activation maps.",
                "Leave out --activation-maps, or use a package made by `edge-all export`.",
            )

    def network_probability(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's own probability ``float32 [n]``, before the temperature; what golden answers are about."""
        return self._session.run(crops, ("probability",))["probability"]


def load_classifier(
    model: str | None = None,
    *,
    variant: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    remember: bool = True,
) -> Classifier:
    """A classifier from what a user types.

    Args:
        model: name of an installed package (``name`` or ``name@version``), or the folder of one; the embedded package
            where None.
        variant: ``fp32``, ``fp16`` or ``int8``; the best for the device where None.
        device: see `edge_all.session.open_session`.
        threads: that compute the network; as many as the process has cores where None.
        remember: whether what `auto` measures is kept for the next start.

    Raises:
        UsageError: no such variant or device.
        ModelError: no such package, or one that is not what its card says.
        RuntimeSetupError: what is installed cannot do what was asked.
    """
    if variant is not None and variant not in VARIANTS:
        raise UsageError(f"There is no variant {variant!r}.", f"Choose one of: {', '.join(VARIANTS)}.")
    return Classifier(find_package(model), variant=variant, device=device, threads=threads, remember=remember)


def calibrated_probability(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Divide the logits by the temperature (Guo et al., ICML 2017).

    Args:
        probabilities: ``float [n]`` of the network, 0 to 1.
        temperature: above 0; 1 changes nothing.

    Returns:
        ``float64 [n]``, never outside 0 to 1 and in the same order.
    """
    clipped = np.clip(np.asarray(probabilities, np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    logits = np.log(clipped) - np.log1p(-clipped)
    # The hyperbolic form of the sigmoid cannot overflow.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits / temperature)), np.float64)


def decide(probability: float, out_of_distribution: float | None, thresholds: Thresholds) -> CellLabel:
    """From a calibrated probability and a relative distance (1.0 = limit) to the label of a cell."""
    if out_of_distribution is not None and out_of_distribution > 1:
        return "indeterminate"
    if probability >= thresholds.all_from:
        return "ALL"
    if probability < thresholds.non_all_below:
        return "non-ALL"
    return "indeterminate"


@dataclass(frozen=True, slots=True, eq=False)
class _FeatureStatistics:
    """Training cells in feature space: ``mean [d]``, ``precision [d, d]``, and the limit of the squared distance."""

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    limit: float

    def relative_distance(self, features: NDArray[np.float32]) -> list[float]:
        """Squared Mahalanobis distance of each row, divided by the limit.

        Row by row: a matrix product would round a cell differently in another company.
        """
        centred = features.astype(np.float64) - self.mean
        return [max(0.0, float(row @ self.precision @ row)) / self.limit for row in centred]


def _load_statistics(
    package: ModelPackage, session: InferenceSession, thresholds: Thresholds
) -> _FeatureStatistics | None:
    """The feature statistics, where package, network and variant all offer the score.

    Raises:
        ModelIntegrityError: the file is damaged or does not fit the network.
    """
    file = package.feature_statistics_file
    if file is None or thresholds.out_of_distribution is None:
        return None
    if "features" not in session.outputs:
        raise ModelIntegrityError(
            f"Model package {package.path} has feature statistics and a network without features.",
            "Export the model again.",
        )
    mean, precision = _read_statistics(file)
    width = session.output_shape("features")[0]
    if mean.shape != (width,) or precision.shape != (width, width) or not np.isfinite(precision).all():
        raise ModelIntegrityError(
            f"{file} holds statistics of shape {mean.shape} and {precision.shape}, the network has {width} features.",
            "Export the model again.",
        )
    return _FeatureStatistics(mean, precision, thresholds.out_of_distribution)


def _read_statistics(file: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        # Opened here, because NumPy leaves a damaged archive open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return np.asarray(arrays["mean"], np.float64), np.asarray(arrays["precision"], np.float64)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelIntegrityError(
            f"{file} holds no feature statistics ({error}).", "Install the package again."
        ) from error


def _check_network(session: InferenceSession, package: ModelPackage, variant: VariantName) -> None:
    """Compare the network with what the card says about it.

    Raises:
        ModelIntegrityError: the two are not about the same network.
    """
    expected = package.card.network_metadata(variant)
    for key, value in expected.items():
        if session.metadata.get(key, value) != value:
            raise ModelIntegrityError(
                f"{package.variant_file(variant)} says {key} = {session.metadata[key]!r}, its card says {value!r}.",
                "The package was put together from parts of different models; install it again.",
            )
    if session.input_size != package.card.preprocessing.input_size:
        raise ModelIntegrityError(
            f"The network takes {session.input_size} pixels, its card says {package.card.preprocessing.input_size}.",
            "The package was put together from parts of different models; install it again.",
        )

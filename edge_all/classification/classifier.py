"""Crops of cells to calibrated probabilities and decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import DecisionRule, read_rule
from edge_all.classification.second_look import looked_at_twice
from edge_all.errors import ModelIntegrityError, UsageError
from edge_all.model.card import VARIANTS, ModelCard, Thresholds, VariantName
from edge_all.model.package import ModelPackage
from edge_all.model.store import find_package
from edge_all.model.trust import require_accepted
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import CellLabel, ModelIdentity, ProviderReport
from edge_all.selection import select_network
from edge_all.session import InferenceSession

__all__ = [
    "Classifier",
    "Judgement",
    "load_classifier",
]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the classifier says of one cell.

    Attributes:
        probability: calibrated probability of ALL; near a threshold of two looks, where the package asks for them.
        label: the decision.
        out_of_distribution: squared Mahalanobis distance of the cell's features from the training cells, divided by the
            package's limit: above 1.0 the label is ``indeterminate``. None where the package offers no such score.
        activation: class activation map ``float32 [h, w]``, evenly over the crop: how much each place adds to the
            calibrated logit of ALL by the first look, 0 where it speaks against it. None unless it was asked for.
    """

    probability: float
    label: CellLabel
    out_of_distribution: float | None
    activation: NDArray[np.float32] | None = field(default=None, compare=False)


class Classifier:
    """A model package on a device, ready to judge.

    Attributes:
        card: of the package.
        outlines_folder: whose network says where cells end, see `ModelPackage.outlines_folder`.
        identity: which network judges.
        provider: on which execution provider, and why.
        spec: how crops have to be cut.
        rule: from what the network says to decisions.
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
        self.rule: DecisionRule = read_rule(package, name)
        _check_features(session, package, self.rule)
        self.card: ModelCard = package.card
        self.outlines_folder: Path = package.outlines_folder
        self.identity = ModelIdentity(package.card.name, package.card.version, name, block.sha256, package.card_sha256)
        self.provider: ProviderReport = session.provider
        self.spec: PreprocessingSpec = package.card.preprocessing
        self.variant: VariantName = name
        self.variant_reason = selected.variant_reason

    @property
    def thresholds(self) -> Thresholds:
        """Of the variant that judges."""
        return self.rule.thresholds

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
        needed = self.rule.needed_outputs
        outputs = self._session.run(crops, (*needed, "activation") if activations else needed)
        probability = looked_at_twice(outputs["probability"], crops, self.rule, self.network_probability)
        found = self.rule.decide(probability, outputs.get("features"), crops)
        distances = [None] * len(crops) if found.relative_distance is None else found.relative_distance.tolist()
        # The logit is divided by the temperature, and so is what adds up to it.
        maps = list(outputs["activation"] / np.float32(self.rule.temperature)) if activations else [None] * len(crops)
        return tuple(
            Judgement(probability, label, distance, activation)
            for probability, label, distance, activation in zip(
                found.probability.tolist(), found.label.tolist(), distances, maps, strict=True
            )
        )

    def require_activations(self) -> None:
        """See to it, before a run, that the network computes class activation maps.

        Raises:
            UsageError: it does not.
        """
        if "activation" not in self._session.outputs:
            raise UsageError(
                f"Model package {self.identity.name} computes no class activation maps.",
                "Do without activation maps, or use a package made by `edge-all export`.",
                settings=("activations",),
            )

    def require_features(self) -> None:
        """See to it that the network gives features.

        Raises:
            UsageError: it does not.
        """
        if "features" not in self._session.outputs:
            raise UsageError(
                f"Model package {self.identity.name} gives no features of cells.",
                "Do without reference cells, or use a package made by `edge-all export`.",
            )

    def features(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's features ``float32 [n, d]`` of crops as `judge` takes them.

        Raises:
            UsageError: the network gives none.
            ModelError: the network failed.
        """
        self.require_features()
        return self._session.run(crops, ("features",))["features"]

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
        ModelError: no such package, one that is not what its card says, or one that this station does not accept.
        RuntimeSetupError: what is installed cannot do what was asked.
    """
    if variant is not None and variant not in VARIANTS:
        raise UsageError(f"There is no variant {variant!r}.", f"Choose one of: {', '.join(VARIANTS)}.")
    package = find_package(model)
    require_accepted(package)
    return Classifier(package, variant=variant, device=device, threads=threads, remember=remember)


def _check_features(session: InferenceSession, package: ModelPackage, rule: DecisionRule) -> None:
    """Compare the network's features with the statistics that the rule holds them against.

    Raises:
        ModelIntegrityError: there are none, or another number of them.
    """
    if rule.statistics is None:
        return
    width = session.output_shape("features")[0] if "features" in session.outputs else "no"
    if width != rule.statistics.width:
        raise ModelIntegrityError(
            f"{package.feature_statistics_file} holds statistics of {rule.statistics.width} features, the network has "
            f"{width} features.",
            "Export the model again.",
        )


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

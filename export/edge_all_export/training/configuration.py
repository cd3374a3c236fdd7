"""Everything that decides what a training run gives, in one value that is saved with the run."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from edge_all.errors import UsageError
from edge_all.preprocessing import Orientation, PreprocessingSpec, WhitePoint
from edge_all_export.crops.augmentation import AugmentationConfig
from edge_all_export.network import MIN_INPUT_SIZE

__all__ = ["TrainingConfig"]

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Configuration of one run; `to_json` is ``config.json``.

    Attributes:
        input_size: side of the network's input in pixels. 160 told cells apart better than 112 (AUC 0.990 to 0.984).
        factor: side of the crop as a multiple of the nucleus's box. 2.5 shows red cells, and so the scale: at 2.0 a
            network called 29 % of an unseen hospital's lymphocytes ALL, at 2.5 1 %.
        background: ``keep`` or ``blank`` the neighbours.
        white_point: ``glass`` brings the glass of every crop to one grey, ``camera`` leaves its colours.
        orientation: ``upright`` shows the network every cell one way up, ``field`` as it lies. It learns cells turned
            by any angle and mirrored either way.
        weights: ``imagenet``, ``none``, a weights file, or the folder or ``model.keras`` of an earlier run to go on
            from, perhaps at another input size; of a cross-validation each fold goes on from its own network.
        head_epochs: epochs with the backbone frozen.
        epochs: epochs of fine-tuning after them.
        samples_per_epoch: training crops drawn in an epoch; None draws as many as there are, and 320 at least.
        batch_size: crops in a step.
        head_learning_rate: of the head epochs.
        learning_rate: at the start of fine-tuning; it falls to a hundredth along a cosine.
        frozen_until: layer of the backbone, such as ``mixed2``, up to which nothing is ever trained, itself included;
            None fine-tunes all layers. What ImageNet taught the first layers belongs to no laboratory, and a good part
            of the time of a step is saved.
        train_batch_norm: False keeps batch-norm in inference mode, which suits ImageNet weights and large differences
            between laboratories; weights whose statistics are far from the data need True.
        label_smoothing: share of certainty taken from each label.
        dropout: before the softmax.
        average_from: share of fine-tuning after which weights are averaged over epochs; 1 takes the last epoch's.
        start_share: how much of the earlier run's weights stays: the mean of both keeps what the earlier one knew of
            strangers, and most of what was learned since (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR
            2022). Without ALL-IDB, ten epochs more took its cells from an AUC of 0.76 to 0.64, the mean stands at
            0.72; docs/training-experiments.md.
        early_stopping: epochs without a better held-out AUC after which the run stops; None never stops early.
        all_share: share of ALL among the crops drawn; the class weighting.
        precision: arithmetic of the network.
        seed: of everything random.
        left_out: laboratory whose cells take no part; None takes all.
        augmentation: strength of each change.
    """

    input_size: int = 160
    factor: float = 2.5
    background: Literal["keep", "blank"] = "keep"
    white_point: WhitePoint = "glass"
    orientation: Orientation = "upright"
    weights: str = "imagenet"
    head_epochs: int = 1
    epochs: int = 20
    samples_per_epoch: int | None = None
    batch_size: int = 32
    head_learning_rate: float = 1e-3
    learning_rate: float = 3e-4
    frozen_until: str | None = None
    train_batch_norm: bool = True
    label_smoothing: float = 0.05
    dropout: float = 0.4
    average_from: float = 0.75
    start_share: float = 0.0
    early_stopping: int | None = None
    all_share: float = 0.5
    precision: Precision = "float32"
    seed: int = 0
    left_out: str | None = None
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        checks = {
            f"--input-size must be at least {MIN_INPUT_SIZE}, or InceptionV3 leaves nothing of it": self.input_size
            >= MIN_INPUT_SIZE,
            "--epochs must be at least 1": self.epochs >= 1,
            "--head-epochs cannot be negative": self.head_epochs >= 0,
            "--batch-size must be at least 2": self.batch_size >= 2,
            "--factor must be between 1 and 5": 1 <= self.factor <= 5,
            "learning rates must be positive": min(self.learning_rate, self.head_learning_rate) > 0,
            "--all-share must lie between 0 and 1": 0 < self.all_share < 1,
            "start_share must be at least 0 and less than 1": 0 <= self.start_share < 1,
            "start_share is of an earlier run: name its folder or model.keras with --weights": not self.start_share
            or (self.weights not in ("imagenet", "none") and not self.weights.endswith(".h5")),
            "--label-smoothing must lie between 0 and 0.5": 0 <= self.label_smoothing < 0.5,
            f"--precision must be one of {', '.join(PRECISIONS)}": self.precision in PRECISIONS,
            "--samples-per-epoch must be at least 1": self.samples_per_epoch is None or self.samples_per_epoch >= 1,
        }
        broken = [text for text, holds in checks.items() if not holds]
        if broken:
            raise UsageError(f"{broken[0]}.", "Correct the option or the configuration file.")

    @property
    def spec(self) -> PreprocessingSpec:
        """How crops are cut for this network."""
        return PreprocessingSpec(self.input_size, self.factor, self.background, self.white_point, self.orientation)

    @property
    def all_epochs(self) -> int:
        """Epochs of the whole run, those of the head alone among them."""
        return self.head_epochs + self.epochs

    def changed(self, **options: Any) -> TrainingConfig:  # noqa: ANN401 - each option has the type of its field
        """A copy with other values; options that are None stay as they are.

        Raises:
            UsageError: a value that makes no sense.
        """
        return dataclasses.replace(self, **{name: value for name, value in options.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> TrainingConfig:
        """The inverse of `to_json`.

        Raises:
            UsageError: a key that this version does not know, or a value that makes no sense.
        """
        try:
            # Runs from before there was a choice left the colours, the depth of the stain and the cells as they were.
            values = {"white_point": "camera", "orientation": "field", **record}
            values["augmentation"] = AugmentationConfig(**{"intensity": 0.0, **values.get("augmentation", {})})
            return cls(**values)
        except TypeError as error:
            raise UsageError(
                f"The training configuration does not fit this version ({error}).", "Compare it with a new run's."
            ) from error

    @classmethod
    def read(cls, path: Path) -> TrainingConfig:
        """Read a ``config.json``.

        Raises:
            UsageError: the file is missing, damaged, or of another version.
        """
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{path} is no training configuration ({error}).", "Name a config.json of a run."
            ) from error
        return cls.from_json(record)

"""The model card: what a model package says about itself, as values.

The training side writes it, the runtime reads it. The JSON form is the dataclasses' own names.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, UsageError
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import INTENDED_USE

__all__ = [
    "CARD_SCHEMA",
    "FILE_BLOCKS",
    "VARIANTS",
    "Band",
    "ModelCard",
    "NetworkOrigin",
    "Thresholds",
    "Variant",
    "VariantName",
]

CARD_SCHEMA = 1
"""Raised whenever an older runtime could misread a newer card."""

VariantName = Literal["fp32", "fp16", "int8"]
VARIANTS: tuple[VariantName, ...] = ("fp32", "fp16", "int8")
FILE_BLOCKS = ("feature_statistics", "appearance", "outlines")
"""Blocks of a card, none of which a package must have, that name a file beside those of the variants, by ``file`` and
``sha256``."""


@dataclass(frozen=True, slots=True)
class Band:
    """The indeterminate band: between its two ends a cell is left to a person.

    Attributes:
        non_all_below: probabilities under this are ``non-ALL``.
        all_from: probabilities from this on are ``ALL``; what lies between is ``indeterminate``.

    Raises:
        UsageError: the ends do not satisfy ``0 <= non_all_below <= all_from <= 1``.
    """

    non_all_below: float
    all_from: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.non_all_below <= self.all_from <= 1.0:
            raise UsageError(
                f"The band {self.non_all_below} to {self.all_from} is not one.",
                "Give two probabilities between 0 and 1, the lower one first.",
            )


@dataclass(frozen=True, slots=True)
class Thresholds(Band):
    """From a calibrated probability to a decision, and from the decisions about cells to a verdict.

    Attributes:
        out_of_distribution: squared Mahalanobis distance of the features above which a cell is ``indeterminate``
            whatever its probability; None where the package has no such score.
        false_positive_rate: share of non-ALL cells called ALL on held-out data (upper 95 % bound); the slide verdict
            asks whether more cells are ALL than this explains.
        second_look: how near an end of the band, in units of the calibrated logit, a cell is looked at a second time,
            see `edge_all.classification.second_look`; 0 for none, as in packages made before there was one.

    Raises:
        UsageError: the ends of the band are not ordered probabilities, the limit is not a positive number, the rate
            is no share, or the nearness is below 0.
    """

    out_of_distribution: float | None
    false_positive_rate: float
    second_look: float = 0.0

    def __post_init__(self) -> None:
        Band.__post_init__(self)
        limit = self.out_of_distribution
        if limit is not None and not 0 < limit < math.inf:
            raise UsageError(f"The out-of-distribution limit {limit} is not one.", "Give a number above 0.")
        if not 0 <= self.false_positive_rate <= 1:
            raise UsageError(
                f"The false-positive rate {self.false_positive_rate} is not one.", "Give a share from 0 to 1."
            )
        if not 0 <= self.second_look < math.inf:
            raise UsageError(
                f"A second look within {self.second_look} of a threshold is not one.", "Give a number from 0 on."
            )


@dataclass(frozen=True, slots=True)
class Variant:
    """One precision of the network.

    Attributes:
        file: name inside the package.
        sha256: of that file.
        temperature: divides the logit of the file's ``probability`` output; fitted for this variant.
        thresholds: fitted for this variant.
        parity: figures against the Keras model, by name.
        gate: report of the release gate against FP32; None for FP32 itself.
        golden: the ``probability`` output for `edge_all.model.golden.golden_crops`, by which a station proves that its
            own arithmetic is the one that was tested; None where the package carries no such answers.
    """

    file: str
    sha256: str
    temperature: float
    thresholds: Thresholds
    parity: dict[str, Any] = field(default_factory=dict)
    gate: dict[str, Any] | None = None
    golden: list[float] | None = None


@dataclass(frozen=True, slots=True)
class NetworkOrigin:
    """Of which package the network files are that another one uses as they are, byte for byte.

    They keep its names; what the other package does differently is how it cuts crops for them.

    Attributes:
        version: of that package.
        preprocessing: block of its card.

    Raises:
        TypeError: either is something else.
    """

    version: str
    preprocessing: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.version, str):
            raise TypeError("the version of the networks is not text")
        _require_block(self.preprocessing, "preprocessing of the networks")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """``card.json``.

    Attributes:
        name, version: identity of the package.
        created: ISO 8601 date.
        architecture: for example ``InceptionV3``.
        classes: class names, in the order of the network's own output.
        positive_class: the one that ``probability`` is about.
        preprocessing: how crops are cut.
        variants: by precision name.
        feature_statistics: file with ``mean [d]`` and ``precision [d, d]`` (npz) for the out-of-distribution score, and
            its SHA-256; None where the package offers none.
        appearance: file with what the known laboratories look like (npz, `edge_all.classification.appearance`), and its
            SHA-256; None where the package offers none.
        outlines: what `edge_all.segmentation.outline_network.open_outlines` reads of the network that says where cells
            end: its file and SHA-256, what it was trained on and how good it is; None where the package has none, and
            the embedded package's outlines the cells.
        networks_from: an earlier version of this package whose network files these are; None where they are its own.
        training: data sets with citation, numbers of cells, recipe.
        evaluation: figures with intervals, split and number of cells.
        limitations: what a user must know, a sentence each.
        tools: version of each tool that made the package.
        intended_use: the sentence of intended use.
        schema: version of this form.
    """

    name: str
    version: str
    created: str
    architecture: str
    classes: tuple[str, ...]
    positive_class: str
    preprocessing: PreprocessingSpec
    variants: dict[VariantName, Variant]
    feature_statistics: dict[str, str] | None = None
    appearance: dict[str, str] | None = None
    outlines: dict[str, Any] | None = None
    networks_from: NetworkOrigin | None = None
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    limitations: tuple[str, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    intended_use: str = INTENDED_USE
    schema: int = CARD_SCHEMA

    def to_json(self) -> dict[str, Any]:
        """The content of ``card.json``."""
        record = dataclasses.asdict(self)
        record["preprocessing"] = self.preprocessing.to_json()
        return record

    def network_metadata(self, variant: VariantName) -> dict[str, str]:
        """The ``metadata_props`` of one network file: what it is, should it ever be parted from its card.

        The exporter writes them, the runtime compares them. Temperature and thresholds are not among them: they are
        fitted after the file is written.
        """
        own = NetworkOrigin(self.version, self.preprocessing.to_json())
        origin = self.networks_from or own
        return {
            "edge_all.schema": str(self.schema),
            "edge_all.name": self.name,
            "edge_all.version": origin.version,
            "edge_all.variant": variant,
            "edge_all.classes": json.dumps(list(self.classes)),
            "edge_all.positive_class": self.positive_class,
            "edge_all.preprocessing": json.dumps(origin.preprocessing, sort_keys=True),
            "edge_all.intended_use": self.intended_use,
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> ModelCard:
        """Read the content of ``card.json``.

        Raises:
            ModelIncompatibleError: a newer schema, or preprocessing that this runtime does not do.
            ModelIntegrityError: the card is incomplete.
        """
        schema = record.get("schema")
        if not isinstance(schema, int) or isinstance(schema, bool):
            raise ModelIntegrityError("The model card carries no schema version.", "Export the model again.")
        if schema != CARD_SCHEMA:
            raise ModelIncompatibleError(
                f"The model card has schema {schema}, this version reads {CARD_SCHEMA}.",
                "Install the edge-all version named in the card under tools, or export the model again.",
            )
        try:
            values = {f.name: record[f.name] for f in dataclasses.fields(cls) if f.name in record}
            for name in ("classes", "limitations"):
                values[name] = _texts(values.get(name, []), name)
            values["preprocessing"] = PreprocessingSpec.from_json(values["preprocessing"])
            values["variants"] = {
                name: Variant(**{**variant, "thresholds": Thresholds(**variant["thresholds"])})
                for name, variant in values["variants"].items()
            }
            if values.get("networks_from") is not None:
                values["networks_from"] = NetworkOrigin(**values["networks_from"])
            card = cls(**values)
            card._check_values()
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError) as error:
            reason = error.problem if isinstance(error, UsageError) else error
            raise ModelIntegrityError(
                f"The model card is incomplete or damaged ({reason}).", "Install the package again."
            ) from error
        return card

    def _check_values(self) -> None:
        """Raise ValueError or TypeError for a value that no export writes; a wrong threshold decides silently."""
        for name in ("name", "version", "created", "architecture", "positive_class", "intended_use"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is not text")
        for name in ("training", "evaluation", "tools"):
            _require_block(getattr(self, name), name)
        if not all(isinstance(version, str) for version in self.tools.values()):
            raise TypeError("the version of a tool is not text")
        for name in FILE_BLOCKS:
            block = getattr(self, name)
            if block is not None:
                _require_block(block, name)
                _require_file(block["file"], block["sha256"], name)
        if len(set(self.classes)) < 2 or self.positive_class not in self.classes:
            raise ValueError(f"classes {self.classes} with positive class {self.positive_class}")
        for name, variant in self.variants.items():
            if name not in VARIANTS:
                raise ValueError(f"unknown variant {name}")
            _require_file(variant.file, variant.sha256, name)
            for block in ("parity", *(() if variant.gate is None else ("gate",))):
                _require_block(getattr(variant, block), f"{block} of {name}")
            if not (_is_number(variant.temperature) and 0 < variant.temperature < math.inf):
                raise ValueError(f"temperature {variant.temperature} of {name}")
            if variant.golden is not None and not (
                isinstance(variant.golden, list) and all(_is_number(one) and 0 <= one <= 1 for one in variant.golden)
            ):
                raise ValueError(f"golden answers of {name}")


def _texts(values: object, name: str) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} are not a list of texts")
    return tuple(values)


def _require_block(value: object, name: str) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no block")


def _require_file(file: object, sha256: object, name: str) -> None:
    """What the name may be is asked where the file is looked for."""
    if not (isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256)):
        raise TypeError(f"file {file!r} with SHA-256 {sha256!r} of {name}")


def _is_number(value: object) -> bool:
    """JSON's true and false are numbers to Python."""
    return isinstance(value, int | float) and not isinstance(value, bool)

"""From a trained network to a model package, in one call."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_all.errors import UsageError
from edge_all.model.card import ModelCard
from edge_all.preprocessing import PreprocessingSpec
from edge_all_calibration.releasing.publishing import Publication
from edge_all_calibration.releasing.release import CellParts, Release, ReleasePlan, build_release
from edge_all_export.converting.onnx_export import OPSET, export_onnx
from edge_all_export.converting.parity import measure_parity
from edge_all_export.converting.trained import TrainedNetwork

__all__ = ["Description", "described_card", "package_network", "read_description"]

PARITY_CELLS = 200
"""Real crops on which the ONNX network is held against Keras."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a card says that no file of the run knows.

    Attributes:
        name, version: identity of the package.
        training: data sets with citation, numbers of cells, recipe.
        evaluation: figures of earlier evaluations (cross-validation, other hospitals).
        limitations: a sentence each.
    """

    name: str
    version: str
    training: dict[str, Any]
    evaluation: dict[str, Any]
    limitations: tuple[str, ...]


def read_description(file: Path | None, *, name: str | None, version: str | None, folder: Path) -> Description:
    """Read a description, a JSON object with any of ``name, version, training, evaluation, limitations``.

    Args:
        file: None describes nothing.
        name: takes the place of the file's.
        version: takes the place of the file's.
        folder: of the package; its name is the package's where nothing else names it.

    Raises:
        UsageError: the file is no such object.
    """
    record: Any = {}
    if file is not None:
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{file} is no JSON object ({error}).", "Write name, training and so on into it."
            ) from error
    kinds = {"name": str, "version": str, "training": dict, "evaluation": dict, "limitations": list}
    if not isinstance(record, dict) or any(
        key not in kinds or not isinstance(value, kinds[key]) for key, value in record.items()
    ):
        raise UsageError(
            f"{file} is no description of a model.",
            "Write an object with any of: name, version (text), training, evaluation (objects), limitations (list).",
        )
    return Description(
        name or record.get("name", folder.resolve().name),
        version or record.get("version", "1.0.0"),
        record.get("training", {}),
        record.get("evaluation", {}),
        tuple(str(sentence) for sentence in record.get("limitations", ())),
    )


def described_card(
    trained: TrainedNetwork, spec: PreprocessingSpec, description: Description, parts: CellParts
) -> ModelCard:
    """The card of a package to be: what is known before the network is exported.

    Args:
        trained: the network.
        spec: how crops are cut.
        description: what else the card says.
        parts: the cells.
    """
    return ModelCard(
        name=description.name,
        version=description.version,
        created="",
        architecture=trained.architecture,
        classes=("non-ALL", "ALL"),
        positive_class="ALL",
        preprocessing=spec,
        variants={},
        training={**description.training, **({} if parts.training is None else {"cells": parts.training.counts()})},
        evaluation=description.evaluation,
        limitations=description.limitations,
    )


def package_network(
    trained: TrainedNetwork,
    card: ModelCard,
    parts: CellParts,
    plan: ReleasePlan,
    publication: Publication,
    *,
    opset: int = OPSET,
    progress: Callable[[str], None] = lambda _: None,
) -> Release:
    """Export, prove against Keras, calibrate, gate and publish.

    Args:
        trained: the network.
        card: see `described_card`.
        parts: the cells.
        plan: what to make, and by which measures.
        publication: where the package goes; whole or not there.
        opset: of the ONNX files.
        progress: told each step.

    Raises:
        UsageError: parts that overlap, lack a class, are too few, or were cut for another network.
        ModelIncompatibleError: the network cannot be exported, or its ONNX form answers differently.
        OutputError: the target exists, or cannot be written.
    """
    # Before the minutes that an export takes.
    parts.check(trained.input_size, plan.gate_limits)
    with publication.folder() as stage, tempfile.TemporaryDirectory(prefix="edge-all-") as scratch:
        network = Path(scratch) / "network.onnx"
        progress(f"Exporting to ONNX, opset {opset}")
        export_onnx(trained.network, network, opset=opset)
        parity = measure_parity(trained.network, network, parts.test.crops[:PARITY_CELLS])
        worst = parity["max_abs_difference"]["probability"]
        progress(
            f"Against Keras on {parity['cells']} cells: largest difference {worst:.1e}, {parity['label_flips']} flips"
        )
        return build_release(stage, network, card, parts, plan, parity=parity, progress=progress)

"""From labelled cells and a model to predictions.

A model package is judged through the runtime's own classifier, so that what is evaluated is what a station runs:
temperature, thresholds and out-of-distribution score included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import ModelIncompatibleError, UsageError
from edge_all.model.card import Band
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import RgbImage
from edge_all_export.crops import extract_crops
from edge_all_export.datasets import CellSet, Sample, read_pbc_lymphocytes
from edge_all_export.evaluation.predictions import Predictions
from edge_all_export.run_folder import TrainingRunFolder
from edge_all_export.splitting.leaks import Fingerprints, fingerprints, join_copies
from edge_all_export.splitting.recorded_split import RecordedSplit

if TYPE_CHECKING:
    from edge_all.classification.classifier import Classifier, Judgement

__all__ = [
    "Judged",
    "gallery_images",
    "judge_with_classifier",
    "judge_with_keras",
    "normal_cells",
    "of_unseen_blocks",
    "predictions_of",
    "unseen_samples",
]

CHUNK = 256
"""Cells cut and judged at a time: at 299 pixels 70 MB, so that any number of cells fits into memory."""
GALLERY_SIDE = 248
"""Pixels of a picture in the gallery."""

OnCells = Callable[[int], None]
"""Told how many cells have just been judged."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a model said about labelled cells.

    Attributes:
        predictions: a row a cell.
        name: of the model, for headings.
        model: what judged, for the record.
        band: its indeterminate band, with all thresholds where they are known; None where it has none.
        spec: how its crops were cut.
        notes: what a reader must know.
    """

    predictions: Predictions
    name: str
    model: dict[str, Any]
    band: Band | None
    spec: PreprocessingSpec
    notes: tuple[str, ...]


def judge_with_classifier(classifier: Classifier, samples: Sequence[Sample], on_cells: OnCells) -> Judged:
    """Judge with a model package, as a station does.

    Blocks that show the same cell become one, as in a training: an interval must not count that cell twice.

    Raises:
        ImageError: an image is no longer readable.
        ModelError: the network failed.
    """
    judgements: list[Judgement] = []
    prints: list[Fingerprints] = []
    for crops in _chunks(samples, classifier.spec, on_cells):
        judgements += classifier.judge(crops)
        prints.append(fingerprints(crops))
    distances = [judgement.out_of_distribution for judgement in judgements]
    identity, provider = classifier.identity, classifier.provider
    return Judged(
        predictions=predictions_of(
            join_copies(samples, Fingerprints.together(prints)),
            np.asarray([judgement.probability for judgement in judgements], np.float64),
            None if None in distances else np.asarray(distances, np.float64),
        ),
        name=f"{identity.name} {identity.version} ({identity.variant})",
        model={
            "Model package": f"{identity.name} {identity.version}, {identity.variant}, SHA-256 {identity.sha256}",
            "Execution provider": f"{provider.obtained} ({provider.reason})",
            "Crops": _crop_words(classifier.spec),
        },
        band=classifier.thresholds,
        spec=classifier.spec,
        notes=_seen_in_training(classifier.card.training, samples),
    )


def judge_with_keras(model: Path, spec: PreprocessingSpec, samples: Sequence[Sample], on_cells: OnCells) -> Judged:
    """Judge with a Keras model as it left training: no temperature, no thresholds.

    Args:
        model: a run folder or a ``.keras`` file, see `edge_all_export.converting.trained.open_trained`.
        spec: how its crops are cut, from the configuration of its run.
        samples: what to judge.
        on_cells: told of the progress.

    Raises:
        InputNotFoundError: there is no model.
        ModelIncompatibleError: the file is no such model, or not one of this configuration.
        ImageError: an image is no longer readable.
    """
    import keras

    from edge_all_export.converting.trained import open_trained

    trained = open_trained(model)
    if trained.input_size != spec.input_size:
        raise ModelIncompatibleError(
            f"{model} takes crops of {trained.input_size} pixels, its configuration says {spec.input_size}.",
            "Give the model and the config.json of one and the same training run.",
        )
    parts = [
        np.asarray(trained.network.predict(crops, verbose=0)["probability"], np.float64)
        for crops in _chunks(samples, spec, on_cells)
    ]
    return Judged(
        predictions=predictions_of(samples, np.concatenate(parts), None),
        name=model.parent.name if model.suffix else model.name,
        model={
            "Keras model": f"{model.name} ({trained.architecture})",
            "Keras backend": keras.backend.backend(),
            "Crops": _crop_words(spec),
        },
        band=None,
        spec=spec,
        notes=("Probabilities are the network's own: no temperature was fitted to them yet.",),
    )


def predictions_of(
    samples: Sequence[Sample],
    probability: NDArray[np.float64],
    out_of_distribution: NDArray[np.float64] | None,
) -> Predictions:
    """Put labels and answers together.

    The block of a sample becomes its group: neighbouring fields may be one patient, and an interval must not assume
    otherwise. The group of a sample (its patient, or its field) becomes the slide.
    """
    return Predictions(
        sample=tuple(sample.id for sample in samples),
        source=tuple(sample.source for sample in samples),
        group=tuple(sample.block for sample in samples),
        slide=tuple(sample.group for sample in samples),
        label=np.asarray([sample.label for sample in samples], np.int64),
        probability=probability,
        out_of_distribution=out_of_distribution,
    )


def normal_cells(folder: Path) -> CellSet:
    """A folder of images of one normal cell each, under the folder's own name.

    Raises:
        InputNotFoundError: there is no such folder, or no image in it.
    """
    found, source = read_pbc_lymphocytes(folder), folder.resolve().name
    names = [f"{source}/{sample.image.stem}" for sample in found.samples]
    renamed = tuple(
        replace(sample, id=name, source=source, group=name, block=name)
        for sample, name in zip(found.samples, names, strict=True)
    )
    return CellSet(renamed, found.skipped)


def unseen_samples(
    run: TrainingRunFolder, samples: Sequence[Sample], spec: PreprocessingSpec
) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """Leave out what a training run has seen: every cell of a block that it trained on.

    Blocks that show the same cell are one, as they were in the training: under their own names, those that it joined
    to another block would pass for unseen.

    Args:
        run: its split says what that was.
        samples: what there is to judge.
        spec: how the run cut its crops.

    Returns:
        The samples that are left, with the blocks of the run, and what a reader must know.

    Raises:
        InputError: the file is damaged.
        UsageError: nothing is left.
        ImageError: an image is no longer readable.
    """
    if not run.split.is_file():
        return tuple(samples), (
            f"No {run.split.name} lies beside the model: cells that it was trained on may be among these.",
        )
    left = of_unseen_blocks(RecordedSplit.read(run.split), samples, spec)
    if not left:
        raise UsageError(
            "The model was trained on every block of these images.", "Evaluate on others, or hold some out of training."
        )
    seen = len(samples) - len(left)
    return left, (f"{seen} cell(s) of blocks that the model was trained on are left out.",) if seen else ()


def of_unseen_blocks(split: RecordedSplit, samples: Sequence[Sample], spec: PreprocessingSpec) -> tuple[Sample, ...]:
    """The samples of blocks of which nothing was trained on, blocks that show the same cell being one."""
    if not samples:
        return ()
    joined = join_copies(samples, extract_crops(samples, spec))
    seen_blocks = {one.block for one, seen in zip(joined, split.train.having(samples), strict=True) if seen}
    return tuple(one for one in joined if one.block not in seen_blocks)


def gallery_images(samples: Sequence[Sample], wanted: Sequence[str], spec: PreprocessingSpec) -> dict[str, RgbImage]:
    """Pictures of some samples for the gallery, cut like the network's input with the surroundings kept."""
    chosen = [sample for sample in samples if sample.id in set(wanted)]
    crops = extract_crops(chosen, PreprocessingSpec(GALLERY_SIDE, spec.factor))
    return {sample.id: crop for sample, crop in zip(chosen, crops, strict=True)}


def _chunks(samples: Sequence[Sample], spec: PreprocessingSpec, on_cells: OnCells) -> Iterator[RgbImage]:
    for start in range(0, len(samples), CHUNK):
        part = samples[start : start + CHUNK]
        yield extract_crops(part, spec)
        on_cells(len(part))


def _crop_words(spec: PreprocessingSpec) -> str:
    white = f"white point of the {spec.white_point}"
    lies = "as it lies" if spec.orientation == "field" else "one way up"
    box = f"{spec.factor:g} times the nucleus's box, {lies}"
    return f"{box}, background {spec.background}, {white}, {spec.input_size} pixels"


def _seen_in_training(training: dict[str, Any], samples: Sequence[Sample]) -> tuple[str, ...]:
    # The block is free in form, so that any mention of a source counts.
    words = json.dumps(training)
    seen = sorted({name for name in (sample.source.split("/")[0] for sample in samples) if name in words})
    if not seen:
        return ()
    note = (
        f"The model card names {', '.join(seen)} in its training. Figures on cells that it was trained on show what it "
        "remembers, not what it will do; the card's own cross-validation is the honest figure."
    )
    return (note,)

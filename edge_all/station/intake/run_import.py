"""A finished run of ``edge-all screen`` becomes slides of a station."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import InputError, InputNotFoundError
from edge_all.files.run_folder import FIELDS_FILE, RunFolder
from edge_all.model.card import VariantName
from edge_all.model.store import list_packages
from edge_all.outputs.jsonl import each_field
from edge_all.rendering.demo_fields import DEMO_NOTICE
from edge_all.results import FieldResult, ModelIdentity
from edge_all.runs.run_record import BegunImage, read_record
from edge_all.station.storage.database import Database
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, is_judged, record_finding
from edge_all.station.storage.slide_records import find_or_add_slide

__all__ = ["ImportedRun", "import_run"]


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """What has come of a run.

    Attributes:
        fields: that are new in the station.
        known: that it had already.
        slides: codes of the slides that the fields belong to, in their order.
    """

    fields: int
    known: int
    slides: tuple[str, ...]


def import_run(database: Database, run: Path, on_field: Callable[[FieldResult], None] = lambda _: None) -> ImportedRun:
    """Write down what a run has found, as if the station had judged its images itself.

    What is there already is left as it is, so that an import that was cut short is gone on with by doing it again.

    Args:
        database: the store.
        run: folder of the run.
        on_field: called with each field that is on disk.

    Raises:
        InputNotFoundError: there is no run.
        InputError: it is damaged, or the model that judged is not installed here, so that nobody could say by which
            thresholds its cells were decided.
    """
    record = read_record(run)
    if record is None:
        raise InputNotFoundError(f"There is no finished run in {run}.", "Name the output folder of `edge-all screen`.")
    model = _installed(record.conditions.model)
    source, synthetic = str(run.resolve()), _is_demonstration(run)
    new = known = 0
    slides: dict[str, None] = {}
    for result in each_field(run / FIELDS_FILE):
        path, page = _place(result.image)
        begun = record.images.get(result.image, BegunImage(result.image, result.slide, ""))
        with database.write() as connection:
            slide = find_or_add_slide(connection, source, result.slide, synthetic=synthetic)
            file = ImageFile(slide.id, path, page, begun.sha256)
            there = is_judged(connection, file, model.identity)
            if not there:
                record_finding(connection, file, result, model)
        slides[slide.code] = None
        known, new = known + there, new + (not there)
        on_field(result)
    return ImportedRun(new, known, tuple(slides))


def _is_demonstration(run: Path) -> bool:
    """Whether a run says of its fields that edge-all drew them itself."""
    try:
        said = json.loads(RunFolder(run, {}).slides.read_text("utf-8"))
    except (OSError, ValueError):
        return False  # fields.jsonl is what a run is known by; of its tables any may be gone
    return isinstance(said, dict) and said.get("notice") == DEMO_NOTICE


def _place(image: str) -> tuple[str, int]:
    """Path and page of an image by its name in results."""
    path, _, page = image.rpartition("#")
    if path and page.isdecimal() and not Path(image).exists():
        return str(Path(path).absolute()), int(page)
    return str(Path(image).absolute()), 0


def _installed(identity: ModelIdentity) -> JudgingModel:
    """The model that judged, with its thresholds.

    Raises:
        InputError: it is not installed.
    """
    for stored in list_packages():
        package = stored.package
        if package is not None and package.card_sha256 == identity.card_sha256:
            variant: VariantName = identity.variant  # type: ignore[assignment]
            return JudgingModel(identity, package.variant(variant).thresholds, package.card.to_json())
    raise InputError(
        f"The run was judged by {identity.name} {identity.version}, which is not installed here: by which thresholds "
        "its cells were decided is not known.",
        "Install that model first: edge-all model install.",
    )

"""From the results of a run to DICOM: a structured report and a segmentation for each field.

The report is a Comprehensive SR after template 1500, with the outline, the probability and the label of each cell; the
segmentation has a segment for each label. Both name the image that they are about by its UIDs, as they must, and carry
neither the patient's name nor any other of its identifiers. Labels have codes of our own (99EDGEALL), for there are no
others that say no more than the software does.
"""

from __future__ import annotations

import copy
import dataclasses
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_all import __version__
from edge_all.dicom.dicom_fields import SourceOfField, read_index, require_dicom
from edge_all.errors import InputError, OutputError
from edge_all.files.atomic import atomic_path
from edge_all.files.folder_claim import claimed_folder
from edge_all.files.run_folder import FIELDS_FILE, RunFolder
from edge_all.outputs.jsonl import each_field
from edge_all.results import INTENDED_USE, Cell, FieldResult

__all__ = ["write_dicom_results"]

LABELS = ("ALL", "non-ALL", "indeterminate")
_SCHEME = "99EDGEALL"
SLICE_MILLIMETRES = 0.001
"""A smear has no slices, and a segmentation must have their thickness: about the depth of field of an objective 40x."""
_PATIENT = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
"""Attributes that an object must have; they are left empty."""


def write_dicom_results(run: Path, fields: Path, out: Path) -> list[Path]:
    """Write reports and segmentations.

    Args:
        run: folder of a finished run of ``screen`` over fields of `edge_all.dicom.dicom_fields`.
        fields: the folder of these fields.
        out: a new folder.

    Returns:
        The files: for each judged field a report, and a segmentation where it has a cell and the size of a pixel is
        known, without which a segmentation is not whole.

    Raises:
        MissingPackageError: highdicom is not installed.
        InputError: run and fields do not belong together, or an original is not what it was.
        OutputError: the folder cannot be written, or holds results already.
    """
    require_dicom("highdicom")
    sources = {(fields / name).resolve(): source for name, source in read_index(fields).items()}
    written: list[Path] = []
    with claimed_folder(out, marker=FIELDS_FILE, resume=False):
        for field in each_field(RunFolder(run, {}).fields):
            if field.status != "ok":
                continue
            image = Path(field.image).resolve()
            if image not in sources:
                raise InputError(f"{field.image} is none of the fields in {fields}.", "Name the fields of this run.")
            original = _original(sources[image])
            stem = out / image.parent.name / image.stem
            written.append(_saved(_report(field, original), stem.with_suffix(".sr.dcm")))
            measures = _pixel_measures(field, original)
            if field.candidates and measures is not None:
                segmentation = _segmentation(field, original, measures)
                written.append(_saved(segmentation, stem.with_suffix(".seg.dcm")))
    return written


def _saved(dataset: Any, path: Path) -> Path:  # noqa: ANN401 - of pydicom
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_path(path) as part:
            dataset.save_as(part)
    except ValueError as error:
        raise OutputError(f"{path} cannot be written ({error}).", "Please report this image.") from error
    return path


def _original(source: SourceOfField) -> Any:  # noqa: ANN401 - of pydicom
    """The image's attributes, without its patient.

    Raises:
        InputError: it is not there, or another one.
    """
    pydicom = require_dicom("pydicom")
    try:
        dataset = pydicom.dcmread(source.file, stop_before_pixels=False)
    except (OSError, pydicom.errors.InvalidDicomError) as error:
        raise InputError(f"{source.file} cannot be read ({error}).", "Put the DICOM file back.") from error
    if str(dataset.get("SOPInstanceUID")) != source.instance:
        raise InputError(f"{source.file} is not the image that the field was made from.", "Make the fields again.")
    without = copy.deepcopy(dataset)
    for name in _PATIENT:
        setattr(without, name, "")
    without.remove_private_tags()
    return without


def _report(field: FieldResult, original: Any) -> Any:  # noqa: ANN401 - of pydicom
    hd, codes = _libraries()
    device = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=hd.UID.from_uuid(str(_uuid_of(field))), name=_model_words(field)[:64], manufacturer_name="edge-all"
        ),
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=device),
        procedure_reported=_code("SCT", "104157003", "Light microscopy procedure"),
        imaging_measurements=[_measured(cell, original) for cell in field.candidates],
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=[original],
    )
    document = hd.sr.ComprehensiveSR(
        evidence=[original],
        content=report[0],
        series_instance_uid=hd.UID(),
        series_number=1001,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="edge-all",
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    return _described(document)


def _measured(cell: Cell, original: Any) -> Any:  # noqa: ANN401 - of highdicom
    hd, codes = _libraries()
    source = hd.sr.SourceImageForRegion.from_source_image(original)
    # Pixels are counted from their corner in DICOM: the middle of the first is at a half.
    outline = np.array([*cell.contour, cell.contour[0]], np.float64) + 0.5
    if len(cell.contour) < 3:
        x, y, width, height = cell.bbox
        outline = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)], np.float64)
    region = hd.sr.ImageRegion(hd.sr.GraphicTypeValues.POLYLINE, outline, source)
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=f"cell {cell.id}"),
        referenced_region=region,
        finding_type=_code("SCT", "4421005", "Cell"),
        measurements=[
            hd.sr.Measurement(
                name=_code(_SCHEME, "PROBABILITY", "Calibrated probability of ALL"),
                value=round(float(cell.probability or 0.0), 6),
                unit=codes.UCUM.NoUnits,
            )
        ],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(
                name=_code(_SCHEME, "LABEL", "Label of the cell"), value=_code(_SCHEME, *_label_code(str(cell.label)))
            )
        ],
    )


def _segmentation(field: FieldResult, original: Any, measures: Any) -> Any:  # noqa: ANN401 - of highdicom
    hd, codes = _libraries()
    present = [label for label in LABELS if any(cell.label == label for cell in field.candidates)]
    algorithm = hd.AlgorithmIdentificationSequence(
        name=_model_words(field)[:64], version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"{label} cells",
            segmented_property_category=_code("SCT", "91723000", "Anatomical structure"),
            segmented_property_type=_code(_SCHEME, *_label_code(label)),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, label in enumerate(present, start=1)
    ]
    masks = np.stack([_painted(field, [c for c in field.candidates if c.label == label]) for label in present], axis=-1)
    segmentation = hd.seg.Segmentation(
        source_images=[original],
        pixel_array=masks[None],
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=hd.UID(),
        series_number=1002,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="edge-all",
        manufacturer_model_name="edge-all",
        software_versions=__version__,
        device_serial_number="0",
        pixel_measures=measures,
    )
    return _described(segmentation)


def _pixel_measures(field: FieldResult, original: Any) -> Any:  # noqa: ANN401 - of highdicom
    """The size of a pixel in millimetres; None where nobody knows it."""
    spacing = original.get("PixelSpacing")
    if spacing is None and field.microns_per_pixel is not None:
        spacing = [field.microns_per_pixel / 1000] * 2
    if spacing is None:
        return None
    return _libraries()[0].PixelMeasuresSequence([float(one) for one in spacing], slice_thickness=SLICE_MILLIMETRES)


def _painted(field: FieldResult, cells: Sequence[Cell]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    mask = np.zeros((field.height, field.width), np.uint8)
    for cell in cells:
        cv2.fillPoly(mask, [np.array(cell.contour, np.int32)], 1)
    return mask


def _described(dataset: Any) -> Any:  # noqa: ANN401 - of pydicom
    """The object with the sentence that every result carries."""
    dataset.SeriesDescription = INTENDED_USE[:64]
    return dataset


def _label_code(label: str) -> tuple[str, str]:
    words = {"ALL": "ALL cell", "non-ALL": "Cell that is not ALL", "indeterminate": "Cell that was not decided"}
    return label.upper(), words[label]


def _model_words(field: FieldResult) -> str:
    model = field.model
    return "edge-all" if model is None else f"{model.name} {model.version} {model.variant} {model.card_sha256[:12]}"


def _uuid_of(field: FieldResult) -> uuid.UUID:
    """The same for the same model: the device that observes is model and thresholds."""
    model = field.model
    return uuid.uuid5(uuid.NAMESPACE_OID, "edge-all" if model is None else repr(dataclasses.astuple(model)))


def _code(scheme: str, value: str, meaning: str) -> Any:  # noqa: ANN401 - of highdicom
    return require_dicom("highdicom").sr.CodedConcept(value=value, scheme_designator=scheme, meaning=meaning)


def _libraries() -> tuple[Any, Any]:
    """highdicom, and the codes of DICOM."""
    hd = require_dicom("highdicom")
    from pydicom.sr.codedict import codes

    return hd, codes

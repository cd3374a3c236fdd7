"""From DICOM images of a microscope to fields that can be screened, without what identifies a patient.

VL microscopic and photographic images are read (DICOM PS3.3, A.32). Each becomes a PNG with the size of a pixel and the
colour profile, under a number in a folder for its series. Which file each was made from stands in ``dicom.json`` beside
them, for `edge_all.dicom.dicom_results`; no other attribute is carried along.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_all.errors import (
    CorruptImageError,
    ImageError,
    ImageTooLargeError,
    InputError,
    InputNotFoundError,
    MissingPackageError,
    UnreadableImageError,
    UnsupportedImageError,
)
from edge_all.files.atomic import write_atomically
from edge_all.files.folder_claim import claimed_folder
from edge_all.imaging import MAX_PIXELS
from edge_all.outputs.json_text import json_text
from edge_all.results import RgbImage
from edge_all.wording.extras import install_words

__all__ = ["INDEX_FILE", "ReadFields", "SourceOfField", "read_dicom_fields", "read_index", "require_dicom"]

INDEX_FILE = "dicom.json"
_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.77.1.2": "VL Microscopic Image",
    "1.2.840.10008.5.1.4.1.1.77.1.3": "VL Slide-Coordinates Microscopic Image",
    "1.2.840.10008.5.1.4.1.1.77.1.4": "VL Photographic Image",
}
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")


@dataclass(frozen=True, slots=True)
class SourceOfField:
    """The DICOM image that a field was made from.

    Attributes:
        file: where it lies.
        instance: its SOP Instance UID, by which it is known again.
    """

    file: Path
    instance: str


@dataclass(frozen=True, slots=True)
class ReadFields:
    """What became of some files.

    Attributes:
        fields: the images that were written.
        failures: why a file was left out.
    """

    fields: tuple[Path, ...]
    failures: tuple[ImageError | InputNotFoundError, ...]


def require_dicom(name: str) -> Any:  # noqa: ANN401 - a module without types
    """Load ``pydicom`` or ``highdicom``.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        if name == "highdicom":
            return importlib.import_module("highdicom")
        return importlib.import_module("pydicom")
    except ImportError as error:
        raise MissingPackageError(
            f"DICOM needs {name}, which is not installed ({error}).",
            f"Install edge-all with its extra, {install_words('dicom')}.",
        ) from error


def read_dicom_fields(files: Iterable[Path], out: Path) -> ReadFields:
    """Make fields of DICOM images.

    Args:
        files: DICOM files, or folders of them.
        out: a new folder.

    Raises:
        MissingPackageError: pydicom is not installed.
        OutputError: the folder cannot be written, or holds fields already.
        InputNotFoundError: a folder holds no file.
    """
    require_dicom("pydicom")
    failures: list[ImageError | InputNotFoundError] = []
    index: dict[str, dict[str, Any]] = {}
    with claimed_folder(out, marker=INDEX_FILE, resume=False):
        for file in _files(files):
            try:
                dataset = _dataset(file)
                field = f"{_series_name(dataset)}/{len(index) + 1:04d}.png"
                write_atomically(out / field, _png(_pixels(dataset, file), dataset), durable=False)
                index[field] = {"file": str(file.resolve()), "instance": str(dataset.SOPInstanceUID)}
            except (ImageError, InputNotFoundError) as error:
                failures.append(error)
        write_atomically(out / INDEX_FILE, (json_text({"fields": index}, indent=2) + "\n").encode("ascii"))
    return ReadFields(tuple(out / field for field in index), tuple(failures))


def read_index(folder: Path) -> dict[str, SourceOfField]:
    """Which image each field of a folder was made from, by its path within the folder.

    Raises:
        InputNotFoundError: the folder holds no fields of DICOM images.
        InputError: its index is damaged.
    """
    path = folder / INDEX_FILE
    try:
        fields = json.loads(path.read_text(encoding="ascii"))["fields"]
        return {name: SourceOfField(Path(one["file"]), one["instance"]) for name, one in fields.items()}
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{folder} holds no fields of DICOM images.", "Name the folder of fields.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}).", "Make the fields again.") from error


def _files(given: Iterable[Path]) -> Iterator[Path]:
    for path in given:
        if not path.is_dir():
            yield path
            continue
        found = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
        if not found:
            raise InputNotFoundError(f"The folder {path} holds no files.", "Name DICOM files, or a folder of them.")
        yield from found


def _series_name(dataset: Any) -> str:  # noqa: ANN401 - of pydicom, which has no types here
    """A name that says nothing about the patient, and is the same whenever the series is read."""
    return "series-" + hashlib.sha256(str(dataset.SeriesInstanceUID).encode()).hexdigest()[:8]


def _pixels(dataset: Any, file: Path) -> RgbImage:  # noqa: ANN401 - of pydicom
    """Its pixels in RGB, whatever the file holds.

    Raises:
        CorruptImageError: they cannot be decoded.
    """
    try:
        return np.ascontiguousarray(require_dicom("pydicom").pixels.pixel_array(dataset), np.uint8)
    except Exception as error:  # whatever one of its decoders raises
        raise CorruptImageError(
            f"{file} cannot be decoded ({type(error).__name__}: {error}).", "Export it again, as RGB or JPEG baseline."
        ) from error


def _dataset(file: Path) -> Any:  # noqa: ANN401 - of pydicom
    """A file's attributes, looked through before its pixels are decoded."""
    pydicom = require_dicom("pydicom")
    try:
        dataset = pydicom.dcmread(file)
        kind = str(dataset.SOPClassUID)
        pixels, frames = int(dataset.Rows) * int(dataset.Columns), int(dataset.get("NumberOfFrames") or 1)
        colours, bits = str(dataset.PhotometricInterpretation), int(dataset.BitsAllocated)
        _ = dataset.SOPInstanceUID, dataset.SeriesInstanceUID
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{file} does not exist.", "Check the spelling of the path.") from error
    except OSError as error:
        raise UnreadableImageError(f"{file} cannot be read ({error}).", "Check its permissions.") from error
    except Exception as error:  # pydicom raises many kinds for a damaged file
        raise CorruptImageError(
            f"{file} is no DICOM image, or damaged ({type(error).__name__}: {error}).", "Export it again."
        ) from error
    if kind not in _CLASSES:
        raise UnsupportedImageError(
            f"{file} is a DICOM object of another kind ({getattr(dataset.SOPClassUID, 'name', kind)}).",
            f"Export fields as {' or '.join(_CLASSES.values())}.",
        )
    if frames > 1:
        raise UnsupportedImageError(f"{file} holds {frames} frames.", "Export single fields of view.")
    if colours not in _COLOURS or bits != 8:
        raise UnsupportedImageError(
            f"{file} holds {colours} of {bits} bits.", "Export it in colour with 8 bits a channel."
        )
    if pixels > MAX_PIXELS:
        raise ImageTooLargeError(f"{file} holds {pixels / 1e6:.0f} megapixels.", "Export single fields of view.")
    return dataset


def _png(pixels: RgbImage, dataset: Any) -> bytes:  # noqa: ANN401 - of pydicom
    from PIL import Image

    options: dict[str, Any] = {}
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if spacing and float(spacing[0]) > 0 and float(spacing[1]) > 0:
        # Rows first, in millimetres; PNG has columns first.
        options["dpi"] = (25.4 / float(spacing[1]), 25.4 / float(spacing[0]))
    profile = dataset.get("ICCProfile")
    if profile is None and dataset.get("OpticalPathSequence"):
        profile = dataset.OpticalPathSequence[0].get("ICCProfile")
    if profile:
        options["icc_profile"] = bytes(profile)
    file = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(file, "PNG", compress_level=1, **options)
    return file.getvalue()

"""From a manifest to the slides of an archive: addresses, no pixels.

A manifest is a folder (each folder in it that holds images directly is a slide) or a table, CSV or Parquet, with a row
for each image: the column ``image`` has its address, ``slide`` the slide that it belongs to. Without one, images of one
folder are one slide, named as ``edge-all screen`` names it. Addresses are paths, ``file://`` or ``s3://``; what is
relative begins in the folder of the manifest. A row that is of no use is reported and costs no other.
"""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from edge_all.errors import EdgeAllError, InputError, InputNotFoundError, UsageError
from edge_all.files.run_folder import FIELDS_FILE
from edge_all.inputs import is_image_name, natural_order, slide_names
from edge_all.outputs.parquet import require_parquet
from edge_all.slide_archive.addresses import fetch, folder_of, is_remote, joined, local_path, object_store

__all__ = ["ArchiveImage", "ArchiveSlide", "BadRow", "Manifest", "read_manifest"]

IMAGE, SLIDE = "image", "slide"
LONGEST = 2000
"""Characters of an address (an S3 key has 1024 bytes at most). What is longer is an open quotation mark."""


@dataclass(frozen=True, slots=True)
class ArchiveImage:
    """One image of an archive.

    Attributes:
        image: the name under which results report it, as the manifest has it.
        address: where it is.
    """

    image: str
    address: str


@dataclass(frozen=True, slots=True)
class ArchiveSlide:
    """One slide of an archive: a unit of work.

    Attributes:
        slide: its name.
        images: its images, in the order in which they are judged.
    """

    slide: str
    images: tuple[ArchiveImage, ...]

    def to_json(self) -> dict[str, Any]:
        """The slide as JSON-ready values."""
        return {"slide": self.slide, "images": [[one.image, one.address] for one in self.images]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> ArchiveSlide:
        """The inverse of `to_json`."""
        return cls(record["slide"], tuple(ArchiveImage(image, address) for image, address in record["images"]))


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a manifest that is of no use.

    Attributes:
        row: its number; the header is row 1.
        content: what stands there.
        reason: why it is of no use.
    """

    row: int
    content: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What there is to be screened.

    Attributes:
        slides: in the order of their first images.
        bad_rows: rows that are of no use.
        rows: number of rows, or of files found.
    """

    slides: tuple[ArchiveSlide, ...]
    bad_rows: tuple[BadRow, ...] = ()
    rows: int = 0

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(len(slide.images) for slide in self.slides)

    def part(self, number: int, of: int) -> tuple[ArchiveSlide, ...]:
        """Every ``of``-th slide from the ``number``-th on: the parts of a manifest hold each slide once.

        Args:
            number: of the part, from 1.
            of: number of parts.
        """
        return self.slides[number - 1 :: of]


def read_manifest(address: str) -> Manifest:
    """Read a manifest.

    Args:
        address: of a folder or a table.

    Raises:
        InputNotFoundError: there is nothing there, or no image in it.
        InputError: it cannot be read, or is no manifest.
        MissingPackageError: Parquet or ``s3://`` is not installed.
        UsageError: the address has a scheme that is not read.
    """
    ending = PurePosixPath(address).suffix.lower()
    if ending in (".csv", ".tsv", ".txt"):
        rows = _rows_of_text(_content(address), address)
    elif ending in (".parquet", ".pq"):
        rows = _rows_of_parquet(_content(address), address)
    else:
        return _of_folder(address)
    folder = address.rpartition("/")[0] if is_remote(address) else str(local_path(address).parent)
    manifest = _of_rows(rows, folder)
    if not manifest.slides:
        raise InputNotFoundError(
            f"No row of {address} names an image ({manifest.rows} rows).",
            f"Give it a row for each image, with its address in the column {IMAGE!r}.",
        )
    return manifest


def _content(address: str) -> bytes:
    if is_remote(address):
        return fetch(address)
    path = local_path(address)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no manifest {path}.", "Check the spelling of the path.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.", "Check its permissions.") from error


_Row = tuple[int, Mapping[str, object] | str]
"""Its number, and its values by column, or what is wrong with it."""


def _rows_of_text(content: bytes, address: str) -> Iterator[_Row]:
    # Bytes that are no UTF-8 become lone surrogates, by which their rows are known.
    text = content.decode("utf-8-sig", "surrogateescape")
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ";\t" if mark in first and "," not in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip().lower() for name in next(reader)]
    except (StopIteration, csv.Error) as error:
        raise InputError(f"{address} is empty or no table.", f"Begin it with a row that names {IMAGE!r}.") from error
    _require_image_column(header, address)

    def rows() -> Iterator[_Row]:
        while True:
            number = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, f"{error}: rows {number} to {reader.line_num} are lost"
                continue
            if len(values) > len(header):
                yield number, f"{len(values)} values under {len(header)} columns"
            elif values:
                yield number, dict(zip(header, values, strict=False))

    return rows()


def _rows_of_parquet(content: bytes, address: str) -> Iterator[_Row]:
    require_parquet("archive")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{address} is no Parquet file ({error}).", "Write the manifest again.") from error
    _require_image_column(table.column_names, address)
    wanted = [name for name in (IMAGE, SLIDE) if name in table.column_names]
    return ((number, row) for number, row in enumerate(table.select(wanted).to_pylist(), start=2))


def _require_image_column(columns: Iterable[str], address: str) -> None:
    columns = list(columns)
    if IMAGE not in columns:
        raise InputError(
            f"{address} has no column {IMAGE!r}; its first row has: {', '.join(columns)[:200]}.",
            f"Name the column with the addresses {IMAGE!r}, and the one with the slides, if there is one, {SLIDE!r}.",
        )


def _of_rows(rows: Iterable[_Row], folder: str) -> Manifest:
    bad: list[BadRow] = []
    seen: dict[str, int] = {}
    good: list[tuple[ArchiveImage, str | None]] = []
    number = 1
    total = 0
    for number, row in rows:
        total += 1
        try:
            one, slide = _image_of(row, folder)
        except ValueError as reason:
            bad.append(BadRow(number, _shown(row), str(reason)))
            continue
        if one.address in seen:
            bad.append(BadRow(number, one.image, f"the image of row {seen[one.address]} again"))
            continue
        seen[one.address] = number
        good.append((one, slide))
    return Manifest(_slides(good), tuple(bad), total)


def _image_of(row: Mapping[str, object] | str, folder: str) -> tuple[ArchiveImage, str | None]:
    """The image that a row names, and its slide where it names one.

    Raises:
        ValueError: it names none; says why.
    """
    if isinstance(row, str):
        raise ValueError(row)  # noqa: TRY004 - the row is what is wrong, not its type
    texts = {}
    for name in (IMAGE, SLIDE):
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is no text")
        texts[name] = (value or "").strip()
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in texts[name]):
            raise ValueError(f"{name} holds line breaks, control characters, or bytes that are no UTF-8")
    image = texts[IMAGE]
    if not image:
        raise ValueError("no image is named")
    if len(image) > LONGEST:
        raise ValueError(f"the address has {len(image)} characters")
    address = joined(folder, image)
    try:
        is_remote(address)
    except UsageError as error:
        raise ValueError(error.problem) from error
    return ArchiveImage(image if "://" in image else Path(image).as_posix(), address), texts[SLIDE] or None


def _shown(row: Mapping[str, object] | str) -> str:
    return "" if isinstance(row, str) else repr(row.get(IMAGE))[:200]


def _slides(images: Iterable[tuple[ArchiveImage, str | None]]) -> tuple[ArchiveSlide, ...]:
    """The images by slide; those without one by their folder."""
    images = list(images)
    folders = {one.address: folder_of(one.address) for one, slide in images if slide is None}
    names = slide_names(dict.fromkeys(folders.values()))
    slides: dict[str, list[ArchiveImage]] = {}
    for one, slide in images:
        slides.setdefault(names[folders[one.address]] if slide is None else slide, []).append(one)
    return tuple(ArchiveSlide(slide, tuple(of_slide)) for slide, of_slide in slides.items())


def _of_folder(address: str) -> Manifest:
    files = _remote_files(address) if is_remote(address) else _local_files(local_path(address))
    images = [
        (ArchiveImage(file, file), None)
        for file in sorted(files, key=lambda file: natural_order(PurePath(file)))
        if is_image_name(PurePosixPath(file).name)
    ]
    if not images:
        raise InputNotFoundError(
            f"{address} holds no images.", "Name a folder with folders of JPEG, PNG, BMP or TIFF files, or a manifest."
        )
    return Manifest(_slides(images), (), len(images))


def _local_files(folder: Path) -> Iterator[str]:
    """All files below a folder, as they would be typed; what a run of edge-all wrote is no image of a slide."""
    if not folder.is_dir():
        raise InputNotFoundError(
            f"{folder} is neither a folder nor a manifest (.csv, .tsv, .parquet).", "Check the spelling of the path."
        )
    for path, folders, files in os.walk(folder, onerror=_refuse_unlisted):
        if FIELDS_FILE in files:
            folders.clear()
            continue
        yield from ((Path(path) / file).as_posix() for file in files)


def _refuse_unlisted(error: OSError) -> None:
    raise InputError(f"The folder {error.filename} cannot be listed: {error.strerror}.", "Check its permissions.")


def _remote_files(address: str) -> list[str]:
    try:
        return [f"s3://{path}" for path in object_store().find(address)]
    except EdgeAllError:
        raise
    except FileNotFoundError as error:
        raise InputNotFoundError(f"{address} does not exist.", "Check its spelling.") from error
    except Exception as error:  # whatever the client of a store raises
        raise InputError(
            f"{address} cannot be listed ({type(error).__name__}: {error}).", "Check the credentials and the store."
        ) from error

"""From what the user typed to the images of the run, in order, and the slide that each belongs to.

- A folder stands for the images that lie directly in it. Hidden files, other files and sub-folders are passed over, and
  said to be.
- A TIFF with several pictures stands for each of them (``run.tif#2``); smaller copies in it are no pictures.
- A file that is named is taken whatever its name ends in; what it is, `edge_all.imaging` finds out.
- A pattern (``slides/*``, ``a/Im0?.jpg``) is expanded here as well, because the Windows shells leave it to the program.
- Images of one folder are one slide, named after the folder; where two folders bear one name, as much of their paths is
  added as tells them apart.
- What a run of edge-all wrote is no image of a slide, and is refused.
- What was asked for and is not there stays in the list, so that the run reports it beside the images that it judged; a
  folder that is there and holds no image is no slide, and is said to be empty. Only where there is no image at all is
  that an error here.
"""

# ruff: noqa: PTH112 - Path.is_dir raises where os.path.isdir says no, as in a folder that may not be entered
from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar, overload

from edge_all.errors import ImageError, InputError, InputNotFoundError, UsageError
from edge_all.files.naming import image_name
from edge_all.files.run_folder import run_that_wrote
from edge_all.imaging import IMAGE_SUFFIXES, OpenedImage, open_image
from edge_all.imaging.foreign import EXPORT_REMEDY, kind_by_ending
from edge_all.imaging.pages import pages_of_file
from edge_all.wording.plurals import counted

__all__ = [
    "FoundImages",
    "ImageSource",
    "described",
    "find_images",
    "is_image_name",
    "natural_order",
    "pictures_of",
    "slide_names",
]

_AnyPath = TypeVar("_AnyPath", bound=PurePath)

_NAMED = 10
"""Files in other formats that a message names; of more it gives the number."""


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One image to be judged.

    Attributes:
        path: where it is.
        image: the name under which results report it: the path as the user gave it, with ``/`` on every system.
        slide: the slide that it belongs to.
        page: number of its page in a file of several pictures, from 1; None where the file holds one.
    """

    path: Path
    image: str
    slide: str
    page: int | None = None

    @property
    def place(self) -> str:
        """Where it is: the same by whatever path it was named."""
        real = os.path.normcase(os.path.realpath(self.path))
        return image_name(real, self.page)

    def opened(self) -> OpenedImage:
        """The image, found whole and ready to be decoded.

        Raises:
            ImageError, InputNotFoundError: it cannot be read.
        """
        return open_image(self.path, page=self.page)


@dataclass(frozen=True, slots=True)
class FoundImages(Sequence[ImageSource]):
    """The images of a run, in the order in which they are judged; a sequence of `ImageSource`.

    Attributes:
        sources: the images, each once.
        passed_over: what lay in a folder, or matched a pattern, and is not an image.
        empty_folders: folders that were named and hold no image.
        repeated: how many times an image was named again; it is judged once.
    """

    sources: tuple[ImageSource, ...]
    passed_over: tuple[Path, ...] = ()
    empty_folders: tuple[Path, ...] = ()
    repeated: int = 0

    @property
    def in_other_formats(self) -> tuple[Path, ...]:
        """Those passed over that are pictures of a microscope or camera, in formats that are not read."""
        return tuple(path for path in self.passed_over if kind_by_ending(path))

    @property
    def not_judged(self) -> tuple[Path, ...]:
        """What a run has nothing on: pictures in formats that are not read, and named folders without images."""
        return (*self.in_other_formats, *self.empty_folders)

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> ImageSource: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ImageSource, ...]: ...
    def __getitem__(self, index: int | slice) -> ImageSource | tuple[ImageSource, ...]:
        return self.sources[index]


def find_images(paths: Iterable[str | Path], *, slide: str | None = None, crops_of_a_run: bool = False) -> FoundImages:
    """Finds the images that paths, folders and patterns stand for.

    Args:
        paths: what the user typed. Their order is kept; within a folder or pattern the order is natural (2 before 10).
        slide: name of the one slide that all images belong to; None for one slide a folder.
        crops_of_a_run: whether images of cells are wanted, also those that a run wrote.

    Returns:
        The images, and what was passed over.

    Raises:
        UsageError: no path was given.
        InputNotFoundError: none of the paths leads to an image.
        InputError: a folder cannot be listed, or holds what a run wrote; nothing that was named is an image.
    """
    wanted = [Path(path) for path in paths]
    if not wanted:
        raise UsageError("No image was named.", "Name image files, folders or patterns.")
    files: list[Path] = []
    passed_over: list[Path] = []
    empty_folders: list[Path] = []
    missing: list[InputNotFoundError] = []
    found_any = False
    for path in wanted:
        try:
            matches = list(_expand(path, passed_over))
            found_any = True
        except InputNotFoundError as error:
            missing.append(error)
            is_there = os.path.isdir(path)
            matches = [] if is_there else [path]
            empty_folders += [path] if is_there else []
        files += matches
    if not found_any:
        raise missing[0]

    unique = {os.path.normcase(os.path.realpath(file)): file for file in reversed(files)}
    kept = set(unique.values())
    ordered = [file for file in dict.fromkeys(files) if file in kept]
    for file in ordered:
        _refuse_output_of_a_run(file, crops_wanted=crops_of_a_run)
    _refuse_where_nothing_is_an_image(ordered)
    slides = slide_names(dict.fromkeys(_folder_of(file) for file in ordered))
    return FoundImages(
        sources=tuple(source for file in ordered for source in pictures_of(file, slide or slides[_folder_of(file)])),
        passed_over=tuple(passed_over),
        empty_folders=tuple(dict.fromkeys(empty_folders)),
        repeated=len(files) - len(ordered),
    )


def pictures_of(file: Path, slide: str, *, image: str | None = None) -> Iterator[ImageSource]:
    """One source, or one for each page of a TIFF that holds several pictures, called ``field.tif#2``.

    Args:
        file: where it is.
        slide: that it belongs to.
        image: the name under which results report it; its path where None.
    """
    name = file.as_posix() if image is None else image
    pages = pages_of_file(file) if file.suffix.lower() in (".tif", ".tiff") else None
    if pages is None or len(pages.pictures) == 1:
        yield ImageSource(file, name, slide)
        return
    for picture in pages.pictures:
        yield ImageSource(file, image_name(name, picture.page), slide, picture.page)


def described(files: Sequence[Path]) -> str:
    """Some files in other formats, named: ``3 files (a.czi: Zeiss CZI, b.lif: Leica LIF and 1 more)``."""
    named = ", ".join(f"{file.name}: {kind_by_ending(file)}" for file in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return f"{counted(len(files), 'file')} ({named}{more})"


def _expand(path: Path, passed_over: list[Path]) -> Iterator[Path]:
    """The images that one path stands for.

    Raises:
        InputNotFoundError: there are none, or ``-`` is named and is no file.
        InputError: a folder cannot be listed.
    """
    if os.path.isdir(path):
        yield from _images_in(path, passed_over)
    elif os.path.lexists(path):  # before the pattern: a name may hold brackets
        yield path
    elif glob.has_magic(str(path)):
        yield from _images_matching(path, passed_over)
    elif str(path) == "-":
        raise InputNotFoundError(
            "- would be standard input, from which no images are read.",
            "Save the images as files, and name those or their folder.",
        )
    else:
        raise InputNotFoundError(f"{path} does not exist.", "Check the spelling of the path.")


def _images_in(folder: Path, passed_over: list[Path]) -> list[Path]:
    try:
        entries = sorted(folder.iterdir(), key=natural_order)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be listed: {error.strerror}.", "Check its permissions."
        ) from error
    images = [entry for entry in entries if _looks_like_an_image(entry)]
    passed_over += [entry for entry in entries if not _looks_like_an_image(entry)]
    if not images:
        folders = sum(os.path.isdir(entry) for entry in entries)
        held = counted(folders, "folder")
        hint = f" It holds {held}; to take each as a slide, name {folder / '*'}." if folders else ""
        others = [entry for entry in entries if kind_by_ending(entry)]
        if others:
            hint += f" It holds {described(others)} in formats that are not read. {EXPORT_REMEDY}"
        raise InputNotFoundError(
            f"The folder {folder} holds no images.",
            f"Name a folder with JPEG, PNG, BMP or TIFF files directly in it.{hint}",
        )
    return images


def _images_matching(pattern: Path, passed_over: list[Path]) -> list[Path]:
    images: list[Path] = []
    for match in sorted(map(Path, glob.glob(str(pattern))), key=natural_order):  # noqa: PTH207 - Path.glob refuses absolute ones
        if os.path.isdir(match):
            try:
                images += _images_in(match, passed_over)
            except InputNotFoundError:  # a folder that nobody named
                passed_over.append(match)
        elif _looks_like_an_image(match):
            images.append(match)
        else:
            passed_over.append(match)
    if not images:
        raise InputNotFoundError(f"No image matches {pattern}.", "Check the pattern, or name the folder itself.")
    return images


def _looks_like_an_image(path: Path) -> bool:
    return is_image_name(path.name) and not os.path.isdir(path)


def is_image_name(name: str) -> bool:
    """Whether a file of a folder is taken for an image."""
    # Of hidden files, "._x.jpg" is common: what macOS leaves beside an image on other people's drives.
    return PurePath(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")


def _refuse_output_of_a_run(file: Path, *, crops_wanted: bool) -> None:
    run, shows_a_cell = run_that_wrote(file, _folder_of(file))
    if run is not None and not (crops_wanted and shows_a_cell):
        raise InputError(
            f"{file} was written by a run of edge-all, whose results lie in {run}; it is no image of a slide.",
            "Name the slides themselves, without the folders of results.",
        )


def _refuse_where_nothing_is_an_image(files: Sequence[Path]) -> None:
    """A manifest or a text that is named alone is a mistake, of which no report is to be written.

    Raises:
        ImageError: no file is called like an image, or is one; says why of the first.
    """
    refused: list[ImageError] = []
    for file in files:
        if is_image_name(file.name):
            return
        try:
            open_image(file)
        except ImageError as error:
            refused.append(error)
        except InputNotFoundError:
            continue
        else:
            return
    if refused:
        raise refused[0]


def natural_order(path: PurePath) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts by numbers as numbers and by letters without case; the exact name decides between equals."""
    pieces = re.split(r"([0-9]+)", str(path).casefold())
    return [(0, int(piece), "") if piece.isdecimal() and piece.isascii() else (1, 0, piece) for piece in pieces], str(
        path
    )


def _folder_of(file: Path) -> Path:
    """The folder that names the slide."""
    return Path(os.path.abspath(file)).parent  # noqa: PTH100 - resolve() would replace the name of a linked folder


def slide_names(folders: Iterable[_AnyPath]) -> dict[_AnyPath, str]:
    """The shortest ends of the folders' paths that tell them apart."""
    depth = dict.fromkeys(folders, 1)
    while True:
        names = {folder: PurePath(*folder.parts[-length:]).as_posix() for folder, length in depth.items()}
        shared = {name for name, count in Counter(names.values()).items() if count > 1}
        if not shared:
            return names
        for folder, name in names.items():
            depth[folder] += name in shared

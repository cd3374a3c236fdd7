"""One folder a class, as most people keep single-cell images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_all.errors import InputNotFoundError, UsageError
from edge_all_calibration.labelled_cells.folder_classes import find_class_folders
from edge_all_export.datasets.locating import single_cell
from edge_all_export.datasets.samples import ALL, NON_ALL, CellSet, Label, Sample, collect, list_images
from edge_all_export.datasets.tables import read_table

__all__ = ["read_class_folders"]


def read_class_folders(folder: Path) -> CellSet:
    """Single-cell images in one folder a class, named as `find_class_folders` knows them.

    The group of an image is its patient: from ``groups.csv`` beside the class folders (``image,group``; paths relative
    to it) where that exists, else the folder inside the class folder that it lies in, else the image itself. One
    patient may have cells of both classes: folders of one name in both class folders are one group.

    Args:
        folder: that holds the class folders.

    Raises:
        InputNotFoundError: no class folder, or one without an image.
        UsageError: only one of the two classes is there, or ``groups.csv`` leaves out an image.
        InputError: ``groups.csv`` is damaged.
    """
    if not folder.is_dir():
        raise InputNotFoundError(f"There is no folder {folder}.", "Check the path of the data set.")
    classes = find_class_folders(folder)
    folder = next(iter(classes)).parent
    groups = _groups(folder / "groups.csv")
    whole = CellSet(())
    for path, is_all in classes.items():
        label: Label = ALL if is_all else NON_ALL
        images = list_images(path, recursive=True)

        def read(image: Path, label: Label = label, class_folder: Path = path) -> Iterator[Sample]:
            group = _group(image, folder, class_folder, groups)
            found = single_cell(
                image,
                name=image.relative_to(folder).with_suffix("").as_posix(),
                source="folders",
                group=group,
                block=group,
                label=label,
                kind=class_folder.name,
            )
            if found is not None:
                yield found

        whole += collect(images, read)
    return whole


def _groups(table: Path) -> dict[str, str] | None:
    if not table.is_file():
        return None
    return {row["image"]: row["group"] for row in read_table(table, ("image", "group"))}


def _group(image: Path, folder: Path, class_folder: Path, groups: dict[str, str] | None) -> str:
    name = image.relative_to(folder).as_posix()
    if groups is not None:
        if name not in groups:
            raise UsageError(f"groups.csv has no line for {name}.", "Give every image the group of its patient.")
        return f"folders/{groups[name]}"
    inside = image.relative_to(class_folder)
    return f"folders/{inside.parts[0]}" if len(inside.parts) > 1 else f"folders/{class_folder.name}/{inside.stem}"

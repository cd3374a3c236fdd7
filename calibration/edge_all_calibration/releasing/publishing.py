"""A package appears under its name whole, or not at all."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_all.errors import OutputError
from edge_all.files.atomic import atomic_folder
from edge_all.model.card import ModelCard, VariantName
from edge_all.model.package import load_package, write_card
from edge_all.model.store import require_free_name, require_installable_name
from edge_all.segmentation.outline_network import described_outlines, open_outlines

__all__ = ["EMBEDDED_LIMIT", "PackageName", "Publication", "copy_outlines", "embed_package", "published_folder"]

EMBEDDED_LIMIT = 25_000_000
"""Bytes of the package inside the installed runtime at most."""


@dataclass(frozen=True, slots=True)
class PackageName:
    """The identity of a package: how it is installed, and what its results say.

    Attributes:
        name, version: as its card has them.
    """

    name: str
    version: str

    @classmethod
    def of(cls, card: ModelCard) -> PackageName:
        """That of a card."""
        return cls(card.name, card.version)

    def on(self, card: ModelCard) -> ModelCard:
        """A card with this identity in place of its own; its network files will bear it, too."""
        if self == PackageName.of(card):
            return card
        return dataclasses.replace(card, name=self.name, version=self.version, networks_from=None)


@dataclass(frozen=True, slots=True)
class Publication:
    """Where a package goes, and under which name.

    Attributes:
        target: its folder.
        named: its identity.
        replace: whether a package at the target may be replaced.
    """

    target: Path
    named: PackageName
    replace: bool = False

    def check_name(self) -> None:
        """Refuse a name under which it could not be installed, before the minutes that making it takes.

        Raises:
            ModelIncompatibleError: there is no installing under this name, or it is that of the embedded model.
        """
        require_installable_name(self.named.name, self.named.version)
        require_free_name(self.named.name)

    def folder(self) -> AbstractContextManager[Path]:
        """`published_folder` of the target."""
        return published_folder(self.target, replace=self.replace)


@contextmanager
def published_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """A folder to build a package in, which takes the name ``target`` when the block ends without an error.

    Args:
        target: name of the finished folder.
        replace: whether a folder of this name may be replaced; only a model package is.

    Raises:
        OutputError: the target exists, or cannot be written.
    """
    with atomic_folder(target, lambda: _require_free(target, replace=replace)) as stage:
        yield stage


def copy_outlines(source: Path, folder: Path) -> dict[str, Any]:
    """Copy a network of outlines into a package that is being made.

    Args:
        source: folder of a run of ``edge-all train-outlines``, or of a package that has one.
        folder: of the package.

    Returns:
        What the package's card is to say of it (`ModelCard.outlines`).

    Raises:
        ModelError: there is none, or it is not the one that its card describes.
    """
    described = described_outlines(source)
    file = open_outlines(source).file
    shutil.copyfile(source / file, folder / file)
    return described


def embed_package(
    package: Path,
    target: Path,
    variant: VariantName = "int8",
    *,
    outlines: Path | None = None,
    replace: bool = False,
) -> None:
    """Copy a package with one variant only, small enough to travel inside the runtime.

    Args:
        package: a finished package.
        target: folder of the copy.
        variant: the one to keep; the card keeps its gate report.
        outlines: as `source` of `copy_outlines`, for another network of outlines than the package's own.
        replace: whether a package at the target may be replaced.

    Raises:
        ModelError: the package is not sound, or has no such variant.
        OutputError: the target exists or cannot be written, or the package is too large.
    """
    source = load_package(package)
    kept = source.variant(variant)
    with published_folder(target, replace=replace) as stage:
        shutil.copyfile(source.variant_file(variant), stage / kept.file)
        for file in source.files_beside_networks:
            shutil.copyfile(file, stage / file.name)
        card = dataclasses.replace(source.card, variants={variant: kept})
        if outlines is not None:
            card = dataclasses.replace(card, outlines=copy_outlines(outlines, stage))
        write_card(stage, card)
        load_package(stage)
        size = sum(file.stat().st_size for file in stage.iterdir())
        if size > EMBEDDED_LIMIT:
            raise OutputError(
                f"The package has {size / 1e6:.1f} MB; inside edge-all travel at most {EMBEDDED_LIMIT / 1e6:.0f} MB.",
                "Use a smaller network.",
            )


def _require_free(target: Path, *, replace: bool) -> None:
    if not target.exists():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    if not replace:
        raise OutputError(f"{target} exists already.", "Name another folder, or pass --replace.")
    if not (target / "card.json").is_file():
        raise OutputError(f"{target} is no model package and will not be replaced.", "Name another folder.")

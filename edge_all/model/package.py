"""A model package on disk: read it, and trust it only when every byte is the one that the card describes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, ModelNotFoundError
from edge_all.files.atomic import clear_old_parts, write_atomically
from edge_all.model.card import FILE_BLOCKS, ModelCard, Variant, VariantName

__all__ = [
    "CARD_FILE",
    "CARD_LIMIT",
    "ModelPackage",
    "card_files",
    "default_package_path",
    "load_package",
    "read_card",
    "sha256_of",
    "verify_files",
    "write_card",
]

CARD_FILE = "card.json"
CARD_LIMIT = 4 * 1024 * 1024
"""Bytes; a card is a few tens of kilobytes, anything near this is not one."""

_CHECKSUM = "card_sha256"
"""Key of the card's checksum of itself: all else in a package has its hash in the card. Every schema keeps it, so that
a damaged byte in the schema's number can be told from a newer edge-all."""

_digests: dict[tuple[str, int, int, int], str] = {}
"""SHA-256 by file identity: a run opens the same package several times, and a hash costs 1 ms a megabyte."""


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A verified model package.

    Attributes:
        path: its folder.
        card: what it says about itself.
        card_sha256: of what the card's file says, by which results name it and makers sign it.
    """

    path: Path
    card: ModelCard
    card_sha256: str

    def variant(self, name: VariantName) -> Variant:
        """The card's block on one precision.

        Raises:
            ModelNotFoundError: the package has no such variant.
        """
        try:
            return self.card.variants[name]
        except KeyError:
            raise ModelNotFoundError(
                f"Model package {self.path} has no {name} variant.",
                f"It has: {', '.join(self.card.variants) or 'none'}.",
            ) from None

    def variant_file(self, name: VariantName) -> Path:
        """The network file of one precision.

        Raises:
            ModelNotFoundError: the package has no such variant.
        """
        return self.path / self.variant(name).file

    @property
    def feature_statistics_file(self) -> Path | None:
        """The npz file with ``mean`` and ``precision`` of the training cells' features; None where there is none."""
        statistics = self.card.feature_statistics
        return None if statistics is None else self.path / statistics["file"]

    @property
    def appearance_file(self) -> Path | None:
        """The npz file with what the known laboratories look like; None where there is none."""
        return None if self.card.appearance is None else self.path / self.card.appearance["file"]

    @property
    def outlines_folder(self) -> Path:
        """Whose network says where cells end: the package's own folder, or the embedded package's where it has none."""
        return default_package_path() if self.card.outlines is None else self.path

    @property
    def files_beside_networks(self) -> tuple[Path, ...]:
        """The files that the card names apart from those of its variants."""
        blocks = (getattr(self.card, name) for name in FILE_BLOCKS)
        return tuple(self.path / block["file"] for block in blocks if block is not None)


def default_package_path() -> Path:
    """The package that is embedded in edge-all."""
    return Path(__file__).resolve().parent.parent / "models" / "default"


def load_package(path: Path) -> ModelPackage:
    """Read a package and verify its schema, its preprocessing and the hash of every file that the card names.

    Args:
        path: folder of the package.

    Raises:
        ModelNotFoundError: no such folder, or no card in it.
        ModelIntegrityError: the card is damaged, or a file is missing or changed.
        ModelIncompatibleError: a newer schema, or preprocessing that this runtime does not do.
    """
    package = ModelPackage(Path(path), *_read_card(Path(path)))
    verify_files(package)
    return package


def read_card(path: Path) -> ModelCard:
    """Read the card of a package and verify it; the other files are not looked at.

    Args:
        path: folder of the package.

    Raises:
        ModelNotFoundError: no such folder, or no card in it.
        ModelIntegrityError: the card is damaged.
        ModelIncompatibleError: a newer schema, or preprocessing that this runtime does not do.
    """
    return _read_card(path)[0]


def _read_card(path: Path) -> tuple[ModelCard, str]:
    """The card, and its checksum of itself, which was found right."""
    card_file = path / CARD_FILE
    if not card_file.is_file() and path == default_package_path():
        raise ModelNotFoundError(
            f"This installation of edge-all has no embedded model ({path} is empty).",
            "Install edge-all again, or name another package.",
            settings=("model",),
        )
    if not card_file.is_file():
        raise ModelNotFoundError(
            f"There is no model package at {path} (no {CARD_FILE}).",
            "Give the folder of a package, or see `edge-all model list` for those installed.",
        )
    try:
        if card_file.stat().st_size > CARD_LIMIT:
            raise ModelIntegrityError(
                f"{card_file} is larger than {CARD_LIMIT // 1024**2} MB.", "Install the package again."
            )
        record = json.loads(card_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelNotFoundError(
            f"Cannot read {card_file} ({error.strerror}).", "Check the permissions of the package's folder."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelIntegrityError(f"{card_file} is damaged ({error}).", "Install the package again.") from error
    if not isinstance(record, dict):
        raise ModelIntegrityError(f"{card_file} holds no model card.", "Install the package again.")
    changed = ModelIntegrityError(
        f"{card_file} was changed after it was written.",
        "A wrong threshold decides wrongly without a sign: install the package again.",
    )
    # Before the schema is believed. A card of another schema without a checksum is left to that schema.
    if _CHECKSUM in record and record[_CHECKSUM] != _card_checksum(record):
        raise changed
    card = ModelCard.from_json(record)
    if _CHECKSUM not in record:
        raise changed
    return card, record[_CHECKSUM]


def _card_checksum(record: dict[str, Any]) -> str:
    """SHA-256 of what a card says, whatever its line ends and indents."""
    content = {key: value for key, value in record.items() if key != _CHECKSUM}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def card_files(card: ModelCard) -> dict[str, str]:
    """SHA-256 by name of every file that a card answers for.

    Raises:
        ModelIntegrityError: a name that is not a plain file name inside the package.
    """
    pairs = [(variant.file, variant.sha256) for variant in card.variants.values()]
    for block in FILE_BLOCKS:
        named = getattr(card, block)
        if named is None:
            continue
        try:
            pairs.append((named["file"], named["sha256"]))
        except (KeyError, TypeError) as error:
            raise ModelIntegrityError(f"The card's block {block} is damaged.", "Install the package again.") from error
    for name, _ in pairs:
        if not _is_plain_name(name):
            raise ModelIntegrityError(
                f"The card names {name!r}, which is not a file of the package.", "Do not use this package."
            )
    return dict(pairs)


def _is_plain_name(name: object) -> bool:
    """Whether a card's file name stays inside its folder on every operating system."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..", CARD_FILE)
        and name.isprintable()
        and PurePosixPath(name).name == name
        and PureWindowsPath(name).name == name
    )


def verify_files(package: ModelPackage) -> None:
    """Compare every file that the card names with its hash.

    Raises:
        ModelIntegrityError: a file is missing, unreadable or changed.
        ModelIncompatibleError: the card names no network, or a precision that this runtime does not know.
    """
    if not package.card.variants:
        raise ModelIncompatibleError(f"Model package {package.path} holds no network.", "Export the model again.")
    for name, expected in card_files(package.card).items():
        file = package.path / name
        if not file.is_file():
            raise ModelIntegrityError(
                f"Model package {package.path} lacks {name}, which its card names.", "Install the package again."
            )
        try:
            actual = sha256_of(file)
        except OSError as error:
            raise ModelIntegrityError(
                f"Cannot read {file} ({error.strerror}).", "Check the permissions of the package's folder."
            ) from error
        if actual != expected:
            raise ModelIntegrityError(
                f"{file} is not the file that the card describes (its SHA-256 begins with {actual[:12]}, the "
                f"card's with {str(expected)[:12]}).",
                "Do not use it; install the package again from where you trust it.",
            )


def sha256_of(file: Path) -> str:
    """SHA-256 of a file as hexadecimal text, remembered within this process while the file stays as it is."""
    status = file.stat()
    identity = (str(file.absolute()), status.st_mtime_ns, status.st_size, status.st_ino)
    if identity not in _digests:
        with file.open("rb") as stream:
            _digests[identity] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _digests[identity]


def write_card(folder: Path, card: ModelCard) -> Path:
    """Write ``card.json`` atomically: a reader sees the old card or the new one, never a half.

    Returns:
        The path of the card.

    Raises:
        OutputError: the folder cannot be written.
    """
    target = folder / CARD_FILE
    record = json.loads(json.dumps(card.to_json(), allow_nan=False))
    record[_CHECKSUM] = _card_checksum(record)
    clear_old_parts(folder)
    write_atomically(target, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
    return target

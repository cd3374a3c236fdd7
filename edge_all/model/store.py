"""Where installed model packages live, and how one gets there.

The embedded package is part of edge-all. Others are installed from a folder, an archive or, only when the user names
one, an https address; each is verified in a staging folder first and then moved to its final name in one step, so that
no half package is ever found there, nor none where there was one: a replacement that was killed is finished by
whoever looks next. Nothing that is installed is overwritten, unless it fails verification: such a copy
is of no use to anyone, and is removed once its successor is complete and verified; if anything lies in it that is no
file of the package, it goes aside whole.

Layout: ``<data folder of the user>/edge-all/models/<name>/<version>/card.json``, and what went aside in
``<data folder of the user>/edge-all/damaged-models/<name>-<version>``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import (
    ModelError,
    ModelIncompatibleError,
    ModelIntegrityError,
    ModelNotFoundError,
    OutputError,
    UsageError,
)
from edge_all.files.atomic import write_atomically
from edge_all.model.card import ModelCard
from edge_all.model.package import (
    CARD_FILE,
    ModelPackage,
    card_files,
    default_package_path,
    load_package,
    read_card,
    sha256_of,
)
from edge_all.model.replacing import finish_replacements, replace, staging_folder, store_alone
from edge_all.model.signing import SIGNATURE_FILE
from edge_all.model.trust import require_accepted, signature_state
from edge_all.model.user_folder import user_folder

__all__ = [
    "StoredPackage",
    "find_package",
    "install",
    "list_packages",
    "require_free_name",
    "require_installable_name",
    "store_path",
    "unpacked_package",
]

EMBEDDED = "default"
"""The name under which the embedded package is always found, whatever its card calls it."""
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """One package that `find_package` can find.

    Attributes:
        path: its folder.
        name: of the package; of its folder where the card cannot be read.
        version: likewise; None for an embedded package whose card cannot be read.
        embedded: part of edge-all, not installed by the user.
        package: what it is; None where it cannot be used.
        problem: why it cannot be used; None where it can.
    """

    path: Path
    name: str
    version: str | None
    embedded: bool
    package: ModelPackage | None
    problem: str | None


def store_path() -> Path:
    """The folder of the user's own packages; it need not exist."""
    return user_folder() / "models"


def list_packages() -> tuple[StoredPackage, ...]:
    """The embedded package and the user's own, each verified."""
    finish_replacements(store_path())
    folders = [(default_package_path(), True)]
    # Also a folder that has lost its card: else nobody would learn that a package is gone.
    folders += [(folder, False) for folder in sorted(store_path().glob("[!.]*/[!.]*")) if folder.is_dir()]
    return tuple(_describe(folder, embedded) for folder, embedded in folders)


def _describe(folder: Path, embedded: bool) -> StoredPackage:
    try:
        package = load_package(folder)
    except ModelError as error:
        name, version = (EMBEDDED, None) if embedded else (folder.parent.name, folder.name)
        return StoredPackage(folder, name, version, embedded, None, str(error))
    return StoredPackage(folder, package.card.name, package.card.version, embedded, package, None)


def find_package(model: str | None = None) -> ModelPackage:
    """A verified package from what a user types.

    Args:
        model: the folder of a package; or ``name`` (its newest installed version) or ``name@version``; or ``default``
            or None for the embedded one, which also answers to its own name.

    Raises:
        ModelNotFoundError: there is none.
        ModelIntegrityError, ModelIncompatibleError: there is one, and it cannot be trusted or used.
    """
    if model is None or model == EMBEDDED:
        return load_package(default_package_path())
    folder = Path(model)
    with contextlib.suppress(RuntimeError):  # no home that ~ could stand for
        folder = folder.expanduser()
    if folder.is_dir():
        return load_package(folder)
    name, _, version = model.partition("@")
    embedded = _embedded_card()
    if embedded is not None and name == embedded.name and version in ("", embedded.version):
        return load_package(default_package_path())
    finish_replacements(store_path())
    if _SAFE_NAME.fullmatch(name):
        versions = sorted(
            (card.parent for card in (store_path() / name).glob(f"[!.]*/{CARD_FILE}")),
            key=lambda folder: _version_order(folder.name),
        )
        wanted = [folder for folder in versions if version in ("", folder.name)]
        if wanted:
            return load_package(wanted[-1])
    if folder.is_file():
        raise ModelNotFoundError(
            f"{model} is a file; a model is the folder of a package or the name of an installed one.",
            f"Install an archive first: edge-all model install {model}",
        )
    raise ModelNotFoundError(
        f"There is no model {model!r}: neither a folder nor the name of an installed package.",
        "`edge-all model list` shows those installed; `edge-all model install` adds one.",
    )


@contextlib.contextmanager
def unpacked_package(archive: Path) -> Iterator[ModelPackage]:
    """The verified package in an archive, read as `install` reads it, for as long as the block lasts.

    Args:
        archive: made by `edge_all.model.archive.pack`, or a zip archive of a package's folder.

    Raises:
        ModelIntegrityError, ModelIncompatibleError, ModelNotFoundError: as `install` raises them.
        OutputError: there is no room to unpack it.
    """
    with _written(Path(tempfile.gettempdir())), staging_folder(Path(tempfile.gettempdir())) as staging:
        yield load_package(_unpacked(archive, Path(staging), None))


def _embedded_card() -> ModelCard | None:
    """What the embedded package says about itself; None where it cannot be read, which other packages can live with."""
    try:
        return read_card(default_package_path())
    except ModelError:
        return None


def _version_order(version: str) -> list[tuple[int, int, str]]:
    """Numbers in a version count as numbers: 1.10 is newer than 1.9, and 1.0 newer than 1.0rc1."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return [(1, int(part), "") if part.isdigit() else (-1, 0, part) for part in parts] + [(0, 0, "")]


def install(
    source: str,
    check: Callable[[ModelPackage], object],
    *,
    sha256: str | None = None,
    on_aside: Callable[[Path], object] = lambda _: None,
) -> ModelPackage:
    """Verify a package and put it into the user's store.

    Args:
        source: the folder of a package, an archive made by `pack`, or an https address of one.
        check: called with the verified package before it gets its final name; raises where the networks themselves are
            not what they should be (`edge_all.classification.verification.check_networks`).
        sha256: of the archive; required for an address.
        on_aside: told the new folder of a damaged copy that held files of someone else.

    Returns:
        The installed package. One that is installed already, byte for byte, is returned as it is; one that fails
            verification is replaced.

    Raises:
        ModelIntegrityError: a changed byte, a missing file, a damaged archive or one whose paths climb out of it.
        ModelIncompatibleError: a newer schema, other preprocessing, a foreign network, or the embedded package's name.
        ModelNotFoundError: nothing there, or the download failed.
        ModelUntrustedError: this station accepts signed packages only.
        OutputError: another install is under way, or the store cannot be written, or holds another package of the same
            name and version, or one that this runtime cannot read because it is newer.
        UsageError: an address that is not https or has no hash.
    """
    with _written(store_path()), store_alone(store_path()), staging_folder(store_path()) as folder_of_staging:
        staging = Path(folder_of_staging)
        package = load_package(_fetched(source, staging, sha256))
        name, version = package.card.name, package.card.version
        require_installable_name(name, version)
        require_free_name(name)
        _require_signature(package)
        target = store_path() / name / version
        if target.exists() and (installed := _already_there(package, target)) is not None:
            return installed
        copy = staging / "package"
        _copy(package, copy)
        staged = load_package(copy)
        _require_signature(staged)  # again: the files may have been swapped while they were copied
        check(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        _put_in_place(copy, target, staging, on_aside)
    return ModelPackage(target, staged.card, staged.card_sha256)


def _fetched(source: str, staging: Path, sha256: str | None) -> Path:
    """The folder of a package that is a folder, an archive, or lies at an address.

    Raises:
        ModelIntegrityError: an archive is damaged, or has another hash.
        ModelNotFoundError: nothing there, or the download failed.
        UsageError: an address that is not https or has no hash, or a folder with one.
    """
    if "://" in source:
        # Here, because Python's HTTP and TLS take 7 ms to load, and a screening never asks for them.
        from edge_all.model.archive import download, require_https

        require_https(source)
        if sha256 is None:
            raise UsageError(
                f"{source} is fetched from a network, and no hash was given to know it by.",
                "Give the hash that its maker published (`edge-all model pack` prints it).",
                settings=("sha256",),
            )
        archive = staging / "download.zip"
        download(source, archive)
        return _unpacked(archive, staging, sha256)
    if Path(source).is_dir():
        if sha256 is not None:
            raise UsageError(
                f"The hash is that of an archive, and a folder was given: {source}.",
                "Leave it out.",
                settings=("sha256",),
            )
        return Path(source)
    if Path(source).is_file():
        return _unpacked(Path(source), staging, sha256)
    raise ModelNotFoundError(
        f"There is no file or folder {source}.",
        "Check the spelling; relative paths start in the current folder.",
    )


def _put_in_place(copy: Path, target: Path, staging: Path, on_aside: Callable[[Path], object]) -> None:
    """Give a verified copy its final name; what lies there is damaged, and set aside where it holds others' files."""
    if not target.exists():
        copy.rename(target)
    elif _holds_only(target, {file.name for file in copy.iterdir()}):
        replace(copy, target, staging / "damaged", staging)
    else:
        aside = _free_place(target.parent.name, target.name)
        replace(copy, target, aside, staging)
        on_aside(aside)


def _require_signature(package: ModelPackage) -> None:
    """Refuse a card that is not the one that was signed, and what a station that asks for signatures does not accept.

    Raises:
        ModelIntegrityError: it is not the one that was signed, whether the station asks for signatures or not.
        ModelUntrustedError: it is not accepted.
    """
    require_accepted(package)
    state = signature_state(package)
    if state.status == "changed":
        raise ModelIntegrityError(
            f"Model package {package.path} is {state.words}.", "Do not use it; fetch it again from its maker."
        )


def require_installable_name(name: str, version: str) -> None:
    """Refuse a name and version under which no package can be installed: both become names of folders.

    Whoever makes a package asks this before the minutes that it takes, and `install` asks it again.

    Raises:
        ModelIncompatibleError: other letters than are safe everywhere, or the word for the embedded package.
    """
    if not (_SAFE_NAME.fullmatch(name) and _SAFE_NAME.fullmatch(version)) or name == EMBEDDED:
        raise ModelIncompatibleError(
            f"No package can be installed as {name!r}, version {version!r}.",
            "Make it under another (`edge-all export`, `calibrate` and `wrap` take both): letters, digits and . _ + - "
            "only, a letter or digit first, 64 at most; 'default' is the embedded package.",
        )


def require_free_name(name: str) -> None:
    """Refuse the name of the embedded package: results that carry it could be of either.

    Raises:
        ModelIncompatibleError: it is that name.
    """
    embedded = _embedded_card()
    if embedded is not None and name == embedded.name:
        raise ModelIncompatibleError(
            f"{name!r} is the name of the package embedded in edge-all; no other can be installed under it: results "
            "could be of either.",
            "Make it under another name: `edge-all export`, `calibrate` and `wrap` take one.",
        )


@contextlib.contextmanager
def _written(place: Path) -> Iterator[None]:
    """Failures to write into a folder become OutputError."""
    try:
        yield
    except OSError as error:
        what = "the model store " if place == store_path() else ""
        raise OutputError(
            f"Cannot write to {what}{place} ({error.strerror or error}).",
            "Check its permissions and the free disk space.",
        ) from error


def _unpacked(archive: Path, staging: Path, sha256: str | None) -> Path:
    if not os.access(archive, os.R_OK):
        raise ModelNotFoundError(f"Cannot read {archive}.", "Check its permissions.")
    if sha256 is not None and sha256_of(archive) != sha256.lower():
        raise ModelIntegrityError(
            f"The archive has SHA-256 {sha256_of(archive)}, and {sha256.lower()} was expected.",
            "Fetch it again; if the hash stays wrong, do not use it.",
        )
    from edge_all.model.archive import unpack

    folder = staging / "unpacked"
    unpack(archive, folder)
    return folder


def _copy(package: ModelPackage, target: Path) -> None:
    """Copy the card and what it names, and nothing else."""
    target.mkdir()
    for name in (CARD_FILE, *card_files(package.card)):
        shutil.copyfile(package.path / name, target / name)
    if (package.path / SIGNATURE_FILE).is_file():
        shutil.copyfile(package.path / SIGNATURE_FILE, target / SIGNATURE_FILE)


def _holds_only(folder: Path, names: Collection[str]) -> bool:
    """Whether nothing lies there that is no file of these names: only then is it the package's alone."""
    return folder.is_dir() and all(entry.name in names and entry.is_file() for entry in folder.iterdir())


def _free_place(name: str, version: str) -> Path:
    """A path beside the store that nothing has yet; in the store it would be taken for a package."""
    damaged = store_path().with_name("damaged-models")
    damaged.mkdir(parents=True, exist_ok=True)
    numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    return next(place for number in numbers if not (place := damaged / f"{name}-{version}{number}").exists())


def _already_there(package: ModelPackage, target: Path) -> ModelPackage | None:
    """The package installed at the target if it is this one; None where what is there fails verification.

    Raises:
        OutputError: it is another package, or one of a newer edge-all.
    """
    try:
        installed = load_package(target)
    except ModelIncompatibleError as error:
        raise OutputError(
            f"{package.card.name} {package.card.version} is installed already at {target}, and cannot be used here "
            f"({error.problem})",
            "Give the new package another version, or remove that folder first.",
        ) from error
    except ModelError:
        return None
    if installed.card != package.card:
        raise OutputError(
            f"{package.card.name} {package.card.version} is installed already at {target}, and is another package.",
            "Give the new package another version, or remove that folder first.",
        )
    _take_signature(package, target)
    return installed


def _take_signature(package: ModelPackage, target: Path) -> None:
    """Bring the signature of the same package along, which it may have got since it was installed."""
    source = package.path / SIGNATURE_FILE
    if source.is_file():
        write_atomically(target / SIGNATURE_FILE, source.read_bytes())

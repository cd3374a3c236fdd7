"""A model package as one file: a zip archive with a list of checksums.

An archive comes from somewhere else, so nothing in it is believed: names, sizes and kinds of entries are checked before
a byte is written, and bytes are counted while they are.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import ssl
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, Any

from edge_all.errors import ModelIntegrityError, ModelNotFoundError, OutputError, UsageError
from edge_all.files.atomic import atomic_path, clear_old_parts
from edge_all.model.package import CARD_FILE, ModelPackage, card_files, sha256_of
from edge_all.model.signing import SIGNATURE_FILE
from edge_all.time_limit import within_time

__all__ = ["CHECKSUM_FILE", "download", "pack", "require_https", "unpack"]

CHECKSUM_FILE = "SHA256SUMS"
"""In the form of the tool sha256sum, which can check it too."""
_SEAL = b"edge-all archive, SHA-256 of all bytes before this number: "
"""Begins the comment at the end of an archive: zip leaves bytes (dates, spare fields) that no checksum covers."""
_DIGEST_LENGTH = 64
SIZE_LIMIT = 1024**3
"""Bytes of an archive, packed and unpacked. InceptionV3 in all three variants takes 160 MB."""
ENTRY_LIMIT = 64
_CHUNK = 1024 * 1024
_TIMEOUT_SECONDS = 30
"""For each answer of the server ..."""
_LONGEST_DOWNLOAD_SECONDS = 3600
"""... and for the whole: a server that sends a byte now and then would never be given up."""
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def pack(package: ModelPackage, archive: Path) -> str:
    """Write a package as one archive, the same bytes every time.

    Args:
        package: a verified package.
        archive: file to write; must not exist.

    Returns:
        SHA-256 of the archive.

    Raises:
        OutputError: the file exists or cannot be written.
    """
    if archive.exists():
        raise OutputError(f"{archive} exists already.", "Give another name, or remove it first.")
    files = {CARD_FILE: sha256_of(package.path / CARD_FILE)}
    files |= card_files(package.card)
    if (package.path / SIGNATURE_FILE).is_file():
        files[SIGNATURE_FILE] = sha256_of(package.path / SIGNATURE_FILE)
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    clear_old_parts(archive.parent)
    with atomic_path(archive) as unfinished:
        with zipfile.ZipFile(unfinished, "w") as packed:
            packed.writestr(_entry(CHECKSUM_FILE), sums)
            for name in sorted(files):
                with (
                    (package.path / name).open("rb") as source,
                    packed.open(_entry(name), "w", force_zip64=True) as target,
                ):
                    shutil.copyfileobj(source, target, _CHUNK)
            packed.comment = _SEAL + b"0" * _DIGEST_LENGTH
        _write_seal(unfinished)
    return sha256_of(archive)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIXED_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry


def _seal(archive: Path) -> bytes:
    """SHA-256, as hexadecimal text, of an archive without the digest at its end."""
    digest = hashlib.sha256()
    left = archive.stat().st_size - _DIGEST_LENGTH
    with archive.open("rb") as stream:
        while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest().encode()


def _write_seal(archive: Path) -> None:
    seal = _seal(archive)
    with archive.open("r+b") as stream:
        stream.seek(-_DIGEST_LENGTH, os.SEEK_END)
        stream.write(seal)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into a new folder, the files of the package directly in it.

    A single folder around the files, as file managers make it, is taken off. An archive made by `pack` must be the same
    to the byte; what the card names is checked by `edge_all.model.package.load_package` afterwards.

    Raises:
        ModelIntegrityError: no zip archive, a damaged one, one whose paths climb out of it, links, encryption, too many
            or too large entries, a wrong checksum.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            names = _checked_names(archive, entries)
            comment = packed.comment
            folder.mkdir()
            left = SIZE_LIMIT
            for entry, name in zip(entries, names, strict=True):
                left -= _extract(packed, entry, folder / name, left)
    except OSError as error:
        # A damaged offset makes zipfile look before the beginning of the file.
        if error.errno != errno.EINVAL:
            raise
        raise ModelIntegrityError(f"{archive} is not an intact zip archive.", "Fetch or copy it again.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ModelIntegrityError(
            f"{archive} is not an intact zip archive ({error}).", "Fetch or copy it again."
        ) from error
    if (folder / CHECKSUM_FILE).is_file():
        _check_sums(archive, folder)
        if comment != _SEAL + _seal(archive):
            raise ModelIntegrityError(f"{archive} was changed after it was packed.", "Fetch or copy it again.")


def _checked_names(archive: Path, entries: list[zipfile.ZipInfo]) -> list[str]:
    """The plain file name of every entry.

    Raises:
        ModelIntegrityError: an entry that no honest archive has.
    """

    def refuse(what: str) -> ModelIntegrityError:
        return ModelIntegrityError(f"{archive} {what}.", "Do not use it.")

    if len(entries) > ENTRY_LIMIT:
        raise refuse(f"holds {len(entries)} files, more than {ENTRY_LIMIT}")
    paths = []
    for entry in entries:
        path = PurePosixPath(entry.filename)
        # zipfile itself turns the separator of Windows into a slash there only, so it is refused everywhere.
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
            raise refuse(f"holds a path that climbs out of it: {entry.filename!r}")
        if not entry.filename.isprintable() or not path.parts:
            raise refuse(f"holds a file without a proper name: {entry.filename!r}")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise refuse(f"holds a link or a device: {entry.filename!r}")
        if entry.flag_bits & 1:
            raise refuse(f"is encrypted: {entry.filename!r}")
        paths.append(path)
    folders = {path.parent for path in paths}
    if len(folders) > 1 or any(len(parent.parts) > 1 for parent in folders):
        raise refuse("is not the archive of one model package: its files lie in several folders")
    names = [path.name for path in paths]
    if len({name.casefold() for name in names}) != len(names):
        raise refuse("holds two files of the same name")
    return names


def _extract(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Write one entry and return its size in bytes, whatever its header claims."""
    written = 0
    with packed.open(entry) as source, target.open("wb") as stream:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > limit:
                raise ModelIntegrityError(
                    f"The archive unpacks to more than {SIZE_LIMIT // 1024**2} MB.", "It is no model package."
                )
            stream.write(chunk)
    return written


def _check_sums(archive: Path, folder: Path) -> None:
    sums = folder / CHECKSUM_FILE
    try:
        lines = [line.split("  ", 1) for line in sums.read_text("utf-8").splitlines()]
        listed = {name: digest for digest, name in lines}
    except ValueError as error:
        raise ModelIntegrityError(f"{CHECKSUM_FILE} in {archive} is damaged.", "Fetch or copy it again.") from error
    for name, expected in listed.items():
        file = folder / PurePosixPath(name).name
        if not file.is_file() or sha256_of(file) != expected:
            raise ModelIntegrityError(
                f"{name} in {archive} is missing or was changed after it was packed.", "Fetch or copy it again."
            )


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to another https address and to nothing else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,  # noqa: ANN401  as the base class has it
        newurl: str,
    ) -> urllib.request.Request | None:
        require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def require_https(address: str) -> None:
    """Refuse any other address.

    Raises:
        UsageError: it is not an https address.
    """
    if urllib.parse.urlsplit(address).scheme.lower() != "https":
        raise UsageError(f"{address} is not an https address.", "Only https is fetched; or download the file yourself.")


def _require_time(ends: float) -> None:
    if time.monotonic() > ends:
        raise TimeoutError(f"it took longer than {_LONGEST_DOWNLOAD_SECONDS // 60} minutes")


def _fetch(address: str, target: Path, ends: float) -> None:
    written = 0
    opener = urllib.request.build_opener(_HttpsOnly())
    with opener.open(address, timeout=_TIMEOUT_SECONDS) as response, target.open("wb") as stream:
        # read1: what has come, and not until a whole chunk has come together.
        while chunk := response.read1(_CHUNK):
            _require_time(ends)
            written += len(chunk)
            if written > SIZE_LIMIT:
                raise ModelIntegrityError(
                    f"{address} is larger than {SIZE_LIMIT // 1024**2} MB.", "It is no model package."
                )
            stream.write(chunk)


def download(address: str, target: Path) -> None:
    """Fetch an archive; the only place where edge-all ever opens a connection, and only for an address typed by a user.

    Raises:
        UsageError: not an https address, or redirected away from https.
        ModelNotFoundError: it cannot be fetched.
        ModelIntegrityError: it is larger than `SIZE_LIMIT`.
    """
    require_https(address)
    ends = time.monotonic() + _LONGEST_DOWNLOAD_SECONDS
    try:
        # Around the whole, because a server can drip the lines before the content, too.
        within_time(_LONGEST_DOWNLOAD_SECONDS + 1, lambda: _fetch(address, target, ends))
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError, ValueError) as error:
        raise ModelNotFoundError(
            f"Cannot fetch {address} ({error}).", "Check the address and the connection, or copy the file by hand."
        ) from error

"""Signatures of model packages: Ed25519 (RFC 8032), by the library `cryptography`.

What is signed is the hash of the card, and the card names every other file with its SHA-256: a signature answers for
the whole package. It lies beside the card in ``card.sig``, so that signing changes no byte of what was tested. Keys are
PEM files as OpenSSL writes and reads them, too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_all.errors import (
    InputNotFoundError,
    MissingPackageError,
    ModelIntegrityError,
    OutputError,
    UsageError,
)
from edge_all.files.atomic import output_error, write_atomically
from edge_all.model.package import ModelPackage
from edge_all.wording.extras import install_words

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = [
    "SIGNATURE_FILE",
    "SignatureBlock",
    "can_check_signatures",
    "fingerprint",
    "new_key",
    "public_pem",
    "read_public_key",
    "read_signature",
    "sign",
    "signature_holds",
]

SIGNATURE_FILE = "card.sig"
_ALGORITHM = "Ed25519"
_PURPOSE = b"edge-all model card, SHA-256: "
"""Goes before the hash that is signed: a signature made for something else can never be one of a package."""
_SIZE_LIMIT = 64 * 1024
"""Bytes of a key or a signature; both have a few hundred."""


@dataclass(frozen=True, slots=True)
class SignatureBlock:
    """What ``card.sig`` holds.

    Attributes:
        public_key: the 32 bytes of the signer's public key.
        signature: 64 bytes.
    """

    public_key: bytes
    signature: bytes


def can_check_signatures() -> bool:
    """Whether the library is installed."""
    return importlib.util.find_spec("cryptography") is not None


def _require_library() -> None:
    if not can_check_signatures():
        raise MissingPackageError(
            "Signatures need the Python package cryptography, which is not installed.",
            f"Install edge-all with its extra, {install_words('signing')}.",
        )


def fingerprint(public_key: bytes) -> str:
    """By which people compare a key: the first 32 digits of its SHA-256, in groups of four."""
    digits = hashlib.sha256(public_key).hexdigest()[:32]
    return "-".join(digits[start : start + 4] for start in range(0, 32, 4))


def new_key(file: Path) -> tuple[Path, str]:
    """Make a key pair: the private key in a file that only its owner can read, the public one beside it.

    Args:
        file: for the private key; neither it nor its public file may exist.

    Returns:
        The public key's file (``NAME.pub.pem`` for ``NAME.pem``), and its fingerprint.

    Raises:
        MissingPackageError: the library is not installed.
        OutputError: a file exists or cannot be written.
    """
    _require_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_file = file.with_name(f"{file.name.removesuffix('.pem')}.pub.pem")
    for one in (file, public_file):
        if one.exists():
            raise OutputError(f"{one} exists already.", "Give another name: a key that is lost cannot be made again.")
    private = Ed25519PrivateKey.generate()
    content = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    except OSError as error:
        raise output_error(file, error) from error
    raw = private.public_key().public_bytes_raw()
    write_atomically(public_file, public_pem(raw))
    return public_file, fingerprint(raw)


def public_pem(public_key: bytes) -> bytes:
    """The PEM form of a public key's 32 bytes."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(public_key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_public_key(file: Path) -> bytes:
    """The 32 bytes of a public key in a PEM file.

    Raises:
        MissingPackageError: the library is not installed.
        InputNotFoundError: the file cannot be read.
        UsageError: it holds no public Ed25519 key.
    """
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    content = _read(file)
    if b"PRIVATE KEY" in content:
        raise UsageError(
            f"{file} holds a private key.", "Give the public one (*.pub.pem); the private one never leaves its maker."
        )
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{file} holds no public {_ALGORITHM} key.", "Give the *.pub.pem that the maker published.")
    return key.public_bytes_raw()


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_SIZE_LIMIT)
    except OSError as error:
        raise InputNotFoundError(
            f"Cannot read {file} ({error.strerror or error}).", "Check the spelling and the file's permissions."
        ) from error


def sign(package: ModelPackage, key: Path) -> str:
    """Write the signature of a package into its folder.

    Args:
        package: a verified package.
        key: PEM file of a private Ed25519 key without a password.

    Returns:
        The fingerprint of the key.

    Raises:
        MissingPackageError: the library is not installed.
        InputNotFoundError, UsageError: there is no such key.
        OutputError: the package is signed already by another key, or its folder cannot be written.
    """
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        private = serialization.load_pem_private_key(_read(key), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(
            f"{key} holds no private {_ALGORITHM} key, or one behind a password.", "`edge-all model key` makes one."
        )
    public = private.public_key().public_bytes_raw()
    target = package.path / SIGNATURE_FILE
    earlier = read_signature(package.path) if target.exists() else None
    if earlier is not None and earlier.public_key != public:
        raise OutputError(
            f"{package.path} is signed already, by key {fingerprint(earlier.public_key)}.",
            f"Remove {SIGNATURE_FILE} first if your signature is to take its place.",
        )
    record = {
        "algorithm": _ALGORITHM,
        "public_key": public.hex(),
        "signature": private.sign(_message(package)).hex(),
    }
    write_atomically(target, (json.dumps(record, indent=2) + "\n").encode())
    return fingerprint(public)


def _message(package: ModelPackage) -> bytes:
    return _PURPOSE + package.card_sha256.encode()


def read_signature(folder: Path) -> SignatureBlock | None:
    """What a package's folder holds as its signature; None where it holds none.

    Raises:
        ModelIntegrityError: the file is damaged.
    """
    file = folder / SIGNATURE_FILE
    try:
        with file.open("rb") as stream:
            record: Any = json.loads(stream.read(_SIZE_LIMIT))
        block = SignatureBlock(bytes.fromhex(record["public_key"]), bytes.fromhex(record["signature"]))
        algorithm = record["algorithm"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelIntegrityError(f"The signature {file} is damaged.", "Install the package again.") from error
    if (algorithm, len(block.public_key), len(block.signature)) != (_ALGORITHM, 32, 64):
        raise ModelIntegrityError(f"The signature {file} is damaged.", "Install the package again.")
    return block


def signature_holds(package: ModelPackage, block: SignatureBlock) -> bool:
    """Whether the signature is of this package's card, made by the key that it names.

    Raises:
        MissingPackageError: the library is not installed.
    """
    _require_library()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key: Ed25519PublicKey = Ed25519PublicKey.from_public_bytes(block.public_key)
        key.verify(block.signature, _message(package))
    except (InvalidSignature, ValueError):
        return False
    return True

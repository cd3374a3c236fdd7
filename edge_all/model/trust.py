"""Which packages a station accepts: the keys that it trusts, and whether it asks for a signature at all.

The package embedded in edge-all counts as trusted with edge-all itself: whoever could change it could change this file,
too. What holds it is how edge-all came onto the station (the hash of its wheel).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_all.errors import ModelIntegrityError, ModelUntrustedError, OutputError
from edge_all.files.atomic import write_atomically
from edge_all.model.package import ModelPackage, default_package_path
from edge_all.model.signing import (
    can_check_signatures,
    fingerprint,
    public_pem,
    read_public_key,
    read_signature,
    signature_holds,
)
from edge_all.model.user_folder import user_folder

__all__ = [
    "SIGNED_ONLY_VARIABLE",
    "TRUSTED_KEYS_VARIABLE",
    "SignatureState",
    "require_accepted",
    "signature_state",
    "signed_only",
    "trust",
    "trusted_keys",
    "trusted_keys_folder",
]

SIGNED_ONLY_VARIABLE = "EDGE_ALL_SIGNED_ONLY"
"""The environment variable that makes a station accept signed packages only."""
TRUSTED_KEYS_VARIABLE = "EDGE_ALL_TRUSTED_KEYS"
"""The environment variable that names another folder of trusted keys, such as one that users cannot write."""

_Status = Literal["embedded", "trusted", "unknown key", "changed", "unsigned", "not checked"]


@dataclass(frozen=True, slots=True)
class SignatureState:
    """What a station makes of a package's signature.

    Attributes:
        status: ``embedded`` (part of edge-all), ``trusted``, signed by an ``unknown key``, ``changed`` since it was
            signed, ``unsigned``, or ``not checked`` because the library is not installed.
        key: fingerprint of the key that it names; None where there is none.
        signer: by which name the station knows that key; None where it does not.
    """

    status: _Status
    key: str | None = None
    signer: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether a station that asks for signatures takes the package."""
        return self.status in ("embedded", "trusted")

    @property
    def words(self) -> str:
        """For tables and messages."""
        return {
            "embedded": "part of edge-all",
            "trusted": f"signed by {self.signer}, key {self.key}",
            "unknown key": f"signed by the unknown key {self.key}",
            "changed": f"NOT what key {self.key} signed",
            "unsigned": "unsigned",
            "not checked": "signed; not checked, because the Python package cryptography is not installed",
        }[self.status]


def signed_only() -> bool:
    """Whether this station is set to accept signed packages only: by any value of the variable but none and 0."""
    return os.environ.get(SIGNED_ONLY_VARIABLE, "").strip() not in ("", "0")


def trusted_keys_folder() -> Path:
    """Where the trusted keys lie; it need not exist."""
    named = os.environ.get(TRUSTED_KEYS_VARIABLE)
    return Path(named) if named else user_folder() / "trusted-keys"


def trusted_keys() -> dict[bytes, str]:
    """The names of the trusted keys by their 32 bytes.

    Raises:
        MissingPackageError: there are some, and the library to read them is not installed.
        UsageError, InputNotFoundError: a file there is no key; nobody may think that it is trusted.
    """
    files = sorted(trusted_keys_folder().glob("[!.]*.pem"))
    return {read_public_key(file): file.name.removesuffix(".pem") for file in files}


def trust(key: Path) -> tuple[str, str]:
    """Trust a key on this station from now on.

    Args:
        key: PEM file of a public key; its name is the one by which the station will know it (``maker.pub.pem``: maker).

    Returns:
        That name, and the key's fingerprint.

    Raises:
        MissingPackageError: the library is not installed.
        InputNotFoundError, UsageError: it is no public Ed25519 key.
        OutputError: another key is trusted under that name, or the folder cannot be written.
    """
    public = read_public_key(key)
    known = trusted_keys()
    if public in known:
        return known[public], fingerprint(public)
    name = key.name.removesuffix(".pem").removesuffix(".pub")
    target = trusted_keys_folder() / f"{name}.pem"
    if target.exists():
        raise OutputError(
            f"Another key is trusted as {name} already.", f"Rename the file {key}, or remove {target} first."
        )
    write_atomically(target, public_pem(public))
    return name, fingerprint(public)


def signature_state(package: ModelPackage) -> SignatureState:
    """What this station makes of a package's signature.

    Args:
        package: a verified package.

    Raises:
        UsageError, InputNotFoundError: a file among the trusted keys is none.
    """
    if package.path == default_package_path():
        return SignatureState("embedded")
    try:
        block = read_signature(package.path)
    except ModelIntegrityError:
        return SignatureState("changed", "unknown")
    if block is None:
        return SignatureState("unsigned")
    key = fingerprint(block.public_key)
    if not can_check_signatures():
        return SignatureState("not checked", key)
    if not signature_holds(package, block):
        return SignatureState("changed", key)
    signer = trusted_keys().get(block.public_key)
    return SignatureState("unknown key" if signer is None else "trusted", key, signer)


def require_accepted(package: ModelPackage) -> None:
    """Refuse a package that this station, set to signed ones only, does not accept.

    Raises:
        ModelUntrustedError: it is unsigned, changed since, signed by a key that is not trusted here, or its signature
            cannot be checked.
    """
    if not signed_only() or (state := signature_state(package)).accepted:
        return
    remedy = {
        "unsigned": "Ask its maker for a signed package (`edge-all model sign`).",
        "unknown key": "If its maker tells you that fingerprint, `edge-all model trust` their public key.",
        "not checked": "Install edge-all with its extra `signing`.",
    }.get(state.status, "Do not use it; install it again from where you trust it.")
    raise ModelUntrustedError(
        f"Model package {package.path} is not accepted: this station takes signed ones only ({SIGNED_ONLY_VARIABLE}), "
        f"and it is {state.words}.",
        remedy,
    )

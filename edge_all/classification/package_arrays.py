"""Arrays of a model package, read once: what is used is what has the card's hash."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import ModelIntegrityError
from edge_all.model.package import ModelPackage, card_files

__all__ = ["read_arrays"]

Made = TypeVar("Made")


def read_arrays(
    package: ModelPackage, file: Path, what: str, make: Callable[[Mapping[str, NDArray[Any]]], Made]
) -> Made:
    """A value made of the arrays in a file of a package.

    Args:
        package: a verified package.
        file: its npz file.
        what: what the file should hold, for the message where it does not.
        make: from the arrays by name to the value; called while the file is open.

    Raises:
        ModelIntegrityError: the file is damaged, was changed since it was verified, or holds something else.
    """
    try:
        with np.load(io.BytesIO(_read_verified(package, file)), allow_pickle=False) as arrays:
            return make(arrays)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelIntegrityError(f"{file} holds no {what} ({error}).", "Install the package again.") from error
    except ModelIntegrityError as error:
        raise ModelIntegrityError(f"{file}: {error.problem}", error.remedy) from error


def _read_verified(package: ModelPackage, file: Path) -> bytes:
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != card_files(package.card)[file.name]:
        raise ModelIntegrityError("It was changed since the package was verified.", "Install the package again.")
    return content

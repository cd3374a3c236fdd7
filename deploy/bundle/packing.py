"""A folder into one file that installs itself: ``python3 FILE``.

It is a zip file with a ``__main__.py``, which every Python runs, and with its own SHA-256 as the last bytes: a change
anywhere in it is seen. The same folder gives the same bytes.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

__all__ = ["pack"]

SEAL = 64
"""Characters of the hash at the end, in the zip file's comment; they count as zeros where it is computed."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, target: Path) -> str:
    """Write the file.

    Args:
        folder: its content.
        target: the file; replaced when it is complete.

    Returns:
        Its SHA-256.
    """
    part = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(part, "w") as file:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
                entry.external_attr = 0o644 << 16
                # Wheels are compressed already.
                entry.compress_type = zipfile.ZIP_STORED if path.suffix == ".whl" else zipfile.ZIP_DEFLATED
                file.writestr(entry, path.read_bytes())
            file.comment = b"0" * SEAL
        with part.open("r+b") as sealed:
            digest = hashlib.file_digest(sealed, "sha256").hexdigest()
            sealed.seek(-SEAL, 2)
            sealed.write(digest.encode("ascii"))
        with part.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return digest

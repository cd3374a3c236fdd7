"""Errors of memory and disk, which every Keras backend words in its own way, in the project's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from edge_all.errors import EdgeAllError, OutputError
from edge_all.wording.foreign_errors import first_line

__all__ = ["told_failures"]

OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "XlaRuntimeError", "JaxRuntimeError")
"""Classes of TensorFlow, PyTorch and JAX; JAX's are raised for other reasons too."""
MEMORY_WORDS = ("out of memory", "oom when", "failed to allocate", "resource_exhausted", "can't allocate")
DISK_WORDS = ("no space left", "disk quota", "file too large")


@contextmanager
def told_failures(folder: object) -> Iterator[None]:
    """Turns an error of memory or disk into one that says what to do; every other passes.

    Args:
        folder: where the run writes, for the message.

    Raises:
        OutputError: the disk is full.
        EdgeAllError: memory is full.
    """
    try:
        yield
    except EdgeAllError:
        raise
    except Exception as error:
        if _is_disk(error):
            raise OutputError(
                f"The run in {folder} cannot be written ({first_line(error)}).",
                "Free some space and resume: the last checkpoint is whole.",
            ) from error
        if _is_memory(error):
            raise EdgeAllError(
                "The network and a batch do not fit into memory.",
                "Use a smaller --batch-size or --input-size in a new folder; other programs may hold memory too.",
            ) from error
        raise


def _is_disk(error: Exception) -> bool:
    # TensorFlow calls a full disk "resource exhausted", as it does full memory.
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return full or any(words in str(error).lower() for words in DISK_WORDS)


def _is_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    name, words = type(error).__name__, str(error).lower()
    return name in OUT_OF_MEMORY[:2] or (
        (name in OUT_OF_MEMORY or isinstance(error, RuntimeError)) and any(part in words for part in MEMORY_WORDS)
    )

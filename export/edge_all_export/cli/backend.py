"""What has to be settled before a verb loads Keras."""

from __future__ import annotations

import os

__all__ = ["quiet_backend"]


def quiet_backend() -> None:
    """Keep TensorFlow's pages about the processor from the user's screen; errors still come as exceptions."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

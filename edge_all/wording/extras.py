"""How an ONNX Runtime is installed, in words: in one place, so that all messages say the same.

edge-all stands on no package index, where its name could be anybody's: its own name is never given to pip.
"""

from __future__ import annotations

__all__ = ["RUNTIMES", "install_words"]

RUNTIMES = {"cpu", "gpu", "openvino", "directml"}
"""Extras that bring an ONNX Runtime."""


def install_words(extra: str, *, again: bool = False) -> str:
    """What to type to install edge-all with an ONNX Runtime, from the source folder or from an offline bundle.

    Args:
        extra: of edge-all, for example ``cpu``.
        again: replace what is installed already, because it is broken.

    Returns:
        Words to follow "Run, " or "with, "; without a full stop.
    """
    pip = "pip install --force-reinstall" if again else "pip install"
    # A bundle is a whole installation, and without a runtime it could judge nothing.
    bundled = extra if RUNTIMES & set(extra.split(",")) else f"cpu,{extra}"
    return (
        f"in the source folder of edge-all: {pip} '.[{extra}]' (without a network: an offline bundle made with "
        f"'python3 deploy/bundle {bundled}')"
    )

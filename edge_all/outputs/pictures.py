"""Pictures as files: the only place of the outputs that encodes them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_all.files.atomic import write_atomically
from edge_all.results import LabelImage, RgbImage

__all__ = ["jpeg_bytes", "png_bytes", "write_jpeg", "write_label_png", "write_png"]


def jpeg_bytes(pixels: RgbImage, quality: int) -> bytes:
    """A picture as JPEG, without any metadata.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
        quality: 0 to 100, as libjpeg counts.
    """
    encoded, buffer = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise ValueError(f"cannot encode a picture of shape {pixels.shape} as JPEG")
    return buffer.tobytes()


def write_jpeg(path: Path, pixels: RgbImage, quality: int) -> None:
    """Write a picture as JPEG.

    Args:
        path: the file to write.
        pixels: ``uint8 [height, width, 3]`` RGB.
        quality: 0 to 100, as libjpeg counts.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, jpeg_bytes(pixels, quality), durable=False)


def write_png(path: Path, pixels: RgbImage) -> None:
    """Write a picture as PNG, without loss.

    Args:
        path: the file to write.
        pixels: ``uint8 [height, width, 3]`` RGB.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, png_bytes(pixels))


def png_bytes(pixels: RgbImage) -> bytes:
    """A picture as PNG, without loss.

    Args:
        pixels: ``uint8 [height, width, 3]`` RGB.
    """
    return _png_of(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False))


def write_label_png(path: Path, labels: LabelImage) -> None:
    """Write a label image as a 16-bit grey PNG.

    Args:
        path: the file to write.
        labels: ``uint16 [height, width]``.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, _png_of(np.ascontiguousarray(labels, dtype=np.uint16)))


def _png_of(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    encoded, buffer = cv2.imencode(".png", image)
    if not encoded:
        raise ValueError(f"cannot encode an image of shape {image.shape} as PNG")
    return buffer.tobytes()

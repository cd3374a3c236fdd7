"""Images that a program hands over: paths, bytes, open files, arrays and PIL images, under a name.

What is handed over may change or close as soon as the next one is asked for (a camera's buffer, a file in a ``with``
block). `hold_image` therefore takes what it needs at once, and decoding can wait and go on elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import EdgeAllError, UnreadableImageError, UnsupportedImageError, UsageError
from edge_all.imaging.reading import OpenedImage, open_image, read_image
from edge_all.results import RgbImage

__all__ = ["HeldImage", "ImageLike", "NamedImage", "PilImage", "ReadableImage", "hold_image", "is_one_image"]

DEFAULT_SLIDE = "slide"
"""The slide of images that lie in no folder, where none is named."""


class PilImage(Protocol):
    """What is used of a ``PIL.Image.Image``; Pillow is loaded only where one is handed over."""

    @property
    def mode(self) -> str:
        """Its pixel format, such as ``RGB``."""

    def convert(self, mode: str) -> PilImage:
        """The image in another pixel format."""


ImageLike: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | NDArray[np.uint8] | PilImage"
"""One image: a path, the bytes of an image file, a file opened in binary mode, an array or a PIL image.

An array is ``uint8 [height, width, 3]`` in **RGB** order. OpenCV gives BGR, which nothing can tell from RGB for
certain: its colours are then judged wrongly. Hand over ``cv2.cvtColor(image, cv2.COLOR_BGR2RGB)``."""


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image with the names under which results report it.

    Attributes:
        source: the image.
        image: its name.
        slide: the slide that it belongs to.
    """

    source: ImageLike
    image: str
    slide: str = DEFAULT_SLIDE


class ReadableImage(Protocol):
    """What the pipeline judges: names, and pixels when they are asked for."""

    @property
    def image(self) -> str:
        """The name under which results report it."""

    @property
    def slide(self) -> str:
        """The slide that it belongs to."""

    def opened(self) -> OpenedImage:
        """The image, found whole and ready to be decoded.

        Raises:
            InputError: it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class HeldImage:
    """An image that was handed over, kept so that it can be read whenever it is needed, and again.

    Of a file only its path is kept, and by what it is known again; of an open file its bytes; of an array a copy.

    Attributes:
        image: the name under which results report it.
        slide: the slide that it belongs to.
        content: path, bytes or pixels; something that reads itself; or why there is nothing.
        stamp: size and time of the file when it was taken; None where there is no file.
    """

    image: str
    slide: str
    content: Path | bytes | RgbImage | ReadableImage | EdgeAllError = field(repr=False)
    stamp: tuple[int, int] | None = None

    def read(self) -> RgbImage:
        """Its pixels, ``uint8 [height, width, 3]`` RGB; do not write into them.

        Raises:
            ImageError: it cannot be read, or is no image that can be judged.
            UsageError: what was handed over is no image at all.
        """
        return self.opened().decode().pixels

    def opened(self) -> OpenedImage:
        """As `ReadableImage.opened`.

        Raises:
            ImageError, UsageError: as `read`.
        """
        if isinstance(self.content, EdgeAllError):
            raise self.content
        if isinstance(self.content, Path | bytes | np.ndarray):
            return open_image(self.content, name=self.image)
        return self.content.opened()

    @property
    def file(self) -> Path | None:
        """Where it is read from again; None where it is held in memory."""
        file = getattr(self.content, "path", self.content)
        return file if isinstance(file, Path) else None

    @property
    def unchanged(self) -> bool:
        """Whether reading it now gives what it gave when it was taken."""
        return self.file is None or (self.stamp is not None and self.stamp == _stamp(self.file))


def is_one_image(source: object) -> bool:
    """Whether this is one image rather than several; arrays of four axes are several."""
    if isinstance(source, np.ndarray):
        return source.ndim != 4
    return isinstance(source, str | os.PathLike | bytes | bytearray | memoryview | NamedImage) or (
        _is_readable(source) or _is_file(source) or _is_pil_image(source)
    )


def hold_image(source: object, *, number: int = 1, slide: str | None = None) -> HeldImage:
    """Take an image, so that nothing that happens to the source afterwards changes it.

    Never raises for a source that is no usable image: `HeldImage.read` does, when its turn has come.

    Args:
        source: an `ImageLike`, a `NamedImage` or a `ReadableImage`, such as those of `edge_all.inputs.find_images`.
        number: which one of several it is, from 1; images without a name are called ``image 1``.
        slide: the slide that it belongs to; where None, a path belongs to the slide named after its folder, all
            others to ``slide``.
    """
    name, own_slide = _names(source, number)
    if isinstance(source, NamedImage):
        source = source.source
    slide = own_slide if slide is None else slide
    try:
        content = _content(source, name)
    except EdgeAllError as error:
        return HeldImage(name, slide, error)
    file = getattr(content, "path", content)
    return HeldImage(name, slide, content, _stamp(file) if isinstance(file, Path) else None)


def _names(source: object, number: int) -> tuple[str, str]:
    """Name and slide of a source."""
    if isinstance(source, NamedImage) or _is_readable(source):
        return source.image, source.slide
    file = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if isinstance(file, str | os.PathLike) and isinstance(os.fspath(file), str) and os.fspath(file):
        path = Path(file)
        return path.as_posix(), Path(os.path.abspath(path)).parent.name or DEFAULT_SLIDE  # noqa: PTH100 - keeps links
    return f"image {number}", DEFAULT_SLIDE


def _content(source: object, name: str) -> Path | bytes | RgbImage | ReadableImage:
    """What is kept of a source.

    Raises:
        EdgeAllError: it is no image.
    """
    if isinstance(source, str | os.PathLike) and isinstance(os.fspath(source), str):
        return Path(source)
    if _is_readable(source):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, np.ndarray):
        _refuse_unless_rgb(source, name)
        return np.array(source, order="C")
    if _is_file(source):
        return _read_file(source, name)
    if _is_pil_image(source):
        return _pixels_of_pil(source, name)
    raise UsageError(
        f"{name} is a {type(source).__name__}, which is no image.",
        "Hand over a path, bytes, a file opened in binary mode, a uint8 RGB array or a PIL image.",
    )


def _refuse_unless_rgb(pixels: NDArray[Any], name: str) -> None:
    """Only arrays that need no guess are taken.

    Raises:
        UnsupportedImageError: it is another one; says what to do with it.
    """
    shape = list(pixels.shape)
    wanted = "An image is uint8 [height, width, 3] in RGB order"
    if pixels.size == 0:
        remedy = "The array is empty; look at where it comes from."
    elif pixels.ndim == 2 or (pixels.ndim == 3 and shape[2] == 1):
        remedy = f"{wanted}; grey images have lost the stain and cannot be judged."
    elif pixels.ndim == 3 and shape[2] == 4:
        remedy = f"{wanted}; leave out the fourth channel: image[..., :3]."
    elif pixels.ndim == 3 and shape[0] == 3 and shape[2] != 3:
        remedy = f"{wanted}; put the channels last: image.transpose(1, 2, 0)."
    elif pixels.ndim == 4 and shape[0] == 1:
        remedy = f"{wanted}; take one image out of the batch: images[0]."
    elif pixels.ndim != 3 or shape[2] != 3:
        remedy = f"{wanted}."
    elif pixels.dtype.kind == "f":
        remedy = f"{wanted}; floats from 0 to 1 become that by (255 * image).round().astype('uint8')."
    elif pixels.dtype != np.uint8:
        remedy = f"{wanted}; 16 bits that use their full range become that by (image // 257).astype('uint8')."
    else:
        return
    raise UnsupportedImageError(f"{name} is an array {pixels.dtype} {shape}.", remedy)


def _is_readable(source: object) -> TypeGuard[ReadableImage]:
    return all(hasattr(source, name) for name in ("image", "slide", "opened"))


def _is_file(source: object) -> TypeGuard[IO[bytes]]:
    return callable(getattr(source, "read", None)) and not isinstance(source, type)


def _read_file(file: IO[bytes], name: str) -> bytes:
    """What is left to read of an open file.

    Raises:
        UnreadableImageError: it is closed, was opened as text, or cannot be read.
    """
    try:
        content: object = file.read()
    except (OSError, ValueError) as error:  # ValueError: closed; or text that is no text
        closed = getattr(file, "closed", False)
        raise UnreadableImageError(
            f"{name} cannot be read: {'the file is closed' if closed else error}.",
            "Hand over the path, or a file that is open in binary mode: open(path, 'rb').",
        ) from error
    if not isinstance(content, bytes):
        raise UnreadableImageError(
            f"{name} was opened as text: reading it gives {type(content).__name__}.",
            "Open it in binary mode: open(path, 'rb').",
        )
    if not content:
        raise UnreadableImageError(
            f"{name} has nothing to read: it is empty, or was read to its end before.",
            "Go back to its beginning with seek(0), or hand over the path.",
        )
    return content


def _is_pil_image(source: object) -> TypeGuard[PilImage]:
    return any(kind.__module__.partition(".")[0] == "PIL" for kind in type(source).__mro__)


def _pixels_of_pil(image: PilImage, name: str) -> RgbImage:
    """A PIL image as its file would be read: upright, transparency laid over white.

    Raises:
        UnsupportedImageError: of a pixel format that has no faithful RGB form.
        UnreadableImageError: its file cannot be read any more.
    """
    from PIL import ImageOps  # type: ignore[import-not-found, unused-ignore]  # there, for this is one of its images

    try:
        as_pil: Any = image
        upright = ImageOps.exif_transpose(as_pil)
        if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
            return read_image(np.asarray(upright.convert("RGBA")))
        if upright.mode in ("RGB", "P", "L", "1", "CMYK", "YCbCr"):
            return np.array(upright.convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadableImageError(
            f"{name} cannot be read: {error}.", "Hand over the path instead, or load() the image while it is open."
        ) from error
    raise UnsupportedImageError(f"{name} is a PIL image of mode {upright.mode}.", "Convert it: image.convert('RGB').")


def _stamp(path: Path) -> tuple[int, int] | None:
    """By what a file is known again; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns

"""Nothing that a C library prints of a damaged image reaches the terminal: each decoder, fed with many damages."""

from __future__ import annotations

import io
import os
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from edge_all.errors import CorruptImageError, ImageError
from edge_all.imaging import read_image
from edge_all.rendering import SmearSpec, render_field

DAMAGES = 60


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(render_field(3, width=240, height=200, spec=SmearSpec(blasts=1)).pixels)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def checked_png(data: bytes) -> bytes:
    """A PNG with right checksums, so that what is wrong inside reaches libpng."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        content = data[at + 4 : at + 8 + length]
        if len(content) < 4 + length:
            break
        parts.append(struct.pack(">I", length) + content + struct.pack(">I", zlib.crc32(content)))
        at += 12 + length
    return b"".join(parts)


FORMS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda picture: saved(picture, "JPEG"),
    "progressive JPEG": lambda picture: saved(picture, "JPEG", progressive=True),
    "CMYK JPEG": lambda picture: saved(picture.convert("CMYK"), "JPEG"),
    "PNG": lambda picture: saved(picture, "PNG"),
    "palette PNG": lambda picture: saved(picture.convert("P"), "PNG"),
    "BMP": lambda picture: saved(picture, "BMP"),
    "RLE BMP": lambda picture: saved(picture.convert("P"), "BMP"),
    "plain TIFF": lambda picture: saved(picture, "TIFF"),
    **{
        f"{compression} TIFF": lambda picture, compression=compression: saved(picture, "TIFF", compression=compression)
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    },
    "fax TIFF": lambda picture: saved(picture.convert("1"), "TIFF", compression="group4"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_image_is_read_or_refused_and_nothing_is_printed(
    picture: Image.Image, form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = FORMS[form](picture)
    chance = random.Random(form)  # noqa: S311 - no secret
    refused = 0
    for number in range(DAMAGES):
        data = bytearray(whole)
        if number % 4 == 0:
            del data[chance.randrange(20, len(data)) :]
        else:
            for _ in range(1 + number % 3):
                data[chance.randrange(8, len(data))] ^= 1 << chance.randrange(8)
        try:
            pixels = read_image(checked_png(bytes(data)) if "PNG" in form else bytes(data))
        except ImageError:
            refused += 1
        else:
            assert pixels.dtype == np.uint8
    assert refused > 0, "no damage was seen"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", ["filter", "one row more", "one row less", "more than memory"])
def test_a_png_that_is_sound_outside_and_not_inside_is_refused_in_silence(
    picture: Image.Image, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    width, height = picture.size
    rows = bytearray(b"".join(b"\0" + picture.tobytes()[3 * width * row :][: 3 * width] for row in range(height)))
    if damage == "filter":
        rows[(3 * width + 1) * 7] = 9
    elif damage == "one row more":
        rows += rows[: 3 * width + 1]
    elif damage == "one row less":
        del rows[-(3 * width + 1) :]
    else:
        rows += bytes(200_000_000)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    data = b"".join(struct.pack(">I", len(body)) + kind + body + bytes(4) for kind, body in chunks)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptImageError, match="has not the rows that its header names"):
            read_image(checked_png(b"\x89PNG\r\n\x1a\n" + data))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert capfd.readouterr() == ("", "")


def test_what_a_library_would_print_is_seen_here(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"libpng error: bad adaptive filter value\n")
    assert capfd.readouterr().err

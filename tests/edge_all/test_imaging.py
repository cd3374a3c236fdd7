"""Decoding: every supported form gives the same pixels, and nothing damaged passes for an image."""

from __future__ import annotations

import base64
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.errors import (
    CorruptImageError,
    EdgeAllError,
    ImageError,
    ImageTooLargeError,
    InputNotFoundError,
    UnreadableImageError,
    UnsupportedImageError,
)
from edge_all.imaging import MAX_PIXELS, MIN_SIDE, read_image

HEIGHT, WIDTH = 48, 64
Y, X = np.mgrid[:HEIGHT, :WIDTH]
RGB = np.stack([X * 4, Y * 5, 255 - X * 3], axis=-1).astype(np.uint8)
"""Every channel differs, and no rotation or mirroring leaves it as it is."""
ALPHA = np.repeat(np.array([0, 128, 255], np.uint8), HEIGHT // 3)[:, None].repeat(WIDTH, axis=1)
OVER_WHITE = np.round(RGB * (ALPHA[..., None] / 255.0) + 255 - ALPHA[..., None]).astype(np.uint8)

# 32 x 32, left CMYK (0, 200, 100, 20), right (180, 20, 0, 40), inverted and marked as Adobe does.
CMYK_JPEG = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJT"
    "UjI+WmFaUGBKUVJP/8AAFAgAIAAgBEMRAE0RAFkRAEsRAP/EABgAAQEBAQEAAAAAAAAAAAAAAAAHBgQF/8QAFBABAAAAAAAAAAAA"
    "AAAAAAAAAP/aAA4EQwBNAFkASwAAPwCnMk9FQgBEFvb1xgC3ogwTsAEQW9vXGALeiDBOwARBb29cYAt6IME7ABEFvb1xgD//2Q=="
)


def encoded(suffix: str, rgb: np.ndarray[Any, Any], *options: int) -> bytes:
    bgr = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, cv2.COLOR_RGBA2BGRA if rgb.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    return cv2.imencode(suffix, bgr, options)[1].tobytes()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(
    colour_type: int, rows: np.ndarray[Any, Any], *chunks: bytes, bits: int = 8, size: tuple[int, int] | None = None
) -> bytes:
    height, width = size or rows.shape[:2]
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    stored = rows.astype(">u2") if bits == 16 else rows
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in stored))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def tiff(pixels: np.ndarray[Any, Any], order: str = "<", pages: int = 1, **tags: int | tuple[int, ...]) -> bytes:
    """An uncompressed TIFF with one strip a page; ``tags`` as ``t262=1`` add to or replace the usual ones."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    out = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + b"\0\0\0\0")
    link = 4
    for _ in range(pages):
        strip = len(out)
        out += data
        entries: dict[int, tuple[int, ...]] = {
            256: (pixels.shape[1],), 257: (pixels.shape[0],), 258: (pixels.itemsize * 8,) * channels, 259: (1,),
            262: (2 if channels >= 3 else 1,), 273: (strip,), 277: (channels,), 278: (pixels.shape[0],),
            279: (len(data),),
        }  # fmt: skip
        entries.update({int(tag[1:]): value if isinstance(value, tuple) else (value,) for tag, value in tags.items()})
        fields = {}
        for tag, values in entries.items():
            if len(values) > 1:
                fields[tag] = (len(values), struct.pack(f"{order}I", len(out)))
                out += struct.pack(f"{order}{len(values)}I", *values)
            else:
                fields[tag] = (1, struct.pack(f"{order}I", values[0]))
        struct.pack_into(f"{order}I", out, link, len(out))
        out += struct.pack(f"{order}H", len(fields))
        for tag in sorted(fields):
            out += struct.pack(f"{order}HHI", tag, 4, fields[tag][0]) + fields[tag][1]
        link = len(out)
        out += b"\0\0\0\0"
    return bytes(out)


def exif(orientation: int) -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 274, 3, 1, orientation) + b"\0\0\0\0"


def jpeg_with_exif(rgb: np.ndarray[Any, Any], orientation: int) -> bytes:
    block = b"Exif\0\0" + exif(orientation)
    plain = encoded(".jpg", rgb, cv2.IMWRITE_JPEG_QUALITY, 98)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]


def turned(rgb: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Written from the words of the standard: where the 0th row and the 0th column of the stored image are."""
    return {
        1: rgb, 2: rgb[:, ::-1], 3: rgb[::-1, ::-1], 4: rgb[::-1],
        5: rgb.swapaxes(0, 1), 6: np.rot90(rgb, -1), 7: rgb[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(rgb),
    }[orientation]  # fmt: skip


MULTIPLIED = cv2.subtract(OVER_WHITE, 255 - ALPHA[..., None].repeat(3, axis=2))
QUARTERS = X // 32 + Y // 24 * 2
PALETTE = np.array([[200, 10, 90], [0, 80, 160], [1, 2, 3], [250, 240, 230]], np.uint8)

EXACT: dict[str, tuple[bytes, np.ndarray[Any, Any]]] = {
    "png": (encoded(".png", RGB), RGB),
    "bmp": (encoded(".bmp", RGB), RGB),
    "tiff with lzw": (encoded(".tiff", RGB), RGB),
    "tiff": (tiff(RGB), RGB),
    "tiff big-endian": (tiff(RGB, ">"), RGB),
    "tiff 16 bit": (tiff(RGB.astype(np.uint16) * 257), RGB),
    "tiff 16 bit big-endian": (tiff(RGB.astype(np.uint16) * 257, ">"), RGB),
    "tiff grey": (tiff(RGB[..., 0]), RGB[..., [0, 0, 0]]),
    "tiff grey, white is 0": (tiff(255 - RGB[..., 0], t262=0), RGB[..., [0, 0, 0]]),
    "tiff 16 bit grey, white is 0": (tiff(65535 - RGB[..., 0].astype(np.uint16) * 257, t262=0), RGB[..., [0, 0, 0]]),
    "tiff cmyk": (tiff(np.dstack([255 - RGB, np.zeros_like(ALPHA)]), t262=5), RGB),
    "tiff alpha": (tiff(np.dstack([RGB, ALPHA]), t338=2), OVER_WHITE),
    "tiff alpha multiplied": (tiff(np.dstack([MULTIPLIED, ALPHA]), t338=1), OVER_WHITE),
    "tiff 16 bit alpha": (tiff(np.dstack([RGB, ALPHA]).astype(np.uint16) * 257, t338=2), OVER_WHITE),
    "tiff fourth channel without meaning": (tiff(np.dstack([RGB, ALPHA]), t338=0), RGB),
    "png grey": (encoded(".png", RGB[..., 0]), RGB[..., [0, 0, 0]]),
    "png 16 bit": (png(2, RGB.astype(np.uint16) * 257, bits=16), RGB),
    "png 16 bit grey": (png(0, RGB[..., 0].astype(np.uint16) * 257, bits=16), RGB[..., [0, 0, 0]]),
    "png alpha": (encoded(".png", np.dstack([RGB, ALPHA])), OVER_WHITE),
    "png 16 bit alpha": (png(6, np.dstack([RGB, ALPHA]).astype(np.uint16) * 257, bits=16), OVER_WHITE),
    "png palette": (png(3, QUARTERS.astype(np.uint8), png_chunk(b"PLTE", PALETTE.tobytes())), PALETTE[QUARTERS]),
    "png palette with a transparent colour": (
        png(3, QUARTERS.astype(np.uint8), png_chunk(b"PLTE", PALETTE.tobytes()), png_chunk(b"tRNS", b"\0")),
        np.where(QUARTERS[..., None] == 0, 255, PALETTE[QUARTERS]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", EXACT)
def test_every_lossless_form_gives_the_same_pixels(form: str) -> None:
    data, expected = EXACT[form]
    pixels = read_image(data)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.shape == expected.shape
    # Alpha is rounded twice where the file stores colours that are multiplied by it.
    tolerance = 1 if "alpha" in form else 0
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["jpeg", "png", "png alpha", "tiff", "tiff 16 bit"])
def test_recorded_rotation_is_applied_once(form: str, orientation: int) -> None:
    opaque = np.dstack([RGB, np.full_like(ALPHA, 255)])
    data = {
        "jpeg": jpeg_with_exif(RGB, orientation),
        "png": png(2, RGB, png_chunk(b"eXIf", exif(orientation))),
        "png alpha": png(6, opaque, png_chunk(b"eXIf", exif(orientation))),
        "tiff": tiff(RGB, t274=orientation),
        "tiff 16 bit": tiff(RGB.astype(np.uint16) * 257, t274=orientation),
    }[form]
    expected = turned(RGB, orientation)
    pixels = read_image(data)
    assert pixels.shape == expected.shape
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - expected).max() <= (12 if form == "jpeg" else 0)


def test_jpeg_colours_come_in_rgb_order() -> None:
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0] = 220
    assert np.abs(read_image(encoded(".jpg", red)).astype(int) - red).max() <= 4


def test_cmyk_jpeg() -> None:
    pixels = read_image(CMYK_JPEG).astype(int)
    for column, cmyk in ((4, (0, 200, 100, 20)), (28, (180, 20, 0, 40))):
        expected = [(255 - ink) * (255 - cmyk[3]) / 255 for ink in cmyk[:3]]
        assert np.abs(pixels[16, column] - expected).max() <= 8


def test_cmyk_jpeg_that_does_not_say_what_0_means_is_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="4 channels"):
        read_image(CMYK_JPEG.replace(b"Adobe", b"Other"))


def test_first_page_is_read() -> None:
    assert np.array_equal(read_image(tiff(RGB, pages=3)), RGB)


def test_sixteen_bits_are_divided_by_257_whatever_the_content() -> None:
    every_value = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = np.round(every_value / 257).astype(np.uint8)
    for source in (every_value, tiff(np.dstack([every_value] * 3)), png(0, every_value, bits=16)):
        assert np.array_equal(read_image(source)[..., 1], expected)
    dim = np.full((64, 64), 4095, np.uint16)  # a 12-bit camera: dark, and left so
    assert read_image(dim).max() == 16


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 50, 3), (40, 50, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays(shape: tuple[int, ...], dtype: type) -> None:
    array = np.full(shape, 100 if dtype is np.uint8 else 100 * 257, dtype)
    if shape[-1] == 4:
        array[:20, :, 3] = 0
        array[20:, :, 3] = np.iinfo(dtype).max
    pixels = read_image(array)
    assert pixels.shape == (40, 50, 3)
    assert pixels.dtype == np.uint8
    assert set(np.unique(pixels[:20])) == {255 if shape[-1] == 4 else 100}
    assert set(np.unique(pixels[20:])) == {100}


def test_a_finished_array_is_not_copied_and_a_view_becomes_contiguous() -> None:
    array = np.zeros((40, 50, 3), np.uint8)
    assert read_image(array) is array or np.shares_memory(read_image(array), array)
    flipped = read_image(RGB[::-1])
    assert flipped.flags.c_contiguous
    assert np.array_equal(flipped, RGB[::-1])


@pytest.mark.parametrize(
    "array",
    [np.zeros((40, 50), np.float32), np.zeros((40, 50, 2), np.uint8), np.zeros(50, np.uint8), np.zeros((40, 50), bool)],
)
def test_other_arrays_are_refused(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(UnsupportedImageError):
        read_image(array)


def test_paths_with_any_letters_and_either_type(tmp_path: Path) -> None:
    path = tmp_path / "Präparat 红 é.png"
    path.write_bytes(encoded(".png", RGB))
    assert np.array_equal(read_image(path), RGB)
    assert np.array_equal(read_image(str(path)), RGB)


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "field.jpg"
    path.write_bytes(encoded(".png", RGB))
    assert np.array_equal(read_image(path), RGB)


# What is not there, or not readable


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"gone\.jpg does not exist"):
        read_image(tmp_path / "gone.jpg")


def test_a_folder_is_not_an_image(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="is a folder"):
        read_image(tmp_path)


def test_a_name_that_no_file_system_takes() -> None:
    with pytest.raises(EdgeAllError):
        read_image("field\0.jpg")


def test_failure_of_the_drive_names_file_and_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "field.png"
    path.write_bytes(encoded(".png", RGB))

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UnreadableImageError, match=r"field\.png cannot be read: Permission denied"):
        read_image(path)


# Damaged and foreign files


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", CorruptImageError),
        (b"patient;cells\n1;200\n" * 50, CorruptImageError),
        (b"\xff\xd8\xff", CorruptImageError),
        (b"BM", CorruptImageError),
        (b"II*\0", CorruptImageError),
        (b"\x89PNG\r\n\x1a\n", CorruptImageError),
        (b"GIF89a" + bytes(50), UnsupportedImageError),
        (b"RIFF\x20\0\0\0WEBPVP8 " + bytes(50), UnsupportedImageError),
        (bytes(128) + b"DICM" + bytes(50), UnsupportedImageError),
    ],
)
def test_what_is_no_image_says_so_with_the_name(tmp_path: Path, content: bytes, kind: type[ImageError]) -> None:
    path = tmp_path / "renamed.jpg"
    path.write_bytes(content)
    with pytest.raises(kind, match=r"renamed\.jpg") as caught:
        read_image(path)
    assert caught.value.remedy


WHOLE = {
    "jpeg": encoded(".jpg", cv2.resize(RGB, (256, 192)), cv2.IMWRITE_JPEG_QUALITY, 95),
    "jpeg progressive": encoded(".jpg", cv2.resize(RGB, (256, 192)), cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "png": encoded(".png", RGB),
    "bmp": encoded(".bmp", RGB),
    "tiff": tiff(RGB),
    "tiff lzw": encoded(".tiff", RGB),
}


@pytest.mark.parametrize("form", WHOLE)
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.5, 0.8, 0.95])
def test_truncated_files_are_refused(form: str, kept: float) -> None:
    data = WHOLE[form]
    with pytest.raises(CorruptImageError):
        read_image(data[: int(len(data) * kept)])


@pytest.mark.parametrize("form", ["jpeg", "jpeg progressive", "bmp"])
def test_the_last_bytes_count(form: str) -> None:
    with pytest.raises(CorruptImageError, match="truncated"):
        read_image(WHOLE[form][:-2])


def test_a_jpeg_whose_middle_was_lost_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    whole = encoded(".jpg", noise)
    middle = len(whole) // 2
    with pytest.raises(CorruptImageError, match="missing"):
        read_image(whole[:middle] + whole[middle + len(whole) // 3 :])


def test_a_jpeg_cut_short_in_a_file_of_full_length_is_refused() -> None:
    whole = WHOLE["jpeg"]
    with pytest.raises(CorruptImageError):
        read_image(whole[: len(whole) // 2] + bytes(len(whole) // 2))


def test_a_tiff_whose_last_strips_were_not_copied_is_refused() -> None:
    whole = encoded(".tiff", np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
    start = len(whole) // 2
    with pytest.raises(CorruptImageError, match="missing"):
        read_image(whole[:start] + bytes(8000) + whole[start + 8000 :])


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm() -> None:
    assert np.array_equal(read_image(WHOLE["jpeg"] + bytes(1000)), read_image(WHOLE["jpeg"]))


def test_a_grey_jpeg_of_128_is_a_whole_image() -> None:
    assert set(np.unique(read_image(encoded(".jpg", np.full((64, 64, 3), 128, np.uint8))))) == {128}


def test_a_png_with_a_wrong_checksum_is_refused() -> None:
    damaged = bytearray(WHOLE["png"])
    damaged[len(damaged) // 2] ^= 0xFF
    with pytest.raises(CorruptImageError, match="checksum"):
        read_image(bytes(damaged))


@pytest.mark.parametrize(
    "data",
    [
        tiff(RGB.astype(np.float32)),
        tiff(RGB.astype(np.int16), t339=2),
        tiff(RGB, t259=34712),
        tiff(RGB, t262=8),
        tiff(np.dstack([RGB, ALPHA, ALPHA]), t338=(2, 0)),
        tiff(np.dstack([RGB[..., 0], ALPHA]), t262=1, t338=2),
    ],
)
def test_forms_that_would_come_out_wrong_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        read_image(data)


# Size


def jpeg_header(width: int, height: int) -> bytes:
    whole = bytearray(WHOLE["jpeg"])
    struct.pack_into(">HH", whole, whole.index(b"\xff\xc0") + 5, height, width)
    return bytes(whole)


def bmp_header(width: int, height: int) -> bytes:
    whole = bytearray(WHOLE["bmp"])
    struct.pack_into("<ii", whole, 18, width, height)
    return bytes(whole)


@pytest.mark.parametrize(
    "bomb",
    [
        jpeg_header(30000, 30000),
        png(2, RGB, size=(30000, 30000)),
        tiff(RGB, t256=30000, t257=30000, t278=30000, t259=5),
    ],
)
def test_a_bomb_is_refused_before_it_is_decoded(bomb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageTooLargeError, match=r"30000 x 30000.*limit is 200 megapixels"):
        read_image(bomb)


def test_a_bmp_bomb_has_not_the_rows_it_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(CorruptImageError, match="rows are missing"):
        read_image(bmp_header(30000, 30000))


def test_the_limit_is_a_setting() -> None:
    data = encoded(".png", RGB)
    assert read_image(data, max_pixels=WIDTH * HEIGHT).shape == RGB.shape
    with pytest.raises(ImageTooLargeError):
        read_image(data, max_pixels=WIDTH * HEIGHT - 1)
    with pytest.raises(ImageTooLargeError):
        read_image(RGB, max_pixels=WIDTH * HEIGHT - 1)


def test_an_absurdly_large_file_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "slide.tif"
    with path.open("wb") as file:
        file.truncate(MAX_PIXELS * 32 + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("loaded"))
    with pytest.raises(ImageTooLargeError, match=r"6\.4 GB"):
        read_image(path)


@pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 500)])
def test_images_that_cannot_hold_a_cell_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedImageError, match="cannot hold a cell"):
        read_image(encoded(".png", np.zeros((*size, 3), np.uint8)))
    assert read_image(np.zeros((MIN_SIDE, MIN_SIDE), np.uint8)).shape == (MIN_SIDE, MIN_SIDE, 3)


# Anything at all


@settings(max_examples=200, deadline=None)
@given(form=st.sampled_from([*EXACT, "jpeg"]), data=st.data())
def test_damage_gives_pixels_or_our_own_error(form: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[form] if form == "jpeg" else EXACT[form][0])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 600) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = read_image(bytes(content), max_pixels=1_000_000)
    except ImageError as error:
        assert error.remedy  # noqa: PT017 - either outcome is right
    else:
        assert pixels.ndim == 3
        assert pixels.dtype == np.uint8


@settings(max_examples=200, deadline=None)
@given(form=st.sampled_from([*EXACT, "jpeg"]), data=st.data())
def test_a_part_of_a_file_is_never_another_image(form: str, data: st.DataObject) -> None:
    content = WHOLE[form] if form == "jpeg" else EXACT[form][0]
    part = content[: data.draw(st.integers(0, len(content) - 1))]
    try:
        pixels = read_image(part)
    except CorruptImageError:
        return
    assert np.array_equal(pixels, read_image(content))  # only what makes no pixels was cut off


def test_opencv_stays_silent_and_keeps_its_log_level(tmp_path: Path) -> None:
    (tmp_path / "damaged.tif").write_bytes(tiff(RGB, t259=7))  # no JPEG data
    program = """
import sys, cv2
from edge_all.errors import CorruptImageError
from edge_all.imaging import read_image
try:
    read_image("damaged.tif")
except CorruptImageError:
    sys.stderr.write("refused")
cv2.imread("damaged.tif")
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    silent, _, after = result.stderr.partition("refused")
    assert silent == ""
    assert "TIFF" in after  # OpenCV speaks again to whoever else uses it


@pytest.mark.data
def test_real_images_are_read_as_opencv_reads_them(data_root: Path) -> None:
    paths = [
        *sorted(data_root.glob("allidb1/fields/*.jpg"))[:3],
        *sorted(data_root.glob("allidb2/crops/*.tif"))[:3],
        *sorted(data_root.glob("segmentation_wbc/dataset1/*.bmp"))[:3],
    ]
    assert paths
    for path in paths:
        assert np.array_equal(read_image(path), cv2.imread(str(path))[..., ::-1])

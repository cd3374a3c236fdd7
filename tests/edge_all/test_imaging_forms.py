"""Of each form its neighbours: orientation, tiles, planes, depths, masks, alphas, and cut, holed or half-copied."""

from __future__ import annotations

import io
import itertools
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ImageCms

from edge_all.errors import CorruptImageError, ImageTooLargeError, UnsupportedImageError
from edge_all.imaging import open_image, read_image
from edge_all.imaging.exif import resolution_of
from edge_all.imaging.pages import pages_of_file

HEIGHT, WIDTH = 150, 210
RGB = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
)
NAMED = ("overview", "field")
IMAGEJ = "ImageJ=1.54f\nunit=micron\n"


def tiff(pixels: np.ndarray[Any, Any], **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **{"photometric": "rgb", **options})
    return file.getvalue()


def turned(rgb: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    return {
        1: rgb, 2: rgb[:, ::-1], 3: rgb[::-1, ::-1], 4: rgb[::-1],
        5: rgb.swapaxes(0, 1), 6: np.rot90(rgb, -1), 7: rgb[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(rgb),
    }[orientation]  # fmt: skip


def jpeg(rgb: np.ndarray[Any, Any] = RGB, *options: int) -> bytes:
    return cv2.imencode(".jpg", rgb[..., ::-1], options)[1].tobytes()


def png(rgb: np.ndarray[Any, Any], *chunks: tuple[bytes, bytes]) -> bytes:
    plain = cv2.imencode(".png", rgb[..., [2, 1, 0, 3][: rgb.shape[2]]])[1].tobytes()
    extra = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return plain[:33] + extra + plain[33:]


def notes_of(data: bytes) -> str:
    return " ".join(open_image(data).decode().notes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_of_any_orientation_layout_and_depth(orientation: int) -> None:
    tiles = (None, (16, 16), (48, 80), (256, 256))
    for tile, bits, compression, planes in itertools.product(tiles, (8, 16), (None, "zlib"), ("contig", "separate")):
        pixels = RGB if bits == 8 else RGB.astype(np.uint16) * 257
        data = tiff(
            pixels if planes == "contig" else np.moveaxis(pixels, 2, 0),
            tile=tile, compression=compression, planarconfig=planes, rowsperstrip=None if tile else 32,
            extratags=[(274, 3, 1, orientation, True)],
        )  # fmt: skip
        assert np.array_equal(read_image(data), turned(RGB, orientation)), (tile, bits, compression, planes)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_either_byte_order_and_size(order: str, big: bool) -> None:
    for tile, compression in itertools.product((None, (48, 80)), (None, "zlib")):
        pixels = RGB.astype(np.uint16) * 257
        data = tiff(pixels, byteorder=order, bigtiff=big, tile=tile, compression=compression)
        assert np.array_equal(read_image(data), RGB)


# Transparency


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha", "unspecified"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_of_zero_everywhere_hides_nothing(compression: str | None, kind: str, dtype: type) -> None:
    scale = 1 if dtype is np.uint8 else 257
    pixels = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)]).astype(dtype) * dtype(scale)
    data = tiff(pixels, compression=compression, extrasamples=[kind])
    assert np.array_equal(read_image(data), RGB)
    assert ("transparency" in notes_of(data)) == (kind != "unspecified")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_that_is_transparent_everywhere_is_read(dtype: type) -> None:
    scale = 1 if dtype is np.uint8 else 257
    pixels = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)]).astype(dtype) * dtype(scale)
    assert np.array_equal(read_image(png(pixels)), RGB)
    assert "transparency" in notes_of(png(pixels))


@pytest.mark.parametrize("channels", [1, 3])
def test_one_transparent_colour_of_a_png_does_no_harm(channels: int) -> None:
    grey = np.ascontiguousarray(RGB[..., :1])
    plain = cv2.imencode(".png", grey if channels == 1 else RGB[..., ::-1])[1].tobytes()
    content = struct.pack(f">{channels}H", *[7] * channels)
    chunk = struct.pack(">I", len(content)) + b"tRNS" + content + struct.pack(">I", zlib.crc32(b"tRNS" + content))
    pixels = read_image(plain[:33] + chunk + plain[33:])
    assert pixels.shape == RGB.shape


# Depth


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_camera_bits_in_the_low_end_are_said_or_known(bits: int) -> None:
    low = (RGB.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    for compression in (None, "zlib"):
        unknown = tiff(low, compression=compression)
        assert f"{bits} bits" in notes_of(unknown)
        assert "8 bits" in notes_of(unknown)
        assert read_image(unknown).max() < 65
        known = tiff(low, compression=compression, extratags=[(281, 3, 1, (1 << bits) - 1, True)])
        assert np.abs(read_image(known).astype(int) - RGB).max() <= 1


# BMP


def bmp(bits: int, masks: tuple[int, int, int], compression: int = 3, *, upside_down: bool = False) -> bytes:
    words = np.zeros(RGB.shape[:2], np.uint32)
    for channel, mask in enumerate(masks):
        low = (mask & -mask).bit_length() - 1
        levels = np.rint(RGB[..., channel] / 255 * (mask >> low)).astype(np.uint32)
        words |= levels << np.uint32(low)
    rows = np.pad(words.astype(f"<u{bits // 8}"), ((0, 0), (0, WIDTH * bits // 8 % 4 // (bits // 8))))
    body = (rows if upside_down else rows[::-1]).tobytes()
    info = struct.pack(
        "<IiiHHIIiiII", 40, WIDTH, -HEIGHT if upside_down else HEIGHT, 1, bits, compression, 0, 0, 0, 0, 0
    )
    table = struct.pack("<III", *masks) if compression == 3 else b""
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(table)) + info + table + body


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0x7C00, 0x03E0, 0x001F)), (16, (0xF800, 0x07E0, 0x001F)), (16, (0x0F00, 0x00F0, 0x000F)),
        (16, (0x001F, 0x03E0, 0x7C00)), (32, (0xFF0000, 0xFF00, 0xFF)), (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0xFF000000, 0xFF0000, 0xFF00)), (32, (0x3FF00000, 0xFFC00, 0x3FF)),
    ],
)  # fmt: skip
def test_bmp_of_any_masks(bits: int, masks: tuple[int, int, int], upside_down: bool) -> None:
    coarsest = min((mask >> ((mask & -mask).bit_length() - 1)) for mask in masks)
    difference = np.abs(read_image(bmp(bits, masks, upside_down=upside_down)).astype(int) - RGB)
    assert difference.max() <= 128 / coarsest


@pytest.mark.parametrize("masks", [(0xFF0000, 0xFF0000, 0xFF), (0, 0xFF00, 0xFF), (0xA50000, 0xFF00, 0xFF)])
def test_bmp_of_masks_without_sense_is_refused(masks: tuple[int, int, int]) -> None:
    data = bytearray(bmp(32, (0xFF0000, 0xFF00, 0xFF)))
    struct.pack_into("<III", data, 54, *masks)
    with pytest.raises(UnsupportedImageError, match="odd bits"):
        read_image(bytes(data))


# Copies that broke off


BRIGHT = np.maximum(RGB, 1)


@pytest.mark.parametrize("form", ["bmp", "tiff", "tiled tiff", "16-bit tiff"])
@pytest.mark.parametrize("kept", [0.3, 0.62, 0.9])
def test_half_copied_plain_files_are_refused_or_said(form: str, kept: float) -> None:
    whole = {
        "bmp": cv2.imencode(".bmp", BRIGHT)[1].tobytes(),
        "tiff": tiff(BRIGHT, rowsperstrip=32),
        "tiled tiff": tiff(BRIGHT, tile=(64, 64)),
        "16-bit tiff": tiff(BRIGHT.astype(np.uint16) * 257),
    }[form]
    cut = int(len(whole) * kept) // 512 * 512
    data = whole[:cut] + bytes(len(whole) - cut)
    try:
        assert "black" in notes_of(data)
    except CorruptImageError as error:
        assert "half-copied" in str(error) or "missing" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize("tile", [64, 80, 96])
@pytest.mark.parametrize("planar", [1, 2])
def test_what_fills_up_the_last_tiles_is_no_missing_picture(tile: int, planar: int) -> None:
    rows = HEIGHT // tile * tile + 3  # of the last tiles hardly anything is picture
    pixels = BRIGHT[:rows] if planar == 1 else BRIGHT[:rows].transpose(2, 0, 1).copy()
    planes: dict[str, object] = {} if planar == 1 else {"planarconfig": "separate", "photometric": "rgb"}
    data = tiff(pixels, tile=(tile, tile), **planes)
    assert data.count(bytes(tile * 3 * 8)), "the writer fills up with zeros"
    assert "black" not in notes_of(data)
    np.testing.assert_array_equal(read_image(data), BRIGHT[:rows])


@pytest.mark.parametrize("form", ["bmp", "tiff", "tiled tiff"])
def test_a_dark_circle_around_the_field_is_no_broken_copy(form: str) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inside = (x - WIDTH / 2) ** 2 + (y - HEIGHT / 2) ** 2 < (HEIGHT / 2 - 12) ** 2
    field = np.where(inside[..., None], BRIGHT, 0).astype(np.uint8)
    data = {"bmp": cv2.imencode(".bmp", field[..., ::-1])[1].tobytes(), "tiff": tiff(field)}.get(form)
    assert np.array_equal(read_image(data or tiff(field, tile=(32, 32))), field)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("filling", [0, 255])
def test_a_hole_in_a_jpeg_is_refused_without_a_word_on_the_terminal(
    tmp_path: Path, progressive: int, filling: int
) -> None:
    big = cv2.resize(RGB, (900, 700))
    whole = jpeg(big, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    middle = len(whole) // 2
    (tmp_path / "hole.jpg").write_bytes(whole[:middle] + bytes([filling]) * 900 + whole[middle + 900 :])
    program = "from edge_all.imaging import read_image\ntry: read_image('hole.jpg')\nexcept Exception as e: print(e)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "hole.jpg is a damaged JPEG" in done.stdout
    assert done.stderr == ""


def test_a_progressive_jpeg_that_lacks_scans_and_has_an_end_is_refused() -> None:
    whole = jpeg(RGB, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    scans = [at for at in range(len(whole) - 1) if whole[at : at + 2] == b"\xff\xda"]
    assert len(scans) > 4
    for at in scans[1:]:
        table = whole.rfind(b"\xff\xc4", 0, at)  # a scan's own tables come before it
        with pytest.raises(CorruptImageError):
            read_image(whole[: table if table > scans[0] else at] + b"\xff\xd9")


def test_a_jpeg_filled_up_before_its_end_is_read() -> None:
    whole = jpeg()
    assert np.array_equal(read_image(whole[:-2] + bytes(57) + b"\xff\xd9"), read_image(whole))


# Colour


def test_linear_png_becomes_srgb_and_says_so() -> None:
    light = RGB / 255
    linear = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    data = png(np.rint(linear * 65535).astype(np.uint16), (b"gAMA", struct.pack(">I", 100_000)))
    assert np.abs(read_image(data).astype(int) - RGB).max() <= 1
    assert "gamma of 1" in notes_of(data)


@pytest.mark.parametrize("chunks", [[(b"gAMA", struct.pack(">I", 45455))], [(b"sRGB", b"\0")], []])
def test_the_usual_gamma_changes_nothing(chunks: list[tuple[bytes, bytes]]) -> None:
    assert np.array_equal(read_image(png(RGB, *chunks)), RGB)
    assert notes_of(png(RGB, *chunks)) == ""


def profile(gamma: float = 2.2) -> bytes:
    """A matrix profile (ICC.1) of Adobe RGB's primaries and a plain gamma."""

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": xyz((0.60974, 0.31111, 0.01947)), b"gXYZ": xyz((0.20528, 0.62567, 0.06087)),
        b"bXYZ": xyz((0.14919, 0.06322, 0.74457)),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 6) + b"Adobe\0" + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
    }  # fmt: skip
    body, table, at = b"", struct.pack(">I", len(tags)), 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += padded
    size = 128 + len(table) + len(body)
    header = struct.pack(">I", size) + bytes(4) + bytes([2, 0x40, 0, 0]) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    header += bytes(68 - len(header)) + struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + table + body


def with_profile(form: str, icc: bytes) -> bytes:
    if form == "png":
        return png(RGB, (b"iCCP", b"own\0\0" + zlib.compress(icc)))
    if form == "tiff":
        return tiff(RGB, extratags=[(34675, 7, len(icc), icc, True)])
    plain = jpeg(RGB, cv2.IMWRITE_JPEG_QUALITY, 100)
    block = b"ICC_PROFILE\0\1\1" + icc
    return plain[:2] + b"\xff\xe2" + struct.pack(">H", len(block) + 2) + block + plain[2:]


@pytest.mark.parametrize("form", ["png", "tiff", "jpeg"])
def test_a_profile_is_applied(form: str) -> None:
    plain = read_image(with_profile(form, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()))
    assert np.abs(plain.astype(int) - RGB).mean() < 3  # sRGB changes nothing
    pixels = read_image(with_profile(form, profile())).astype(int)
    # Adobe's green lies outside sRGB: what is greenish becomes more so, and grey stays.
    chroma = RGB.max(2).astype(int) - RGB.min(2)
    assert (pixels.max(2) - pixels.min(2))[chroma > 60].mean() > chroma[chroma > 60].mean() + 5


@pytest.mark.parametrize("form", ["png", "tiff", "jpeg"])
def test_a_profile_that_cannot_be_read_is_said(form: str) -> None:
    assert "colour profile cannot be read" in notes_of(with_profile(form, b"no profile at all"))


# Pages


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_each_page_is_read(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "run.tif"
    fields = [np.roll(RGB, shift, axis=1) for shift in (0, 40, 90)]
    with tifffile.TiffWriter(path) as writer:
        for field in fields:
            writer.write(field, photometric="rgb", compression=compression, metadata=None)
    pages = pages_of_file(path)
    assert pages is not None
    assert [picture.page for picture in pages.pictures] == [1, 2, 3]
    for page, field in enumerate(fields, start=1):
        assert np.array_equal(read_image(path, page=page), field)
    assert "2 more pictures" in notes_of(path.read_bytes())


@pytest.mark.parametrize("flagged", [True, False])
@pytest.mark.parametrize("names", [NAMED, NAMED[::-1]])
def test_a_thumbnail_is_not_judged_in_place_of_the_picture(
    tmp_path: Path, flagged: bool, names: tuple[str, str]
) -> None:
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as writer:
        for name in names:
            pixels = RGB if name == "field" else cv2.resize(RGB, (64, 48))
            kind = 1 if flagged and name == "overview" else 0
            writer.write(pixels, photometric="rgb", subfiletype=kind, metadata=None)
    assert np.array_equal(read_image(path), RGB)
    pages = pages_of_file(path)
    assert pages is not None
    assert [picture.page for picture in pages.pictures] == [names.index("field") + 1]
    assert ("passed over" in notes_of(path.read_bytes())) == (not flagged)


@pytest.mark.parametrize("order", [("red", "green", "blue"), ("Blue", "Green", "Red")])
def test_three_grey_pages_are_red_green_and_blue(tmp_path: Path, order: tuple[str, ...]) -> None:
    path = tmp_path / "planes.ome.tif"
    planes = np.stack([RGB[..., ("red", "green", "blue").index(name.lower())] for name in order])
    tifffile.imwrite(
        path, planes, photometric="minisblack", ome=True, metadata={"axes": "CYX", "Channel": {"Name": order}}
    )
    assert np.array_equal(read_image(path), RGB)
    assert "red, green and blue" in notes_of(path.read_bytes())


# Size of a pixel


@pytest.mark.parametrize(
    ("options", "microns", "origin"),
    [
        ({"resolution": (1 / 0.25e-4, 1 / 0.25e-4), "resolutionunit": "CENTIMETER"}, 0.25, "TIFF resolution"),
        ({"resolution": (4, 4), "resolutionunit": "NONE", "description": IMAGEJ}, 0.25, "ImageJ"),
        ({"description": "Aperio Image\r\n1x1|AppMag = 40|MPP = 0.2520"}, 0.252, "Aperio"),
        ({"description": '<OME><Pixels PhysicalSizeX="65" PhysicalSizeXUnit="nm" PhysicalSizeY="65" '
          'PhysicalSizeYUnit="nm"/></OME>'}, 0.065, "OME"),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None, ""),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None, ""),
        ({"resolution": (40000, 20000), "resolutionunit": "CENTIMETER"}, None, ""),
        ({"resolution": (1, 1), "resolutionunit": "NONE", "description": "ImageJ=1.54f\nunit=pixel\n"}, None, ""),
        ({}, None, ""),
    ],
)  # fmt: skip
def test_a_plausible_size_of_a_pixel_is_found(options: dict[str, Any], microns: float | None, origin: str) -> None:
    size = open_image(tiff(RGB, **options)).decode().pixel_size
    if microns is None:
        assert size is None
    else:
        assert size is not None
        assert size.microns == pytest.approx(microns, rel=1e-3)
        assert size.origin == origin


@pytest.mark.parametrize(("per_unit", "unit", "microns"), [(40_000, 3, 0.25), (101_600, 2, 0.25), (40_000, 1, None)])
def test_what_a_camera_says_of_its_resolution_is_read(per_unit: int, unit: int, microns: float | None) -> None:
    # TIFF 6.0: centimetres, inches, and no unit; the two rationals lie behind the directory.
    entries = struct.pack("<HHII", 282, 5, 1, 50) + struct.pack("<HHII", 283, 5, 1, 58)
    entries += struct.pack("<HHII", 296, 3, 1, unit)
    block = (
        b"II*\0\x08\0\0\0" + struct.pack("<H", 3) + entries + bytes(4) + struct.pack("<IIII", per_unit, 1, per_unit, 1)
    )
    size = resolution_of(block)
    assert (None if size is None else size.microns) == microns


# Memory


def test_memory_is_bounded_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    side = 14_100
    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    )
    with pytest.raises(ImageTooLargeError, match=r"14100 x 14100 pixels of 16 bits.*takes 2\.4 GB.*8 bits a channel"):
        open_image(data)

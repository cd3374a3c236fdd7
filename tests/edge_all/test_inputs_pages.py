"""Pages of one file and files in other formats: each judged, or said by name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from edge_all.cli.main import build_app
from edge_all.errors import InputNotFoundError
from edge_all.imaging import read_image
from edge_all.inputs import find_images

OTHERS = ("a.czi", "b.nd2", "c.lif", "d.oib", "e.zvi", "f.oir", "g.jxl", "h.svs", "i.ndpi", "j.dcm", "k.vsi", "l.heic")


def pages(path: Path, count: int) -> list[np.ndarray]:
    fields = [np.full((40, 50, 3), 20 * number + 20, np.uint8) for number in range(count)]
    with tifffile.TiffWriter(path) as writer:
        for field in fields:
            writer.write(field, photometric="rgb", metadata=None)
    return fields


def test_each_page_is_an_image_of_its_own(tmp_path: Path) -> None:
    fields = pages(tmp_path / "run.tif", 3)
    pages(tmp_path / "one.tif", 1)
    found = find_images([tmp_path])
    assert [Path(source.image).name for source in found] == ["one.tif", "run.tif#1", "run.tif#2", "run.tif#3"]
    for source, field in zip(found[1:], fields, strict=True):
        assert np.array_equal(source.opened().decode().pixels, field)


def test_a_damaged_tiff_stays_one_image_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_bytes(b"II*\0\xff\xff\xff\xff")
    (source,) = find_images([tmp_path])
    assert source.page is None


def test_files_in_other_formats_are_named(tmp_path: Path) -> None:
    for name in OTHERS:
        (tmp_path / name).write_bytes(b"something")
    with pytest.raises(InputNotFoundError, match=r"12 files \(a\.czi: Zeiss CZI, .*and 2 more\).*Export as TIFF"):
        find_images([tmp_path])
    cv2.imwrite(str(tmp_path / "field.png"), np.zeros((40, 50, 3), np.uint8))
    assert {path.name for path in find_images([tmp_path]).in_other_formats} == set(OTHERS)
    done = CliRunner().invoke(build_app(), ["segment", str(tmp_path), "-o", str(tmp_path / "out")])
    assert "a.czi: Zeiss CZI" in done.output


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.lif", b"\x70\0\0\0\x2a", "Leica LIF"),
        ("a.oib", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Olympus OIB"),
        ("a.zvi", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Zeiss ZVI"),
        ("a.oir", b"OLYMPUSRAWFORMAT", "Olympus OIR"),
        ("a.jxl", b"\xff\x0a", "JPEG XL"),
        ("renamed.jpg", b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        ("a.czi", b"ZISRAWFILE", "Zeiss CZI"),
    ],
)
def test_a_named_file_of_another_format_is_called_what_it_is(
    tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    from edge_all.errors import UnsupportedImageError

    (tmp_path / name).write_bytes(content + bytes(300))
    with pytest.raises(UnsupportedImageError, match=f"{name} is a {kind} file.*Export as TIFF"):
        read_image(tmp_path / name)

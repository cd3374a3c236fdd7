"""Formats that a laboratory may point at and that are not read, by their names: the user is told what to export."""

from __future__ import annotations

from pathlib import PurePath

from edge_all.imaging.tiff_structure import Ifd

__all__ = ["EXPORT_REMEDY", "foreign_kind", "kind_by_ending", "slide_scanner"]

EXPORT_REMEDY = "Export as TIFF (8 bits a channel, one field of view a file) or PNG from the program that wrote it."
"""What to do with a file in another format."""

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"jP  \r\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n\x87\n", "JPEG XL"),
    (4, b"ftyp", "HEIF, AVIF or video"),
    (128, b"DICM", "DICOM"),
    (0, b"%PDF", "PDF"),
    (0, b"ZISRAWFILE", "Zeiss CZI"),
    (0, b"\xda\xce\xbe\x0a", "Nikon ND2"),
    (4, b"jP2 ", "Nikon ND2"),
    (0, b"\x70\0\0\0", "Leica LIF"),
    (0, b"OLYMPUSRAWFORMAT", "Olympus OIR"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Zeiss ZVI, Olympus OIB or other OLE"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x89HDF", "HDF5"),
    (0, b"IIRO", "raw camera"),
    (0, b"IIU\0", "raw camera"),
    (0, b"FUJIFILMCCD-RAW", "raw camera"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"II\xbc\x01", "JPEG XR"),
)
"""Offset, signature and name."""
_ENDINGS = {
    "arw": "raw camera", "avif": "AVIF", "bif": "Ventana BIF", "cr2": "raw camera", "cr3": "raw camera",
    "czi": "Zeiss CZI", "dcm": "DICOM", "dicom": "DICOM", "dng": "raw camera", "gif": "GIF", "heic": "HEIF",
    "heif": "HEIF", "ims": "Imaris", "j2k": "JPEG 2000", "jp2": "JPEG 2000", "jpx": "JPEG 2000", "jxl": "JPEG XL",
    "jxr": "JPEG XR", "lif": "Leica LIF", "lof": "Leica LOF", "lsm": "Zeiss LSM", "mrxs": "3DHISTECH MRXS",
    "nd2": "Nikon ND2", "ndpi": "Hamamatsu NDPI", "nef": "raw camera", "oib": "Olympus OIB", "oif": "Olympus OIF",
    "oir": "Olympus OIR", "orf": "raw camera", "psd": "Photoshop", "qptiff": "PerkinElmer QPTIFF",
    "raf": "raw camera", "rw2": "raw camera", "scn": "Leica SCN", "stk": "MetaMorph STK", "svs": "Aperio SVS",
    "svslide": "Aperio SVS", "vms": "Hamamatsu VMS", "vsi": "Olympus VSI", "webp": "WebP", "xisf": "XISF",
    "zvi": "Zeiss ZVI", "btf": "BigTIFF", "tf2": "BigTIFF", "tf8": "BigTIFF", "jfif": "JPEG", "pjpeg": "JPEG",
}  # fmt: skip


def foreign_kind(data: bytes, name: str) -> str | None:
    """What a file is that is no JPEG, PNG, BMP or TIFF; None where nobody knows.

    Args:
        data: the file, or its first 256 bytes.
        name: its name, whose ending decides between formats that begin alike.
    """
    kind = next((kind for at, mark, kind in _SIGNATURES if data[at : at + len(mark)] == mark), None)
    by_ending = kind_by_ending(name)
    return by_ending if kind is not None and kind.startswith("Zeiss ZVI") and by_ending else kind


def kind_by_ending(name: str | PurePath) -> str | None:
    """What a file is by the ending of its name, where that is a picture of a microscope or camera in another format."""
    return _ENDINGS.get(PurePath(name).suffix[1:].lower())


def slide_scanner(ifd: Ifd) -> str | None:
    """The format of a TIFF that a slide scanner wrote; None of other ones."""
    description = ifd.content(270)
    if description.startswith(b"Aperio"):
        return "Aperio SVS"
    if 65420 in ifd or 65421 in ifd:
        return "Hamamatsu NDPI"
    if b"<scn" in description[:1000]:
        return "Leica SCN"
    if b"<iScan" in ifd.content(700)[:4000]:
        return "Ventana BIF"
    return "PerkinElmer QPTIFF" if b"PerkinElmer-QPI" in description[:1000] else None

"""The skeleton of a TIFF or BigTIFF file, and of an Exif block: directories, tags and their values.

Nothing is decoded, and only the bytes that are asked for are read, so that the pages of a file on a slow drive can be
listed without fetching their pixels. Sources: TIFF 6.0, the BigTIFF note, Exif 2.32.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Protocol

__all__ = ["BytesStore", "FileStore", "Ifd", "Store", "directories"]

MOST_PAGES = 10_000
"""Directories that are followed; a chain that is longer is damaged or made to keep a program busy."""
_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_RATIONAL = 5
_SIZES = {2: 1, 5: 8, 7: 1} | {kind: struct.calcsize(f"={code}") for kind, code in _TYPES.items()}


class Store(Protocol):
    """Bytes at places."""

    length: int

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there.

        Raises:
            struct.error: some lie beyond the end.
        """


class BytesStore:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def read(self, offset: int, size: int) -> bytes:
        """As `Store.read`."""
        if offset + size > self.length:
            raise struct.error("beyond the end")
        return self._data[offset : offset + size]


class FileStore:
    """An open file.

    Args:
        file: opened for reading; stays the caller's.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.length = file.seek(0, 2)

    def read(self, offset: int, size: int) -> bytes:
        """As `Store.read`."""
        if offset + size > self.length:
            raise struct.error("beyond the end")
        self._file.seek(offset)
        return self._file.read(size)


class Ifd:
    """One image file directory.

    Args:
        store: the file.
        start: where the directory lies; None for the first.

    Raises:
        struct.error: it lies beyond the end of the file.
    """

    def __init__(self, store: Store, start: int | None = None) -> None:
        self._store = store
        self.order = "<" if store.read(0, 1) == b"I" else ">"
        self.big = struct.unpack(self.order + "H", store.read(2, 2))[0] == 43
        self._word, head, entry = ("Q", "Q", 20) if self.big else ("I", "H", 12)
        self.link = 8 if self.big else 4
        self.start = self._words(self.link)[0] if start is None else start
        count = struct.unpack(self.order + head, store.read(self.start, struct.calcsize(head)))[0]
        first = self.start + struct.calcsize(head)
        block = store.read(first, count * entry)
        self._entries: dict[int, tuple[int, int, int]] = {}
        for index in range(count):
            tag, kind, values = struct.unpack_from(f"{self.order}HH{self._word}", block, index * entry)
            self._entries[tag] = (kind, values, first + index * entry + 4 + struct.calcsize(self._word))
        self._end = first + count * entry

    @property
    def following(self) -> int:
        """Where the next directory lies; 0 after the last."""
        try:
            return int(self._words(self._end)[0])
        except struct.error:  # the last link was left out, as some writers do
            return 0

    def values(self, tag: int) -> tuple[int, ...]:
        """All integers of a tag; empty where it is missing or of another type.

        Raises:
            struct.error: they lie beyond the end of the data.
        """
        kind, count, at = self._entries.get(tag, (0, 0, 0))
        code = _TYPES.get(kind)
        return () if code is None else struct.unpack(f"{self.order}{count}{code}", self._raw(kind, count, at))

    def value(self, tag: int, default: int) -> int:
        """The first integer of a tag."""
        return next(iter(self.values(tag)), default)

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def rational(self, tag: int) -> float:
        """The first fraction of a tag; 0 where there is none."""
        kind, count, at = self._entries.get(tag, (0, 0, 0))
        if kind != _RATIONAL or not count:
            return 0.0
        above, below = struct.unpack(f"{self.order}II", self._raw(kind, 1, at))
        return above / below if below else 0.0

    def content(self, tag: int) -> bytes:
        """The bytes of a tag of text or of unknown form; empty where it is missing."""
        kind, count, at = self._entries.get(tag, (0, 0, 0))
        return self._raw(kind, count, at) if _SIZES.get(kind) == 1 else b""

    def place(self, tag: int) -> tuple[int, int] | None:
        """Where the values of a tag lie that fit into its entry, and their type; None where there is none."""
        kind, count, at = self._entries.get(tag, (0, 0, 0))
        return (at, kind) if count and _SIZES.get(kind, 99) * count <= struct.calcsize(f"={self._word}") else None

    def _raw(self, kind: int, count: int, at: int) -> bytes:
        size = _SIZES[kind] * count
        if size > self._store.length:  # before that much memory is asked for
            raise struct.error("more values than bytes")
        if size > struct.calcsize(f"={self._word}"):
            at = self._words(at)[0]
        return self._store.read(at, size)

    def _words(self, at: int) -> tuple[int, ...]:
        return struct.unpack(self.order + self._word, self._store.read(at, struct.calcsize(f"={self._word}")))


def directories(store: Store) -> Iterator[Ifd]:
    """The directories of a file in their order, each once.

    Raises:
        struct.error: the first one cannot be read. A chain that breaks later ends there.
    """
    ifd = Ifd(store)
    seen = {ifd.start}
    yield ifd
    while ifd.following and ifd.following not in seen and len(seen) < MOST_PAGES:
        try:
            ifd = Ifd(store, ifd.following)
        except struct.error:
            return
        seen.add(ifd.start)
        yield ifd

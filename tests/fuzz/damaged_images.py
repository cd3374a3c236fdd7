"""Damages images and looks whether anything but pixels or an error of our own comes out; runs as long as you like.

    python tests/fuzz/damaged_images.py [--rounds 5000] [--seed 0] [IMAGE ...]

Each round takes one image, of those named or of the forms made here, and changes bytes in it, cuts it, fills a hole
with zeros or ones, takes a piece out or puts one in twice. What may come out: pixels, ``uint8 [height, width, 3]``, or
an `ImageError` with a remedy. Anything else, and any word on standard error, is printed with the seed and the round
that make it again, and the exit status is 1. `tests/edge_all/test_fuzz.py` runs a few hundred rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile

from edge_all.errors import ImageError
from edge_all.imaging import read_image

Damage = Callable[[np.random.Generator, bytes], bytes]
MAX_PIXELS = 2_000_000


def forms() -> dict[str, bytes]:
    """One small image of each form."""
    coarse = np.random.default_rng(1).integers(0, 256, (9, 12, 3), np.uint8)
    rgb = cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC)
    deep = rgb.astype(np.uint16) * 257
    made = {
        f"{suffix[1:]} {options}": cv2.imencode(suffix, rgb[..., ::-1], options)[1].tobytes()
        for suffix, options in ((".jpg", ()), (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), (".png", ()), (".bmp", ()))
    }
    made["png 16 bit"] = cv2.imencode(".png", deep)[1].tobytes()
    made["png alpha"] = cv2.imencode(".png", np.dstack([rgb, rgb[..., 0]]))[1].tobytes()
    for name, pixels, written in (
        ("tiff", rgb, {}),
        ("tiff tiles", rgb, {"tile": (32, 48)}),
        ("tiff 16 bit deflate", deep, {"compression": "zlib"}),
        ("tiff planes", np.moveaxis(rgb, 2, 0), {"planarconfig": "separate", "tile": (16, 16)}),
        ("bigtiff", rgb, {"bigtiff": True, "byteorder": ">"}),
        ("tiff alpha", np.dstack([rgb, rgb[..., 0]]), {"extrasamples": ["unassalpha"], "compression": "zlib"}),
        ("tiff pages", np.stack([rgb, rgb]), {}),
    ):
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, photometric="rgb", metadata=None, **written)
        made[name] = file.getvalue()
    return made


def changed(rng: np.random.Generator, data: bytes) -> bytes:
    """A few other bytes, most of them in the header."""
    out = bytearray(data)
    end = min(len(out), 400) if rng.random() < 0.7 else len(out)
    for _ in range(int(rng.integers(1, 9))):
        out[int(rng.integers(end))] = int(rng.integers(256))
    return bytes(out)


def cut(rng: np.random.Generator, data: bytes) -> bytes:
    """Without its end, or with zeros in its place."""
    kept = int(rng.integers(len(data)))
    return data[:kept] + bytes(len(data) - kept if rng.random() < 0.5 else 0)


def holed(rng: np.random.Generator, data: bytes) -> bytes:
    """With a piece of zeros or ones."""
    start, size = int(rng.integers(len(data))), int(rng.integers(1, 2000))
    return data[:start] + bytes([int(rng.choice([0, 255]))]) * min(size, len(data) - start) + data[start + size :]


def spliced(rng: np.random.Generator, data: bytes) -> bytes:
    """With a piece taken out, or put in twice."""
    start, size = int(rng.integers(len(data))), int(rng.integers(1, 2000))
    return data[:start] + data[start + size if rng.random() < 0.5 else max(0, start - size) :]


DAMAGES: tuple[Damage, ...] = (changed, cut, holed, spliced)


@contextlib.contextmanager
def caught_on_stderr() -> Iterator[list[bytes]]:
    """What C libraries write to the terminal meanwhile."""
    said: list[bytes] = []
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said.append(file.read())


def outcome(data: bytes) -> tuple[str, str | None]:
    """What reading gives, in a word, and what is wrong with that; None where it may be."""
    with caught_on_stderr() as said:
        try:
            pixels = read_image(data, max_pixels=MAX_PIXELS)
            found = "pixels", None if pixels.dtype == np.uint8 and pixels.shape[2:] == (3,) else str(pixels.shape)
        except ImageError as error:
            found = type(error).__name__, None if error.remedy else "no remedy"
        except BaseException:  # noqa: BLE001 - which is what is looked for
            found = "traceback", traceback.format_exc()
    return found if not said[0] else ("words on standard error", said[0].decode("utf-8", "replace"))


def run(images: dict[str, bytes], rounds: int, seed: int) -> Counter[str]:
    """Damage images so many times; how often each outcome was, what must not be among them as ``FAULT``."""
    counts: Counter[str] = Counter()
    names = sorted(images)
    for number in range(rounds):
        rng = np.random.default_rng((seed, number))
        name = names[number % len(names)]
        damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
        word, fault = outcome(damage(rng, images[name]))
        counts[word] += 1
        if fault is not None:
            counts["FAULT"] += 1
            print(f"seed {seed}, round {number}, {name}, {damage.__name__}: {word}\n{fault}")  # noqa: T201
    return counts


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("images", nargs="*", type=Path)
    options = parser.parse_args()
    images = {str(path): path.read_bytes() for path in options.images} or forms()
    counts = run(images, options.rounds, options.seed)
    print(dict(counts))  # noqa: T201
    return 1 if counts["FAULT"] else 0


if __name__ == "__main__":
    sys.exit(main())

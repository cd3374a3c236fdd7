"""Attacks that anyone can repeat for longer: changed bytes in a package, and runs killed at random moments.

``python tests/attacks/kills_and_bytes.py --seconds 60 --seed 1`` ends with status 0 where each changed byte was refused
and every run that was killed and gone on with has the results of one that was left alone.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from edge_all.errors import ModelError
from edge_all.model.package import default_package_path, load_package
from edge_all.rendering import SmearSpec, render_field

MAIN = "from edge_all.cli.main import main; main()"
FIELDS = 6


def changed_byte_is_refused(scratch: Path, dice: random.Random) -> str | None:
    """Change one byte of a copy of the embedded package; what went wrong, or None."""
    copy = scratch / "package"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(default_package_path(), copy)
    file = dice.choice(sorted(copy.iterdir()))
    content = bytearray(file.read_bytes())
    place, change = dice.randrange(len(content)), dice.randrange(1, 256)
    content[place] ^= change
    file.write_bytes(content)
    try:
        package = load_package(copy)
    except ModelError:
        return None
    if package.card == load_package(default_package_path()).card:
        return None  # white space of the card
    return f"byte {place} of {file.name}, changed by {change}, was not refused"


def killed_run_loses_nothing(scratch: Path, dice: random.Random) -> str | None:
    """Kill a run at random moments and go on with it until it ends; what went wrong, or None."""
    slide = scratch / "slide"
    if not slide.exists():
        slide.mkdir()
        for seed in range(FIELDS):
            pixels = render_field(seed, width=480, height=480, spec=SmearSpec(blasts=2)).pixels
            cv2.imwrite(str(slide / f"{seed}.png"), pixels[..., ::-1])
        subprocess.run(command(slide, scratch / "whole"), check=True, capture_output=True)
    out = scratch / "killed"
    shutil.rmtree(out, ignore_errors=True)
    for _ in range(20):
        process = subprocess.Popen(command(slide, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, said = process.communicate(timeout=dice.uniform(0.3, 3))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            continue
        if process.returncode:
            return f"a resumed run ended with {process.returncode}: {said.decode(errors='replace')[-300:]}"
        break
    else:
        return None  # always too slow: nothing was found out
    if found(out) != found(scratch / "whole"):
        return "a killed run has other results than one that was left alone"
    left = [path.name for path in out.rglob(".*")]
    return f"left behind: {left}" if left else None


def command(slide: Path, out: Path) -> list[str]:
    """One run, begun or gone on with."""
    return [sys.executable, "-c", MAIN, "screen", str(slide), "-o", str(out), "--resume", "--device", "cpu", "--json"]


def found(out: Path) -> dict[str, object]:
    """The cells by image."""
    records = map(json.loads, (out / "fields.jsonl").read_text().splitlines())
    return {record["image"]: record["cells"] for record in records}


def main() -> int:
    """Attack until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311 - to be repeated, not to be secret
    attacks: tuple[Callable[[Path, random.Random], str | None], ...] = (
        changed_byte_is_refused,
        killed_run_loses_nothing,
    )
    counts = dict.fromkeys((attack.__name__ for attack in attacks), 0)
    failures: list[str] = []
    ends = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as scratch:
        while time.monotonic() < ends:
            for attack in attacks:
                problem = attack(Path(scratch), dice)
                counts[attack.__name__] += 1
                failures += [] if problem is None else [problem]
    sys.stdout.write(json.dumps({"seed": options.seed, "attacks": counts, "failures": failures}, indent=2) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

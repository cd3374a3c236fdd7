"""An image for which the memory does not suffice: the system kills the run, and the next one names the image."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.rendering import SmearSpec, render_field

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def with_children(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    # The system is looked through once: for each process anew, looking would take longer than what is watched.
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
        except (OSError, IndexError, ValueError):
            continue
    tree = [process]
    for one in tree:
        tree += children.get(one, [])
    return tree


def resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def first_to_go(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/oom_score_adj").read_text())
    except (OSError, ValueError):
        return 0


def watched(arguments: list[str], limit: float) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a command whose processes together may hold so many bytes; beyond, one is killed as a kernel would.

    Returns:
        What came of it, and the most that they held.
    """
    # What is said is short enough for the pipe.
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    most = 0
    while process.poll() is None:
        held = {one: resident(one) for one in with_children(process.pid)}
        most = max(most, sum(held.values()))
        if sum(held.values()) > limit:
            os.kill(max(held, key=lambda one: (first_to_go(one), held[one])), signal.SIGKILL)
        time.sleep(0.02)
    said, _ = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, said), most


def test_an_image_for_which_the_memory_does_not_suffice_is_set_aside_and_named(
    tmp_path: Path, tiny_package: Path
) -> None:
    images, out = tmp_path / "slide", tmp_path / "out"
    images.mkdir()
    for number in (1, 3):
        field = render_field(number, width=400, height=400, spec=SmearSpec(blasts=1)).pixels
        cv2.imwrite(str(images / f"field{number}.png"), field[..., ::-1])
    screen = [sys.executable, "-m", "edge_all", "screen", str(images), "--model", str(tiny_package), "-o"]
    usual, most = watched([*screen, str(tmp_path / "usual")], float("inf"))
    assert usual.returncode == 0, usual.stdout

    # 192 MB, and 200 kB on disk.
    cv2.imwrite(str(images / "field2.png"), np.full((8_000, 8_000, 3), 200, np.uint8))
    limit = most + 180_000_000
    first, _ = watched([*screen, str(out)], limit)
    assert first.returncode == -signal.SIGKILL, "the image fits after all"
    resumed, _ = watched([*screen, str(out), "--resume"], limit)
    assert resumed.returncode == 1
    assert "field2.png is set aside" in resumed.stdout.replace("\n", " ")
    lines = [json.loads(line) for line in (out / "fields.jsonl").read_text().splitlines()]
    assert {Path(line["image"]).name: line["status"] for line in lines} == {
        "field1.png": "ok",
        "field2.png": "error",
        "field3.png": "ok",
    }

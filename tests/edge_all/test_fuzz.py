"""A few hundred rounds of `tests/fuzz/damaged_images.py`, which anyone can run for longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "fuzz" / "damaged_images.py"


def test_damaged_images_give_pixels_or_an_error_of_our_own() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "300", "--seed", "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "pixels" in done.stdout
    assert "CorruptImageError" in done.stdout

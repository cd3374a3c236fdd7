"""Processes from their start to their exit, as a user waits for them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_all.benchmark.timing import Samples
from edge_all.errors import RuntimeSetupError

__all__ = ["ProcessFigures", "measure_processes"]

STARTS = 5
"""Processes of each kind; the first, which reads the disk's cache full, is not counted."""
TIMEOUT_SECONDS = 3600

# Text and no imports: the command line stands above this room, and nothing may be loaded before the clock runs.
_STARTUP = (
    "import time; begun = time.monotonic(); import edge_all.cli.main; "
    "from edge_all.benchmark.child import main; main(begun)"
)
_COMMAND = (
    "import atexit; from edge_all.benchmark.memory import print_peak_memory; atexit.register(print_peak_memory); "
    "from edge_all.cli.main import main; main()"
)


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """Figures of whole processes.

    Attributes:
        startup: the steps before the first cell is judged: process start, import, model load, first inference, warm
            inference (of one cell).
        commands: whole commands from process start to exit: help, one image, all images.
        peak_memory_mb: of the command over all images, in megabytes; None where the system does not tell.
    """

    startup: dict[str, Samples]
    commands: dict[str, Samples]
    peak_memory_mb: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "startup_ms": {step: samples.to_json() for step, samples in self.startup.items()},
            "commands_ms": {name: samples.to_json() for name, samples in self.commands.items()},
            "peak_memory_mb": None if self.peak_memory_mb is None else round(self.peak_memory_mb, 1),
        }


def measure_processes(
    images: Sequence[Path], *, package: Path, variant: str, device: str, threads: int
) -> ProcessFigures:
    """Start processes and time them; the kinds take turns.

    Args:
        images: all images; the first stands for one.
        package: folder of the model package.
        variant: precision.
        device: as the user names it.
        threads: that compute the network.

    Raises:
        RuntimeSetupError: a process failed.
    """
    model = ("--model", str(package), "--variant", variant, "--device", device, "--threads", str(threads))
    steps: dict[str, list[float]] = {}
    commands: dict[str, list[float]] = {"help": [], "one image": [], "all images": []}
    with tempfile.TemporaryDirectory(prefix="edge-all-benchmark-") as scratch:
        for number in range(STARTS + 1):
            counted = number > 0
            record, _ = _run(_STARTUP, repr(time.monotonic()), str(package), variant, device, str(threads))
            _, help_ms = _run(_COMMAND, "--help")
            _, one_ms = _run(_COMMAND, "screen", str(images[0]), "-o", f"{scratch}/one{number}", "--json", *model)
            if not counted:
                continue
            for step, value in record.items():
                steps.setdefault(step, []).append(value)
            commands["help"].append(help_ms)
            commands["one image"].append(one_ms)
        paths = [str(path) for path in images]
        record, all_ms = _run(_COMMAND, "screen", *paths, "-o", f"{scratch}/all", "--json", *model)
        commands["all images"].append(all_ms)
        memory = record["peak_memory_mb"]
    return ProcessFigures(
        {step: Samples.of(values) for step, values in steps.items()},
        {name: Samples.of(values) for name, values in commands.items()},
        memory,
    )


def _run(program: str, *arguments: str) -> tuple[dict[str, Any], float]:
    """Run a program in a process of its own: the JSON of its last line, and milliseconds from start to exit.

    Raises:
        RuntimeSetupError: it failed, or took far too long.
    """
    started = time.monotonic()
    try:
        # Our own interpreter and modules, no shell.
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
        elapsed = (time.monotonic() - started) * 1e3
        record = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    except subprocess.CalledProcessError as error:
        raise RuntimeSetupError(
            f"A process that was to be timed failed: {error.stderr.strip()[-400:]}", "Run `edge-all doctor`."
        ) from error
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise RuntimeSetupError(
            f"A process that was to be timed did not end well ({type(error).__name__}).", "Run `edge-all doctor`."
        ) from error
    return record, elapsed

"""The network of outlines on ONNX Runtime: one small file and what its card says of it, in a model package or a run.

It runs on the CPU alone: 0.4 ms a window there, less than another device takes to be handed them.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, ModelNotFoundError
from edge_all.segmentation.colour_clustering import GROUND_LEVEL, FloatArray
from edge_all.segmentation.learned_outlines import OutlineNetwork
from edge_all.segmentation.outline_windows import CHANNELS, RED_CELL_PIXELS, WINDOW, seed_disc
from edge_all.session.installation import import_onnxruntime
from edge_all.session.network_structure import structure_problem

__all__ = [
    "GOLDEN_DIFFERENCE",
    "OUTLINE_CARD",
    "OUTLINE_KIND",
    "OUTLINE_SCHEMA",
    "TOGETHER",
    "OpenedOutlines",
    "described_outlines",
    "embedded_outlines",
    "golden_answers",
    "open_outlines",
]

OUTLINE_CARD = "card.json"
OUTLINE_KIND = "outlines"
OUTLINE_SCHEMA = 1
"""Raised whenever an older runtime could misread a newer card."""
GOLDEN_DIFFERENCE = 1e-3
"""Largest difference of a golden answer, for the reasons of `edge_all.model.golden`."""
TOGETHER = 16
"""Windows that the network is shown at once; bounds the memory."""
_LOG_ERRORS_ONLY = 3


class OpenedOutlines:
    """Implements `edge_all.segmentation.learned_outlines.OutlineNetwork`; may be shared between threads.

    Attributes:
        file: name of the network's file.
        sha256: of that file, by which the network is known.
        golden: what it answered where it was tested, see `golden_answers`; None where its card does not say.
    """

    def __init__(
        self,
        session: Any,  # noqa: ANN401  ONNX Runtime carries no types
        folder: Path,
        file: str,
        sha256: str,
        golden: tuple[float, ...] | None,
    ) -> None:
        self._session = session
        self.file, self.sha256, self.golden = file, sha256, golden
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        """A session cannot be sent to another process; the network is opened again there."""
        return open_outlines, (self._folder,)

    def __call__(self, windows: NDArray[np.uint8], /) -> FloatArray:
        """Probabilities ``float32 [n, WINDOW, WINDOW]`` for windows ``uint8 [n, WINDOW, WINDOW, CHANNELS]``."""
        # Several at once take an eighth less time each. A window's answer does not depend on the others (tested).
        parts = (windows[first : first + TOGETHER] for first in range(0, len(windows), TOGETHER))
        answers = [self._session.run(["cell"], {"window": part})[0] for part in parts]
        return np.concatenate(answers) if answers else np.zeros((0, WINDOW, WINDOW), np.float32)


def described_outlines(folder: Path) -> dict[str, Any]:
    """What the card in a folder says of a network of outlines.

    Args:
        folder: of a run of ``edge-all train-outlines``, whose card says nothing else, or of a model package.

    Raises:
        ModelNotFoundError: no card, or one that names no such network.
        ModelIntegrityError: the card is damaged.
    """
    try:
        card = json.loads((folder / OUTLINE_CARD).read_bytes())
        described = card if card.get("kind") == OUTLINE_KIND else card.get("outlines")
    except OSError as error:
        raise _not_found(folder, error.strerror or str(error)) from error
    except (ValueError, AttributeError) as error:
        raise ModelIntegrityError(f"The card in {folder} is damaged.", "Train or install the network again.") from error
    if not isinstance(described, dict):
        raise _not_found(folder, "its card names none")
    return described


def _not_found(folder: Path, reason: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"There is no network of outlines in {folder} ({reason}).",
        "Name the folder of a run of `edge-all train-outlines`; where the embedded network is gone, install edge-all "
        "again.",
    )


def open_outlines(folder: Path) -> OpenedOutlines:
    """Open a network of outlines whose every byte is the one that its card describes.

    Args:
        folder: as for `described_outlines`; the file that its card names lies there, too.

    Raises:
        ModelNotFoundError: no card, none that names such a network, or no such file.
        ModelIntegrityError: the file has another hash than the card says, or the card is damaged.
        ModelIncompatibleError: windows of another kind, or a network that asks for what none may.
        OnnxRuntimeMissingError, OnnxRuntimeConflictError: what is installed cannot run any network.
    """
    card = described_outlines(folder)
    try:
        name, sha256 = Path(card["file"]).name, str(card["sha256"])
        kind = card["schema"], card["kind"], card["window"], card["red_cell_pixels"]
        golden = None if card.get("golden") is None else tuple(map(float, card["golden"]))
        content = (folder / name).read_bytes()
    except OSError as error:
        raise _not_found(folder, error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelIntegrityError(f"The card in {folder} is damaged.", "Train or install the network again.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelIntegrityError(f"{folder / name} is not the file that its card describes.", "Install it again.")
    problem = structure_problem(content)
    if problem is None and kind != (OUTLINE_SCHEMA, OUTLINE_KIND, WINDOW, RED_CELL_PIXELS):
        problem = "it was trained on windows of another kind"
    if problem is not None:
        raise ModelIncompatibleError(
            f"{folder / name} is not a network of outlines for this version: {problem}.",
            "Train it anew with `edge-all train-outlines`.",
        )
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    # Fields are prepared on several threads, each of which runs the network by itself.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    return OpenedOutlines(session, folder, name, sha256, golden)


def golden_answers(network: OutlineNetwork) -> tuple[float, ...]:
    """Mean probability that a network gives each of four windows which every machine can make for itself.

    They are drawn by a formula in whole numbers: schematic cells beside one another, one of them meant.
    """
    row, column = np.mgrid[0:WINDOW, 0:WINDOW].astype(np.int64)
    windows = np.full((4, WINDOW, WINDOW, CHANNELS), GROUND_LEVEL, np.uint8)
    for index, window in enumerate(windows):
        for away, radius, shade in ((0, 13, 0), (9 + 4 * index, 7 + index, 40), (-19, 10, 70 + 10 * index)):
            distance = (row - WINDOW // 2 - away // 2) ** 2 + (column - WINDOW // 2 - away) ** 2
            window[distance < radius**2, :3] = (190 - shade, 170 - shade, 215)
            window[distance < (radius - 4) ** 2, :3] = (110 - shade, 60, 145)
        window[..., 3] = seed_disc(6 + index)
    return tuple(round(float(answer.mean()), 6) for answer in network(windows))


@functools.cache
def embedded_outlines() -> OpenedOutlines:
    """The network in the model package that is embedded in edge-all, opened once a process.

    Raises:
        ModelError, RuntimeSetupError: as for `open_outlines`.
    """
    return open_outlines(Path(__file__).resolve().parent.parent / "models" / "default")

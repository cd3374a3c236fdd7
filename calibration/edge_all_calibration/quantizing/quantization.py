"""INT8 for processors: static, QDQ, per channel, unsigned activations, one factor of every product in a reduced range.

Reduced range, because processors with AVX2 or AVX-512 and without VNNI add two products of 8 bits in 16 and saturate
there, which has cost networks nearly all their accuracy (onnxruntime issue 12072). It suffices that one of the two
factors keeps to 7 bits: 2 x 127 x 127 and 2 x 255 x 64 both stay under 32768. Usually the weights do. The first blocks
can bear that least: on InceptionV3, 144 px, 65 cells, weights of 7 bits everywhere moved the logits by 0.086 (standard
deviation) and the features by 32 % of their spread; with weights of 8 bits and activations of 7 in the first four
blocks it was 0.042 and 6 %, at the same speed. `saturation` makes sure of it, whatever the input.

Static, because dynamic INT8 computes the ranges of every activation at every run: four times slower than FP32 on
InceptionV3, so it is refused.

Ways of finding the ranges and of reducing them are tried and judged by what is decided about real cells. Where none
agrees well enough with FP32, blocks of the network are ranked by the damage that quantising each alone does, and the
worst stay in float.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QDQQuantizer, QuantType
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator
from onnxruntime.quantization.shape_inference import quant_pre_process

from edge_all.errors import ModelIncompatibleError
from edge_all.wording.percentages import percent
from edge_all_calibration.quantizing.average_pools import average_after_projection
from edge_all_calibration.quantizing.blocks import INNER_OPERATORS, network_blocks
from edge_all_calibration.quantizing.saturation import largest_pair_sums, limit_codes
from edge_all_calibration.quantizing.scores import Score

__all__ = ["RANGE_CELLS", "Quantised", "quantise"]

SIZE_LIMIT = 25_000_000
"""Bytes of the INT8 file that keeping blocks in float may lead to: it travels inside the installed package."""
RANGE_CELLS = 96
"""Cells that show the ranges. On 144 px InceptionV3, 40 and 96 cells gave ranges of the same decisions."""
RANGE_BATCH = 8
"""Crops a pass while ranges are collected; every inner tensor of a pass is held in memory (some 25 MB a crop)."""
TARGET_DISAGREEMENT = 0.005
"""Share of calibration cells that may be decided otherwise than by FP32 before blocks are kept in float."""
FLOAT_BLOCKS = 4
"""Blocks kept in float at most: each costs speed."""
METHODS: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "entropy": (CalibrationMethod.Entropy, {"num_bins": 128, "num_quantized_bins": 128}),
    "percentile": (CalibrationMethod.Percentile, {"num_bins": 2048, "percentile": 99.99, "symmetric": False}),
}


REDUCED_ACTIVATIONS = (0, 4, 99)
"""How many of the first blocks reduce their activations instead of their weights, each tried with every method but
entropy, which was never better than min-max."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """Which INT8 network was chosen, and against what.

    Attributes:
        method: how the ranges were found and reduced.
        score: of the chosen network on the calibration cells.
        methods: scores of all ways, everything quantised.
        largest_pair_sum: that any input can cause in 16 bits, see `edge_all_calibration.quantizing.saturation`.
        damage: score of each block quantised alone, worst first; empty where that was not needed.
        float_blocks: blocks kept in float.
    """

    method: str
    score: Score
    methods: dict[str, Score]
    largest_pair_sum: int
    damage: dict[str, Score] = field(default_factory=dict)
    float_blocks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For the card."""

        def shown(scores: dict[str, Score]) -> dict[str, dict[str, float]]:
            return {
                name: {"disagreement": round(score.disagreement, 5), "difference": round(score.difference, 5)}
                for name, score in scores.items()
            }

        return {
            "form": "static QDQ, per channel, weights s8, activations u8, one of the two in 7 bits",
            "method": self.method,
            "largest_pair_sum": self.largest_pair_sum,
            "methods": shown(self.methods),
            "damage_of_block_alone": shown(self.damage),
            "float_blocks": list(self.float_blocks),
        }


def quantise(
    source: Path,
    target: Path,
    crops: NDArray[np.uint8],
    score: Callable[[Path], Score],
    progress: Callable[[str], None],
) -> Quantised:
    """Make the INT8 network that decides most like FP32.

    Args:
        source: the FP32 network.
        target: where the INT8 network goes.
        crops: ``uint8 [n, size, size, 3]`` that show the ranges, from `balanced_choice`.
        score: compares a network file with FP32 on calibration cells.
        progress: told each step.

    Raises:
        ModelIncompatibleError: the network has no convolution.
    """
    with tempfile.TemporaryDirectory(prefix="edge-all-int8-") as scratch:
        folder = Path(scratch)
        exchanged, prepared = folder / "exchanged.onnx", folder / "prepared.onnx"
        model = onnx.load(source)
        average_after_projection(model)
        onnx.save(model, exchanged)
        # Symbolic shape inference is skipped: plain inference knows every shape of a convolutional network.
        quant_pre_process(str(exchanged), str(prepared), skip_symbolic_shape=True)
        network = _Network(prepared, folder)

        scores: dict[str, Score] = {}
        ways: dict[str, tuple[TensorsData, int]] = {}
        for method in METHODS:
            ranges = network.ranges(method, crops)
            for reduced in (0,) if method == "entropy" else network.reductions:
                way = f"{method}, 7-bit {network.reduction(reduced)}"
                ways[way] = ranges, reduced
                scores[way] = score(network.write(folder / f"way{len(ways)}.onnx", ranges, reduced))
                progress(f"INT8 by {way}: {percent(scores[way].disagreement, 2)} of the cells decided otherwise")
        best = min(scores, key=lambda way: scores[way])
        chosen, chosen_score = folder / f"way{list(ways).index(best) + 1}.onnx", scores[best]
        damage: dict[str, Score] = {}
        kept: tuple[str, ...] = ()
        if chosen_score.disagreement > TARGET_DISAGREEMENT:
            damage = _rank(network, ways[best], score, progress)
            worst = list(damage)
            for count in range(1, min(FLOAT_BLOCKS, len(worst)) + 1):
                attempt = network.write(folder / f"float{count}.onnx", *ways[best], worst[:count])
                if attempt.stat().st_size > SIZE_LIMIT:
                    progress(f"INT8 with {', '.join(worst[:count])} in float is too large")
                    break
                attempt_score = score(attempt)
                progress(f"INT8 with {', '.join(worst[:count])} in float: {percent(attempt_score.disagreement, 2)}")
                if attempt_score < chosen_score:
                    chosen, chosen_score, kept = attempt, attempt_score, tuple(worst[:count])
                if chosen_score.disagreement <= TARGET_DISAGREEMENT:
                    break
        shutil.copyfile(chosen, target)
    largest = max(largest_pair_sums(onnx.load(target)).values(), default=0)
    return Quantised(best, chosen_score, scores, largest, damage, kept)


def _rank(
    network: _Network, way: tuple[TensorsData, int], score: Callable[[Path], Score], progress: Callable[[str], None]
) -> dict[str, Score]:
    """Scores of the network with one block alone quantised, worst first."""
    damage = {}
    for block in network.blocks:
        others = [other for other in network.blocks if other != block]
        damage[block] = score(network.write(network.folder / "one.onnx", *way, others))
        progress(f"INT8 in {block} alone: difference {damage[block].difference:.4f}")
    # By the difference: with one block quantised hardly a decision changes, so the count says little.
    return dict(sorted(damage.items(), key=lambda entry: -entry[1].difference))


class _Network:
    """A prepared FP32 network: its blocks, its ranges, and its quantised forms."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.folder = folder
        self._file = file
        graph = onnx.load(file).graph
        self.blocks, self._outside = network_blocks(graph)
        self.reductions = sorted({min(count, len(self.blocks)) for count in REDUCED_ACTIVATIONS})
        self._convolutions = [node for node in graph.node if node.op_type == "Conv"]
        self._maxima = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "MaxPool"}
        self._channels = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
        if not self.blocks:
            raise ModelIncompatibleError(
                "The network has no convolution, and INT8 gains nothing elsewhere.", "Export without INT8."
            )

    def ranges(self, method: str, crops: NDArray[np.uint8]) -> TensorsData:
        """Ranges of the inner tensors over the crops."""
        kind, options = METHODS[method]
        calibrator = create_calibrator(
            str(self._file),
            sorted(INNER_OPERATORS),
            augmented_model_path=str(self.folder / f"{method}.augmented.onnx"),
            calibrate_method=kind,
            extra_options=options,
        )
        # The calibrators print what they do.
        with contextlib.redirect_stdout(io.StringIO()):
            for start in range(0, len(crops), RANGE_BATCH):
                # One pass at a time: the calibrator keeps all tensors of what it is given at once.
                calibrator.collect_data(_OnePass(crops[start : start + RANGE_BATCH]))
            return calibrator.compute_data()

    def reduction(self, reduced: int) -> str:
        """What keeps to 7 bits when so many of the first blocks reduce their activations, in words."""
        if reduced == 0:
            return "weights"
        return "activations" if reduced == len(self.blocks) else f"activations in {reduced} blocks, then weights"

    def _same_scale(self, tensor: str) -> list[str]:
        """A tensor, and those before it whose scale it takes over: a maximum keeps that of what it chooses from."""
        chain = [tensor]
        while chain[-1] in self._maxima:
            chain.append(self._maxima[chain[-1]])
        return chain

    def write(self, target: Path, ranges: TensorsData, reduced: int, float_blocks: Sequence[str] = ()) -> Path:
        """Quantise everything but some blocks.

        Args:
            target: the file.
            ranges: of the inner tensors.
            reduced: so many of the first blocks reduce their activations instead of their weights.
            float_blocks: blocks that stay in float.
        """
        first = {node for block in list(self.blocks)[:reduced] for node in self.blocks[block]}
        overrides = {
            # Per channel: ONNX Runtime wants one entry for each, and the axis in the first.
            node.input[1]: [{"quant_type": QuantType.QInt8, "axis": 0, "reduce_range": False}]
            + [{"reduce_range": False}] * (self._channels[node.input[1]] - 1)
            for node in self._convolutions
            if node.name in first and node.input[1] in self._channels
        }
        halved = {name for node in self._convolutions if node.name in first for name in self._same_scale(node.input[0])}
        excluded = [*self._outside, *(node for block in float_blocks for node in self.blocks[block])]
        quantizer = QDQQuantizer(
            onnx.load(self._file),
            per_channel=True,
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=_with_room(ranges, halved),
            nodes_to_quantize=[],
            nodes_to_exclude=excluded,
            op_types_to_quantize=sorted(INNER_OPERATORS),
            extra_options={"TensorQuantOverrides": overrides},
        )
        root = logging.getLogger()
        level = root.level
        # The quantizer logs a line for each tensor without a range; those are the shape tensors.
        root.setLevel(logging.ERROR)
        try:
            quantizer.quantize_model()
        finally:
            root.setLevel(level)
        limit_codes(quantizer.model.model)
        quantizer.model.save_model_to_file(str(target), False)
        return target


def _with_room(ranges: TensorsData, halved: set[str]) -> TensorsData:
    """The ranges, those of some tensors stretched so that all values seen fall into the lower 127 of 255 steps."""
    stretched = {}
    for name, data in ranges.items():
        low, high = (float(np.asarray(bound).reshape(-1)[0]) for bound in data.range_value)
        low, high = min(low, 0.0), max(high, 0.0)
        if name in halved:
            high = low + (high - low) * 255 / 127
        stretched[name] = (np.float32(low), np.float32(high))
    # Minimum and maximum are what every method ends in.
    return TensorsData(CalibrationMethod.MinMax, stretched)


class _OnePass(CalibrationDataReader):  # type: ignore[misc]
    """Feeds one batch to ONNX Runtime's calibrators."""

    def __init__(self, crops: NDArray[np.uint8]) -> None:
        self._batches: Iterator[dict[str, NDArray[np.uint8]]] = iter([{"image": crops}])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch; None after the last."""
        return next(self._batches, None)

"""The device policy, as values: which execution provider answers to which device, and what to do when it does not.

Nothing here touches ONNX Runtime, so the policy is tested on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_all.errors import DeviceError, UsageError
from edge_all.wording.extras import install_words

__all__ = ["DEVICES", "ProviderPlan", "auto_plans", "choose_provider", "split_batches"]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

DEVICES = {
    "cpu": CPU,
    "cuda": CUDA,
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""Execution provider by the name that the user gives a device."""

_EXTRAS = {
    "cpu": "cpu",
    "cuda": "gpu",
    "tensorrt": "gpu",
    "openvino": "openvino",
    "directml": "directml",
    "coreml": "cpu",
}
"""The extra of edge-all that brings the provider (CoreML comes with the macOS wheel of plain onnxruntime)."""

_AUTO_ORDER = ("cuda", "directml", "openvino", "cpu")
"""What `auto` tries. TensorRT builds an engine for minutes at the first start, and CoreML takes only parts of a network
whose batch is dynamic: both are for those who ask for them."""

CPU_BATCHES = (4, 2, 1)
"""Fixed batch sizes on the CPU. Milliseconds a cell, INT8 InceptionV3 at 160 pixels, for batches of 1, 2, 4, 8 and 16:
on one core 8.7, 8.0, 7.5, 7.3, 7.2; two cores with a batch each 4.6, 4.4, 4.2, 4.1, 4.2. Larger ones gain next to
nothing and take memory: two batches of 8 at a time 18 MB more. With powers of two no cell is computed for nothing.
OpenVINO, which runs on the CPU too, gains as little, and takes 0.1 to 0.8 s for each new size."""

ACCELERATOR_BATCHES = (32, 8)
"""Fixed batch sizes elsewhere: few, because every new shape starts a search for kernels there; the rest of a batch is
padded, which an accelerator hardly notices. Chosen without a measurement of our own."""

_OPTIONS: dict[str, dict[str, Any]] = {
    # The exhaustive search makes the first batch of every shape take seconds; TF32 rounds to 10 bits of mantissa and
    # would change probabilities in the third digit.
    CUDA: {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
}


@dataclass(frozen=True, slots=True)
class ProviderPlan:
    """What to open a session with.

    Attributes:
        requested: the device that the user named.
        provider: the execution provider that the session must report.
        reason: why this provider.
    """

    requested: str
    provider: str
    reason: str

    @property
    def providers(self) -> list[tuple[str, dict[str, Any]]]:
        """The list for ONNX Runtime: the provider with its options, then those that may take single nodes over."""
        names = [self.provider]
        if self.provider == DEVICES["tensorrt"]:
            names.append(CUDA)
        if self.provider != CPU:
            names.append(CPU)
        return [(name, _OPTIONS.get(name, {})) for name in names]

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The fixed batch sizes, largest first."""
        return CPU_BATCHES if self.provider in (CPU, DEVICES["openvino"]) else ACCELERATOR_BATCHES

    def batches_at_once(self, threads: int) -> int:
        """How many batches run side by side, each on its share of the threads.

        On the CPU each thread has a batch to itself. Threads that share one wait for each other at every node of the
        network: 5.4, 4.7 and 4.2 ms a cell in shared batches of 2, 4 and 8, as above, where a batch each takes 4.2.
        Elsewhere there is one device, and DirectML allows one batch at a time.
        """
        return threads if self.provider == CPU else 1


def choose_provider(device: str, available: Sequence[str]) -> ProviderPlan:
    """From the device that the user named to a plan.

    Args:
        device: a key of `DEVICES`; for ``auto`` see `auto_plans`.
        available: providers that the installed ONNX Runtime was built with (which says nothing of the hardware).

    Raises:
        UsageError: no such device.
        DeviceError: the installed ONNX Runtime has no provider for it.
    """
    device = device.lower()
    if device not in DEVICES:
        raise UsageError(
            f"There is no device {device!r}.",
            f"Choose one of: {', '.join(DEVICES)}; or auto, where a model package is opened.",
        )
    if DEVICES[device] not in available:
        raise DeviceError(
            f"Device {device} was asked for, and the installed ONNX Runtime has no {DEVICES[device]} "
            f"(it has: {', '.join(available) or 'none'}).",
            f"Remove the installed onnxruntime package and run, {install_words(_EXTRAS[device])}"
            f"{', on Windows only' if device == 'directml' else ', on macOS only' if device == 'coreml' else ''}; "
            "or use the device auto. `edge-all doctor` shows what is installed.",
            settings=("device",),
        )
    return ProviderPlan(device, DEVICES[device], reason=f"device {device} was asked for")


def auto_plans(available: Sequence[str]) -> tuple[ProviderPlan, ...]:
    """All that `auto` may take, in the order in which they are usually fastest; the CPU last.

    Args:
        available: as for `choose_provider`.
    """
    plans = [
        ProviderPlan("auto", DEVICES[name], reason=f"the installed ONNX Runtime brings {DEVICES[name]}")
        for name in _AUTO_ORDER
        if DEVICES[name] in available and name != "cpu"
    ]
    reason = "the only one that starts" if plans else "no accelerator in the installed ONNX Runtime"
    return (*plans, ProviderPlan("auto", CPU, reason=reason))


def split_batches(count: int, sizes: Sequence[int], *, at_once: int = 1) -> list[tuple[int, int]]:
    """Divide `count` cells into batches of fixed sizes.

    Args:
        count: number of cells.
        sizes: allowed sizes, largest first.
        at_once: batches that run side by side; none is larger than an equal share of the cells.

    Returns:
        ``(cells, size)`` a batch: how many cells it holds, and the size it is padded to.
    """
    share = -(-count // at_once)
    batches = []
    while count:
        most = min(count, share)
        size = next((size for size in sizes if size <= most), sizes[-1])
        cells = min(count, size)
        batches.append((cells, size))
        count -= cells
    return batches

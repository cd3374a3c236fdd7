"""One network file, opened on one execution provider.

Measured on InceptionV3 (160 pixels, FP32 and INT8, 48 crops, ONNX Runtime 1.32, CPU): probabilities and features are
equal to the last bit for batches of 1 to 32, for one thread and two, and whatever else travels in the batch. Activation
maps differ by 4 parts in a million.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import itertools
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import (
    DeviceError,
    ModelError,
    ModelIncompatibleError,
    ModelIntegrityError,
    ModelNotFoundError,
    UsageError,
)
from edge_all.results import ProviderReport
from edge_all.session.cores import available_cores
from edge_all.session.installation import import_onnxruntime
from edge_all.session.network_structure import structure_problem
from edge_all.session.providers import CPU, ProviderPlan, choose_provider, split_batches
from edge_all.time_limit import within_time
from edge_all.wording.extras import install_words

__all__ = ["InferenceSession", "failure_reason", "open_session", "try_provider"]

_OUTPUT_RANKS = {"probability": 1, "features": 2, "activation": 3}
_LOG_ERRORS_ONLY = 3
OPENING_SECONDS = 600
"""For ONNX Runtime to open a network: TensorRT builds an engine of it, minutes long; the CPU takes 0.1 s for INT8."""
FIRST_ANSWER_SECONDS = 120
"""For the first crop: 6 ms on two cores with INT8, 3 s on an old one with FP32."""
_LIBRARY_MARK = " with error: "
_REMEDIES = {
    "cuda": f"Check the driver with nvidia-smi, and install the CUDA libraries, {install_words('gpu')}; ",
    "tensorrt": f"Install NVIDIA TensorRT, and the CUDA libraries, {install_words('gpu')}; ",
}


class InferenceSession:
    """A network of the contract, ready to run; made by `open_session`.

    Attributes:
        provider: which execution provider runs it, and why.
        input_size: side of the input in pixels.
        outputs: names of the network's outputs.
        metadata: the ``metadata_props`` of the file.
    """

    def __init__(
        self,
        session: Any,  # noqa: ANN401  ONNX Runtime carries no types
        plan: ProviderPlan,
        report: ProviderReport,
        errors: tuple[type[Exception], ...],
    ) -> None:
        self._session = session
        self._batch_sizes = plan.batch_sizes
        self._at_once = plan.batches_at_once(report.threads)
        self._workers = ThreadPoolExecutor(self._at_once, thread_name_prefix="edge-all-infer")
        self._errors = errors
        self.provider = report
        self.input_size: int = session.get_inputs()[0].shape[1]
        self.outputs: tuple[str, ...] = tuple(output.name for output in session.get_outputs())
        self._tails = {
            output.name: tuple(size if isinstance(size, int) else 0 for size in output.shape[1:])
            for output in session.get_outputs()
        }
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)

    def explain(self, reason: str) -> None:
        """Say why this provider, where who opened it knows more than the plan did."""
        self.provider = dataclasses.replace(self.provider, reason=reason)

    @property
    def full_load(self) -> int:
        """How many cells make full batches for all that run at once."""
        return self._batch_sizes[0] * self._at_once

    def output_shape(self, name: str) -> tuple[int, ...]:
        """Shape of an output without its batch axis; 0 where the file leaves a size open."""
        return self._tails[name]

    def require_answer(self, model_file: Path) -> None:
        """See to it, before a run, that the network comes to an end: no cell's pixels change how much it computes.

        Raises:
            ModelIncompatibleError: it did not answer for one crop in `FIRST_ANSWER_SECONDS`.
        """
        crop = np.zeros((1, self.input_size, self.input_size, 3), np.uint8)
        options = import_onnxruntime().RunOptions()
        try:
            within_time(
                FIRST_ANSWER_SECONDS,
                lambda: self._session.run(None, {"image": crop}, options),
                # After the operation that it is in.
                stop=lambda: setattr(options, "terminate", True),
            )
        except TimeoutError as error:
            raise _too_slow(model_file, f"gave no answer for one cell within {FIRST_ANSWER_SECONDS:g} s") from error
        except self._errors:
            return  # said, with what to do, when cells are judged

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str] | None = None) -> dict[str, NDArray[np.float32]]:
        """Run the network over any number of crops, in batches of fixed sizes.

        Args:
            images: ``uint8 [n, input_size, input_size, 3]`` RGB.
            outputs: names of the outputs wanted; all where None.

        Returns:
            ``float32 [n, ...]`` by output name.

        Raises:
            UsageError: crops of another size or type.
            ModelError: the network failed, or answered with something that is not a number.
        """
        size = self.input_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (size, size, 3):
            raise UsageError(
                f"The network takes uint8 crops [n, {size}, {size}, 3] and was given {images.dtype} "
                f"{list(images.shape)}.",
                "Cut the crops with edge_all.preprocessing and the package's own specification.",
            )
        names = list(self.outputs if outputs is None else outputs)
        batches = split_batches(len(images), self._batch_sizes, at_once=self._at_once)
        ends = itertools.accumulate(cells for cells, _ in batches)
        parts = [images[end - cells : end] for (cells, _), end in zip(batches, ends, strict=True)]
        answers = list(self._workers.map(lambda part, batch: self._run_batch(part, batch[1], names), parts, batches))
        return {
            name: np.concatenate([answer[index] for answer in answers])
            if answers
            else np.empty((0, *self._tails[name]), np.float32)
            for index, name in enumerate(names)
        }

    def _run_batch(
        self, cells: NDArray[np.uint8], batch_size: int, names: list[str]
    ) -> tuple[NDArray[np.float32], ...]:
        """The outputs for some cells, padded to a batch of a fixed size."""
        batch = np.ascontiguousarray(cells)
        if len(cells) < batch_size:
            batch = np.zeros((batch_size, *cells.shape[1:]), np.uint8)
            batch[: len(cells)] = cells
        try:
            results = self._session.run(names, {"image": batch})
        except self._errors as error:
            raise ModelError(
                f"The network failed on {self.provider.obtained} ({_one_line(str(error))}).",
                "Run `edge-all doctor`; if it finds nothing, try the device cpu.",
                settings=("device",),
            ) from error
        values = [np.asarray(result, np.float32) for result in results]
        for name, value in zip(names, values, strict=True):
            if value.shape[:1] != (batch_size,) or value.size == 0:
                raise ModelIncompatibleError(
                    f"The network's output {name!r} is {list(value.shape)} for {batch_size} cells.",
                    "Use a model package made by `edge-all export`.",
                )
            if not np.isfinite(value).all():
                raise ModelError(
                    f"The network's output {name!r} is not a number on {self.provider.obtained}.",
                    "Do not use these results. Try the device cpu, or another variant of the model; "
                    "`edge-all doctor` compares the network with its golden answers.",
                    settings=("device", "variant"),
                )
        return tuple(value[: len(cells)] for value in values)


def open_session(
    model_file: Path, *, device: str, threads: int | None = None, sha256: str | None = None
) -> InferenceSession:
    """Open a network file on one device.

    Args:
        model_file: an ONNX file with the contract's input and outputs.
        device: ``cpu``, ``cuda``, ``tensorrt``, ``openvino``, ``directml`` or ``coreml``, which is obtained or is an
            error. What ``auto`` takes, `edge_all.selection.choice.select_network` decides.
        threads: that compute the network; as many as the process has cores where None.
        sha256: of the file, where it is known; the very bytes that have it are opened.

    Raises:
        ModelIntegrityError: the file has another hash.
        DeviceError: the device asked for is not the one that the session got.
        ModelNotFoundError: no such file.
        ModelIncompatibleError: not a network of the contract, or one that this ONNX Runtime cannot run.
        OnnxRuntimeMissingError, OnnxRuntimeConflictError: what is installed cannot run any network.
        UsageError: no such device, or less than one thread.
    """
    plan = choose_provider(device, import_onnxruntime().get_available_providers())
    session, failure = try_provider(model_file, plan, threads=threads, sha256=sha256)
    if session is None:
        raise DeviceError(
            f"Device {plan.requested} was asked for, and {plan.provider} did not start: {failure}.",
            _REMEDIES.get(plan.requested, "") + "or use the device auto. `edge-all doctor` shows what is installed.",
            settings=("device",),
        )
    return session


def try_provider(
    model_file: Path, plan: ProviderPlan, *, threads: int | None = None, sha256: str | None = None
) -> tuple[InferenceSession | None, str]:
    """Open a network file on the provider of a plan and on no other.

    Args:
        model_file: as for `open_session`.
        plan: from `edge_all.session.providers`.
        threads: as for `open_session`.
        sha256: as for `open_session`.

    Returns:
        The session, or None and why the provider did not start. The CPU always starts.

    Raises:
        ModelNotFoundError, ModelIntegrityError, ModelIncompatibleError, OnnxRuntimeMissingError,
            OnnxRuntimeConflictError, UsageError: as for `open_session`.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads were asked for.", "Give 1 or more, or leave it out.")
    network = _read_network(model_file, sha256)
    onnxruntime = import_onnxruntime()
    # Warnings about absent hardware would otherwise be printed into the user's output.
    onnxruntime.set_default_logger_severity(_LOG_ERRORS_ONLY)
    threads = available_cores() if threads is None else threads
    errors = _runtime_errors(onnxruntime)
    if plan.provider == CPU:
        session, failure = _create(onnxruntime, network, plan, threads, errors), ""
    else:
        session, failure = _try_accelerator(onnxruntime, network, plan, threads, errors)
    if session is None:
        return None, failure
    report = ProviderReport(plan.requested, plan.provider, plan.reason, threads)
    checked = _checked(session, plan, report, model_file, errors)
    checked.require_answer(model_file)
    return checked, ""


def _too_slow(model_file: Path, what: str) -> ModelIncompatibleError:
    return ModelIncompatibleError(
        f"The network {model_file} {what}.",
        "Do not use this package, or try a variant of fewer bits or another device.",
        settings=("variant", "device"),
    )


@dataclass(frozen=True, slots=True)
class _NetworkFile:
    """A network file and what was read of it: what was looked at is what is opened, whatever lies there by then."""

    path: Path
    content: bytes


def _read_network(model_file: Path, sha256: str | None) -> _NetworkFile:
    """Read a network file once.

    Raises:
        ModelNotFoundError: there is none.
        ModelIntegrityError: it has another hash.
        ModelIncompatibleError: it asks for what no package may.
    """
    try:
        content = model_file.read_bytes()
    except OSError as error:
        raise ModelNotFoundError(
            f"There is no network file {model_file} that can be read ({error.strerror or error}).",
            "Install the model package again.",
        ) from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ModelIntegrityError(
            f"{model_file} was changed since the package was verified.",
            "Do not use it; install the package again from where you trust it.",
        )
    problem = structure_problem(content)
    if problem is not None:
        raise ModelIncompatibleError(
            f"{model_file} is not a network of an edge-all model package: {problem}.",
            "Use a model package made by `edge-all export`.",
        )
    return _NetworkFile(model_file, content)


def _runtime_errors(onnxruntime: ModuleType) -> tuple[type[Exception], ...]:
    """The exceptions of ONNX Runtime, which share no base of their own."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    raised = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*raised, RuntimeError, ValueError)


def _create(
    onnxruntime: ModuleType,
    network: _NetworkFile,
    plan: ProviderPlan,
    threads: int,
    errors: tuple[type[Exception], ...],
) -> Any:  # noqa: ANN401  ONNX Runtime carries no types
    """Open the file with ONNX Runtime.

    Raises:
        ModelIncompatibleError: it is no network, or one that cannot run here.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.intra_op_num_threads = threads // plan.batches_at_once(threads)
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the cores that decode and segment the next field.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Patterns reserve memory for every batch size: 27 MB more on FP32, at the same speed. Without the arena batches of
    # one take 25 % longer.
    options.enable_mem_pattern = False
    try:
        # enable_fallback: no second attempt on the CPU behind our back, and nothing printed.
        session = within_time(
            OPENING_SECONDS,
            lambda: onnxruntime.InferenceSession(network.content, options, providers=plan.providers, enable_fallback=0),
            # Between two steps of opening; computing all constants is one of them.
            stop=lambda: options.set_load_cancellation_flag(True),
        )
    except TimeoutError as error:
        raise _too_slow(network.path, f"could not be opened within {OPENING_SECONDS:g} s") from error
    except errors as error:
        raise ModelIncompatibleError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open {network.path} ({_without_source(str(error))}).",
            "Use a model package made by `edge-all export`; a newer one may need a newer onnxruntime.",
        ) from error
    # Kept for as long as the session is, 24 MB, for opening it again on other providers, which nobody asks for.
    session._model_bytes = None
    return session


def _try_accelerator(
    onnxruntime: ModuleType,
    network: _NetworkFile,
    plan: ProviderPlan,
    threads: int,
    errors: tuple[type[Exception], ...],
) -> tuple[Any, str]:
    """A session on the plan's provider and no reason, or no session and the reason.

    The session's own list of providers decides: those available are only those that were compiled in.

    Raises:
        ModelIncompatibleError: the file cannot be opened on the CPU either.
    """
    with _captured_output() as captured:
        if "CUDA" in plan.provider or "Tensorrt" in plan.provider:
            # Finds the libraries that pip installed, without LD_LIBRARY_PATH. It prints what it misses.
            preload = getattr(onnxruntime, "preload_dlls", None)
            if preload is not None:
                preload()
        try:
            session = _create(onnxruntime, network, plan, threads, errors)
        except ModelIncompatibleError as error:
            # A file that the CPU cannot open either says nothing of the device.
            on_cpu = choose_provider("cpu", onnxruntime.get_available_providers())
            _create(onnxruntime, network, on_cpu, threads, errors)
            cause = _without_source(str(error.__cause__))
            session = None
        else:
            cause = ""
            if session.get_providers()[0] != plan.provider:
                session = None
    if session is not None:
        return session, ""
    return None, failure_reason(captured.getvalue(), cause)


def failure_reason(log: str, cause: str = "") -> str:
    """Why a provider did not start, short enough for a sentence.

    Args:
        log: what ONNX Runtime printed meanwhile.
        cause: the message of its exception, where it raised one.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # The library that the provider's own library lacks: the innermost cause there is.
    for line in lines:
        if _LIBRARY_MARK in line:
            return _one_line(line.rsplit(_LIBRARY_MARK, 1)[1])
    if cause:
        return _without_source(cause)
    telling = [line for line in lines if any(word in line.lower() for word in ("error", "fail", "not found", "cannot"))]
    return _one_line(telling[0]) if telling else "ONNX Runtime gave no reason"


def _without_source(text: str) -> str:
    """What ONNX Runtime says, in one line, without the file, the line and the C++ signature that raised it.

    They are longer than the reason itself, which would be cut off behind them.
    """
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^Load model from .*? failed:\s*", "", text)
    return _one_line(re.sub(r"^/\S+:\d+ \S.*?\) (?=[A-Z])", "", text))


def _one_line(text: str) -> str:
    """Text without line breaks, at most 300 characters, without a full stop at the end."""
    text = " ".join(text.split())
    return (text if len(text) <= 300 else text[:299] + "…").rstrip(".")


@contextlib.contextmanager
def _captured_output() -> Iterator[io.StringIO]:
    """Hold back what C++ and Python print meanwhile: it is the reason of a failure, not output."""
    captured = io.StringIO()
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log, contextlib.redirect_stdout(captured), contextlib.redirect_stderr(captured):
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield captured
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            log.seek(0)
            captured.write(log.read().decode(errors="replace"))


def _checked(
    session: Any,  # noqa: ANN401  ONNX Runtime carries no types
    plan: ProviderPlan,
    report: ProviderReport,
    model_file: Path,
    errors: tuple[type[Exception], ...],
) -> InferenceSession:
    """The session, if its network has the contract's input and outputs.

    Raises:
        ModelIncompatibleError: it has not.
    """
    problem = _contract_problem(session)
    if problem:
        raise ModelIncompatibleError(
            f"{model_file} is not a network of an edge-all model package: {problem}.",
            "Use a model package made by `edge-all export`.",
        )
    return InferenceSession(session, plan, report, errors)


def _contract_problem(session: Any) -> str | None:  # noqa: ANN401  ONNX Runtime carries no types
    """What a network lacks of the contract, None where it lacks nothing."""
    inputs = session.get_inputs()
    if [one.name for one in inputs] != ["image"]:
        return f"its inputs are {[one.name for one in inputs]}, not ['image']"
    image = inputs[0]
    square = (
        len(image.shape) == 4
        and not isinstance(image.shape[0], int)
        and isinstance(image.shape[1], int)
        and image.shape[1] == image.shape[2]
        and image.shape[3] == 3
    )
    if image.type != "tensor(uint8)" or not square:
        return f"its input is {image.type} {image.shape}, not tensor(uint8) ['batch', side, side, 3]"
    outputs = {output.name: output for output in session.get_outputs()}
    if "probability" not in outputs:
        return f"it has no output 'probability' (it has {sorted(outputs)})"
    for name, rank in _OUTPUT_RANKS.items():
        output = outputs.get(name)
        if output is not None and (output.type != "tensor(float)" or len(output.shape) != rank):
            return f"its output {name!r} is {output.type} {output.shape}, not tensor(float) of {rank} dimensions"
    return None

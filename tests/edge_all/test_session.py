"""The device policy, the cores, and sessions that say what they got."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.errors import (
    DeviceError,
    ModelIncompatibleError,
    ModelNotFoundError,
    OnnxRuntimeConflictError,
    OnnxRuntimeMissingError,
    UsageError,
)
from edge_all.session import (
    DEVICES,
    available_cores,
    choose_provider,
    import_onnxruntime,
    inference,
    open_session,
)
from edge_all.session.cores import cgroup_quota
from edge_all.session.inference import InferenceSession, failure_reason
from edge_all.session.installation import installed_onnxruntimes
from edge_all.session.providers import ACCELERATOR_BATCHES, CPU_BATCHES, auto_plans, split_batches

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
GPU_BUILD = ("TensorrtExecutionProvider", CUDA, CPU)


@pytest.fixture
def network(tiny_package: Path) -> Path:
    return tiny_package / "model.fp32.onnx"


# --- The policy, without any hardware.


@pytest.mark.parametrize(
    ("available", "provider"),
    [
        ((CPU,), CPU),
        (("AzureExecutionProvider", CPU), CPU),
        (GPU_BUILD, CUDA),
        (("OpenVINOExecutionProvider", CPU), "OpenVINOExecutionProvider"),
        (("DmlExecutionProvider", CPU), "DmlExecutionProvider"),
        (("CoreMLExecutionProvider", CPU), CPU),
    ],
)
def test_auto_takes_the_accelerator_of_the_build_and_says_why(available: tuple[str, ...], provider: str) -> None:
    plans = auto_plans(available)
    assert plans[0].provider == provider
    assert plans[-1].provider == CPU
    assert all(plan.requested == "auto" and plan.reason for plan in plans)


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_a_device_that_is_named_is_the_plan_or_an_error(device: str) -> None:
    plan = choose_provider(device.upper(), [DEVICES[device], CPU])
    assert plan.provider == DEVICES[device]
    assert plan.providers[0][0] == DEVICES[device]
    if device != "cpu":
        with pytest.raises(DeviceError, match=DEVICES[device]) as error:
            choose_provider(device, [CPU])
        assert "in the source folder of edge-all: pip install '.[" in error.value.remedy


def test_a_device_that_does_not_exist_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="'gpu0'") as error:
        choose_provider("gpu0", GPU_BUILD)
    assert "cuda" in error.value.remedy


def test_cuda_does_not_round_to_ten_bits() -> None:
    options = dict(choose_provider("cuda", GPU_BUILD).providers)
    assert options[CUDA]["use_tf32"] == "0"


@given(st.integers(0, 500), st.sampled_from([CPU_BATCHES, ACCELERATOR_BATCHES, (1,)]), st.integers(1, 9))
def test_batches_hold_every_cell_once_in_fixed_sizes(count: int, sizes: tuple[int, ...], at_once: int) -> None:
    batches = split_batches(count, sizes, at_once=at_once)
    assert sum(cells for cells, _ in batches) == count
    assert all(size in sizes and 0 < cells <= size for cells, size in batches)
    assert sum(size - cells for cells, size in batches) < sizes[-1]


@given(st.integers(1, 500), st.integers(1, 9))
def test_no_batch_is_larger_than_its_share(count: int, at_once: int) -> None:
    assert max(cells for cells, _ in split_batches(count, CPU_BATCHES, at_once=at_once)) <= -(-count // at_once)


# --- Cores.


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(("limit", "cores"), [("150000 100000", 1.5), ("50000 100000", 0.5), ("max 100000", None)])
def test_quota_of_control_groups_version_2(tmp_path: Path, limit: str, cores: float | None) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/system.slice/station\n")
    write(tmp_path / "sys/fs/cgroup/system.slice/station/cpu.max", limit)
    assert cgroup_quota(tmp_path) == cores


def test_the_tightest_quota_of_all_groups_around_counts(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/outer/inner\n")
    write(tmp_path / "sys/fs/cgroup/outer/cpu.max", "200000 100000")
    write(tmp_path / "sys/fs/cgroup/outer/inner/cpu.max", "400000 100000")
    assert cgroup_quota(tmp_path) == 2


@pytest.mark.parametrize(("quota", "cores"), [("250000", 2.5), ("-1", None)])
def test_quota_of_control_groups_version_1(tmp_path: Path, quota: str, cores: float | None) -> None:
    # The path is the host's; inside a container the group is mounted at the root.
    write(tmp_path / "proc/self/cgroup", "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n")
    write(tmp_path / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", quota)
    write(tmp_path / "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert cgroup_quota(tmp_path) == cores


@pytest.mark.parametrize("content", ["", "nonsense", "1 2 3", "100000 0"])
def test_a_quota_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/\n")
    write(tmp_path / "sys/fs/cgroup/cpu.max", content)
    assert cgroup_quota(tmp_path) is None
    assert cgroup_quota(tmp_path / "nowhere") is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_are_those_that_this_process_may_use() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert 1 <= available_cores() <= len(before)


# --- What is installed.


def fake_distribution(folder: Path, name: str) -> None:
    write(
        folder / f"{name.replace('-', '_')}-9.9.dist-info/METADATA",
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n",
    )


def test_two_onnxruntimes_in_one_folder_are_a_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_distribution(tmp_path, "onnxruntime")
    fake_distribution(tmp_path, "onnxruntime-gpu")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OnnxRuntimeConflictError, match=r"onnxruntime 9\.9, onnxruntime-gpu 9\.9") as error:
        import_onnxruntime()
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in error.value.remedy
    assert "pip install '.[gpu]'" in error.value.remedy


def test_two_onnxruntimes_in_different_folders_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_distribution(tmp_path, "onnxruntime-gpu")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "onnxruntime-gpu" in {one.name for one in installed_onnxruntimes()}
    assert hasattr(import_onnxruntime(), "InferenceSession")


def test_no_onnxruntime_says_which_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OnnxRuntimeMissingError) as error:
        import_onnxruntime()
    assert "pip install '.[cpu]'" in error.value.remedy


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise ImportError('DLL load failed')", "DLL load failed"),
        ("import a_package_that_is_not_there", "a_package_that_is_not_there"),
        ("", "incomplete"),
    ],
)
def test_a_broken_onnxruntime_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, problem: str
) -> None:
    write(tmp_path / "onnxruntime/__init__.py", source)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OnnxRuntimeMissingError, match=problem):
        import_onnxruntime()
    sys.modules.pop("onnxruntime", None)


def test_ctrl_c_while_onnxruntime_starts_is_no_broken_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As pybind11 does it.
    write(tmp_path / "onnxruntime/__init__.py", "raise ImportError('initialization failed') from KeyboardInterrupt()")
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        import_onnxruntime()
    sys.modules.pop("onnxruntime", None)


# --- Sessions.


def pretend_gpu_build(monkeypatch: pytest.MonkeyPatch, *, starts: bool, raises: str = "") -> None:
    """An ONNX Runtime that was built with CUDA, on a machine where it starts or does not."""
    real = import_onnxruntime()

    def session(path: Path, options: object, *, providers: list, enable_fallback: int) -> object:
        assert enable_fallback == 0
        opened = real.InferenceSession(path, options, providers=[CPU])
        if providers[0][0] != CPU:
            if raises:
                raise RuntimeError(raises)
            if not starts:
                os.write(2, b"2026 [E:onnxruntime] Failed to load library x.so with error: libcudnn.so.9: not found\n")
                return opened
            return SimpleNamespace(
                get_providers=lambda: [CUDA, CPU],
                get_inputs=opened.get_inputs,
                get_outputs=opened.get_outputs,
                get_modelmeta=opened.get_modelmeta,
                run=opened.run,
            )
        return opened

    fake = SimpleNamespace(
        InferenceSession=session,
        SessionOptions=real.SessionOptions,
        RunOptions=real.RunOptions,
        capi=real.capi,
        get_available_providers=lambda: list(GPU_BUILD),
        preload_dlls=lambda: print("Failed to load libcublas"),  # noqa: T201  as the real one does
        set_default_logger_severity=real.set_default_logger_severity,
        __version__="0",
    )
    monkeypatch.setattr("edge_all.session.inference.import_onnxruntime", lambda: fake)


def test_auto_is_no_device_of_a_session(network: Path) -> None:
    with pytest.raises(UsageError, match="'auto'") as error:
        open_session(network, device="auto")
    assert "where a model package is opened" in error.value.remedy


def test_cuda_that_does_not_start_is_an_error(
    network: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pretend_gpu_build(monkeypatch, starts=False)
    with pytest.raises(DeviceError, match=r"libcudnn\.so\.9") as error:
        open_session(network, device="cuda")
    assert "nvidia-smi" in error.value.remedy
    assert capfd.readouterr() == ("", "")


def test_cuda_that_raises_is_an_error_with_its_reason(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu_build(monkeypatch, starts=False, raises="CUDA failure 35: driver version is insufficient")
    with pytest.raises(DeviceError, match="driver version is insufficient"):
        open_session(network, device="cuda")


def test_cuda_that_starts_is_what_the_report_names(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu_build(monkeypatch, starts=True)
    session = open_session(network, device="cuda")
    assert session.provider.obtained == CUDA
    crops = np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
    plain = open_session(network, device="cpu").run(crops)
    for name, values in session.run(crops).items():
        assert np.allclose(values, plain[name], atol=1e-6)


def test_a_file_that_no_device_can_open_is_not_laid_at_the_door_of_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpu_build(monkeypatch, starts=True)
    damaged = tmp_path / "network.onnx"
    damaged.write_bytes(b"no network")
    with pytest.raises(ModelIncompatibleError, match="cannot open"):
        open_session(damaged, device="cuda")


def test_cuda_is_an_error_where_only_the_cpu_is(network: Path) -> None:
    if CUDA in import_onnxruntime().get_available_providers():
        pytest.skip("this ONNX Runtime was built with CUDA")
    with pytest.raises(DeviceError, match="no CUDAExecutionProvider"):
        open_session(network, device="cuda")


@pytest.mark.gpu
def test_cuda_on_real_hardware_agrees_with_the_cpu(network: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    gpu, cpu = open_session(network, device="cuda"), open_session(network, device="cpu")
    assert gpu.provider.obtained == CUDA
    assert np.allclose(gpu.run(crops)["probability"], cpu.run(crops)["probability"], atol=1e-5)


def test_the_reason_is_the_innermost_one() -> None:
    log = (
        "Failed to load libcublas\n[E] FAIL : Failed to load library y.so with error: libcublasLt.so.13: no such file\n"
    )
    assert failure_reason(log) == "libcublasLt.so.13: no such file"
    assert failure_reason(log, "RuntimeError: install TensorRT") == "libcublasLt.so.13: no such file"
    assert failure_reason("", "/src/a.cc:7 void f(int, char) Please install it.") == "Please install it"
    signature = "/src/a.h:46 void f(" + "int, " * 80 + "int) "
    long_cause = f"[ONNXRuntimeError] : 1 : FAIL : Load model from /a/b.onnx failed:{signature}Too new."
    assert failure_reason("", long_cause) == "Too new"
    assert failure_reason("noise\nCUDA error 3\n") == "CUDA error 3"
    assert failure_reason("") == "ONNX Runtime gave no reason"
    assert len(failure_reason("", "x " * 5000)) <= 300


def test_threads_of_the_cpu_run_batches_side_by_side(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = open_session(network, device="cpu", threads=2)
    together = threading.Barrier(2)
    run_batch = InferenceSession._run_batch

    def once_two_are_there(self: InferenceSession, *arguments: Any) -> Any:  # noqa: ANN401 - as the real one
        together.wait(timeout=60)
        return run_batch(self, *arguments)

    monkeypatch.setattr(InferenceSession, "_run_batch", once_two_are_there)
    crops = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    # Breaks the barrier where one waits for the other to end.
    assert session.run(crops)["probability"].shape == (2,)


def test_an_open_network_does_not_hold_its_file(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    read = inference._read_network

    def noting(model_file: Path, sha256: str | None) -> object:
        found = read(model_file, sha256)
        contents.append(found.content)
        return found

    monkeypatch.setattr(inference, "_read_network", noting)
    session = open_session(network, device="cpu")
    gc.collect()
    holding = sys.getrefcount(contents[0])
    # The list and the call.
    assert holding == 2
    assert session.input_size


def test_a_full_load_is_a_full_batch_for_each_thread_of_the_cpu(network: Path) -> None:
    session = open_session(network, device="cpu", threads=3)
    batches = split_batches(session.full_load, CPU_BATCHES, at_once=3)
    assert batches == [(CPU_BATCHES[0], CPU_BATCHES[0])] * 3


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_answers_to_the_bit_on_any_number_of_threads(network: Path, threads: int) -> None:
    crops = np.random.default_rng(4).integers(0, 256, (23, 32, 32, 3), dtype=np.uint8)
    alone = open_session(network, device="cpu", threads=1).run(crops)
    for name, values in open_session(network, device="cpu", threads=threads).run(crops).items():
        # Activation maps depend on the size of the batch in the last digits, see the module.
        tolerance = 1e-5 if name == "activation" else 0.0
        np.testing.assert_allclose(values, alone[name], rtol=0, atol=tolerance)


def test_outputs_are_those_of_the_contract(network: Path, tiny_outputs: Callable[..., tuple]) -> None:
    session = open_session(network, device="cpu", threads=1)
    crops = np.random.default_rng(3).integers(0, 256, (21, 32, 32, 3), dtype=np.uint8)
    outputs = session.run(crops)
    probability, features = tiny_outputs(crops)
    assert set(outputs) == {"probability", "features", "activation"}
    assert outputs["probability"] == pytest.approx(probability, abs=1e-5)
    assert np.allclose(outputs["features"], features, atol=1e-5)
    assert outputs["activation"].shape == (21, 15, 15)
    assert {values.dtype for values in outputs.values()} == {np.dtype(np.float32)}
    assert session.provider.threads == 1
    assert session.metadata["edge_all.name"] == "tiny"
    empty = session.run(crops[:0])
    assert [empty[name].shape for name in ("probability", "features", "activation")] == [(0,), (0, 8), (0, 15, 15)]
    assert list(session.run(crops, ("features",))) == ["features"]
    flipped = session.run(crops[:, ::-1, ::-1])
    assert np.isfinite(flipped["probability"]).all()


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, 32, 32, 3), np.float32),
        np.zeros((2, 31, 32, 3), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((2, 3, 32, 32), np.uint8),
    ],
)
def test_crops_of_another_form_are_refused(network: Path, crops: np.ndarray) -> None:
    with pytest.raises(UsageError, match="uint8 crops"):
        open_session(network, device="cpu").run(crops)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"image": "x"}, "inputs"),
        ({"probability": "y"}, "no output 'probability'"),
        ({"batch_axis": 4}, "its input is"),
    ],
)
def test_a_foreign_network_is_refused_with_the_reason(
    tmp_path: Path, tiny_network: Callable[..., None], options: dict, problem: str
) -> None:
    tiny_network(tmp_path / "m.onnx", 32, {}, **options)
    with pytest.raises(ModelIncompatibleError, match=problem):
        open_session(tmp_path / "m.onnx", device="cpu")


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"<html>", b"\x08\x08"])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelIncompatibleError, match=r"cannot open|not a network"):
        open_session(tmp_path / "m.onnx", device="cpu")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        open_session(tmp_path / "m.onnx", device="cpu")


def test_no_threads_are_wrong_usage(network: Path) -> None:
    with pytest.raises(UsageError, match="0 threads"):
        open_session(network, device="cpu", threads=0)

"""The doctor: it finds what is broken, names the remedy, and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edge_all.classification.verification import check_networks
from edge_all.cli import doctor as verb
from edge_all.doctor import examine
from edge_all.doctor import probe as probing
from edge_all.doctor.examination import _golden_check, _provider_check
from edge_all.doctor.hardware import (
    check_camera_folder,
    check_instruction_sets,
    check_working_folder,
    instruction_sets,
)
from edge_all.doctor.packages import check_installed_packages
from edge_all.doctor.probe import Probe, probe
from edge_all.doctor.remembered_times import check_choice
from edge_all.doctor.software import check_edge_all, check_onnxruntime, check_opencv, check_python
from edge_all.files.cache_folder import CACHE_VARIABLE
from edge_all.model.package import load_package
from edge_all.model.store import install, store_path
from edge_all.selection import select_network
from edge_all.selection.timings import write_timings


@pytest.fixture(autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model store of the test's own, on every system."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setenv("LOCALAPPDATA", str(home))
    monkeypatch.setattr(Path, "home", lambda: home)
    return store_path()


def fake_distribution(folder: Path, name: str, version: str = "9.9") -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(file), file.stat().st_mtime_ns) for file in folder.rglob("*"))


def test_a_machine_in_order_is_healthy_and_left_as_it_was(tiny_package: Path, tmp_path: Path) -> None:
    before = listing(tmp_path)
    report = examine(model=str(tiny_package), folder=tmp_path, camera_folder=tmp_path)
    checks = {check.name: check for check in report.checks}
    assert report.healthy, report
    assert {"Python", "ONNX Runtime", "OpenCV", "cores", "model package", "device cpu", "golden answers"} <= set(checks)
    assert "CPUExecutionProvider" in checks["device cpu"].finding
    assert "fp32 variant" in checks["device cpu"].finding
    assert checks["golden answers"].status == "ok"
    assert all(check.status == "ok" or check.remedy for check in report.checks)
    assert listing(tmp_path) == before


def test_a_changed_model_is_a_problem_and_the_other_checks_still_answer(tiny_package: Path, tmp_path: Path) -> None:
    with (tiny_package / "model.fp32.onnx").open("ab") as stream:
        stream.write(b"!")
    report = examine(model=str(tiny_package), folder=tmp_path)
    checks = {check.name: check for check in report.checks}
    assert not report.healthy
    assert checks["model package"].status == "problem"
    assert "model.fp32.onnx" in checks["model package"].finding
    assert checks["working folder"].status == "ok"


@pytest.mark.usefixtures("devices_tried_here")
def test_an_installed_package_that_fails_verification_is_a_problem(
    tiny_package_factory: Callable[..., Path], tmp_path: Path
) -> None:
    assert check_installed_packages().status == "ok"
    sound, damaged = (install(str(tiny_package_factory(name=name)), check_networks).path for name in ("sound", "ours"))
    assert check_installed_packages().status == "ok"
    with (damaged / "model.fp32.onnx").open("ab") as stream:
        stream.write(b"!")
    report = examine(model=str(sound), folder=tmp_path)
    check = next(check for check in report.checks if check.name == "installed packages")
    assert (check.status, report.healthy) == ("problem", False)
    assert "ours 1.0" in check.finding
    assert "sound" not in check.finding
    assert "edge-all model install" in str(check.remedy)


def test_without_an_onnxruntime_the_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    report = examine(folder=tmp_path)
    checks = {check.name: check for check in report.checks}
    assert not report.healthy
    assert "pip install '.[cpu]'" in str(checks["ONNX Runtime"].remedy)
    assert "not tried" in checks["model package"].finding


def test_two_onnxruntimes_are_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_distribution(tmp_path, "onnxruntime")
    fake_distribution(tmp_path, "onnxruntime-openvino")
    monkeypatch.syspath_prepend(str(tmp_path))
    check = check_onnxruntime()
    assert check.status == "problem"
    assert "pip uninstall -y onnxruntime onnxruntime-openvino" in str(check.remedy)


def test_onnxruntimes_in_two_folders_are_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_distribution(tmp_path, "onnxruntime-training")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert check_onnxruntime().status == "warning"


def test_two_opencv_wheels_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_distribution(tmp_path, "opencv-python")
    fake_distribution(tmp_path, "opencv-python-headless")
    monkeypatch.syspath_prepend(str(tmp_path))
    check = check_opencv()
    assert check.status == "warning"
    assert "opencv-python 9.9" in check.finding
    assert "pip uninstall -y opencv-python-headless" in str(check.remedy)


def test_an_opencv_that_does_not_import_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    check = check_opencv()
    assert check.status == "problem"
    assert "opencv-python-headless" in str(check.remedy)


def test_parts_of_different_versions_are_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_distribution(tmp_path, "edge-all-export", "0.0.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert check_edge_all().status == "warning"


def test_an_old_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_python().status == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert check_python().status == "problem"


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni", "ok", "8-bit products in hardware, the INT8 variant is much the f"),
        ("flags\t\t: fpu avx2", "ok", "no VNNI; the INT8 variant (reduced range) is still the fastest"),
        ("Features\t: fp asimd asimddp", "ok", "Arm dot product"),
        ("flags\t\t: fpu sse2", "warning", "slow"),
    ],
)
def test_instruction_sets_say_what_they_mean_for_the_variant(
    tmp_path: Path, line: str, status: str, words: str
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n")
    found = instruction_sets(tmp_path / "cpuinfo")
    check = check_instruction_sets(found, int8=True)
    assert check.status == status
    assert words in check.finding
    without = check_instruction_sets(found, int8=False)
    assert without.status == status
    assert "INT8" not in without.finding, "of a variant that the package lacks nothing is said"


def test_instruction_sets_are_known_without_linux_too(tmp_path: Path) -> None:
    found = instruction_sets(tmp_path / "nowhere")
    assert found is None or isinstance(found, frozenset)
    assert check_instruction_sets(None, int8=True).status == "warning"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_folders_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_working_folder(tmp_path).status == "ok"
    assert check_working_folder(tmp_path / "nowhere").status == "problem"
    assert check_camera_folder(tmp_path / "nowhere").status == "problem"
    assert check_camera_folder(tmp_path).status == "ok"
    # Permissions do not bind the user root, under whom tests may run.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert check_working_folder(tmp_path).status == "problem"


def test_a_nearly_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_all.doctor.hardware.ENOUGH_DISK", 2**62)
    assert check_working_folder(tmp_path).status == "warning"


def test_a_device_that_does_not_start_tells_why(tiny_package: Path) -> None:
    result = probe("directml", tiny_package)
    assert not result.started
    assert "DmlExecutionProvider" in result.finding


@pytest.mark.parametrize(
    ("returned", "finding"),
    [
        (subprocess.CompletedProcess([], -11, "", "boom\n"), "killed by signal 11"),
        (subprocess.CompletedProcess([], 3, "not json\n", "boom\n"), "exit status 3"),
        (subprocess.CompletedProcess([], 0, "", ""), "said nothing"),
        (subprocess.TimeoutExpired([], 1), "no answer within"),
        (FileNotFoundError(2, "No such file"), "could not be tried"),
    ],
)
def test_a_process_that_dies_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, returned: object, finding: str
) -> None:
    def run(*_: object, **__: object) -> object:
        if isinstance(returned, BaseException):
            raise returned
        return returned

    monkeypatch.setattr(probing.subprocess, "run", run)
    assert finding in probe("cpu", tmp_path).finding


def test_wrong_arithmetic_is_a_problem_everywhere() -> None:
    wrong = Probe(True, "CUDAExecutionProvider", golden=False, difference=0.4)
    assert _provider_check("device cuda", wrong, required=False).status == "problem"
    assert _golden_check(wrong).status == "problem"
    assert _golden_check(Probe(True, "", None, None)).status == "warning"
    assert _golden_check(Probe(False, "")).status == "warning"
    assert _provider_check("device cuda", Probe(False, "no driver"), required=False).status == "warning"
    assert _provider_check("device cpu", Probe(False, "no"), required=True).status == "problem"


def test_the_verb_prints_json_and_ends_with_the_right_status(tiny_package: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    verb.register(app)
    result = CliRunner().invoke(app, ["--json", "--model", str(tiny_package), "--folder", str(tmp_path)])
    assert result.exit_code == 0
    record = json.loads(result.output)
    assert record["healthy"]
    assert record["version"] == 1
    assert {"name", "status", "finding", "remedy"} == set(record["checks"][0])
    result = CliRunner().invoke(app, ["--model", str(tmp_path / "nowhere"), "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "Research Use Only" in result.output


@pytest.mark.usefixtures("devices_tried_here")
def test_the_choice_of_auto_is_shown_and_not_made(
    tiny_package: Path, tiny_package_factory: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    assert "nothing is measured" in check_choice(load_package(tiny_package)).finding
    package = load_package(tiny_package_factory(variants=("fp32", "int8")))
    assert "the next run measures int8 on CPU, fp32 on CPU" in check_choice(package).finding
    assert probe("auto", package.path).started
    assert not (tmp_path / "cache").exists(), "the doctor changes nothing"
    select_network(package, measure=lambda session: 4.1 if "int8" in session.metadata["edge_all.variant"] else 9.8)
    finding = check_choice(package).finding
    assert "int8 on CPU 4.1 ms a cell, fp32 on CPU 9.8 ms a cell" in finding
    assert str(tmp_path / "cache" / "timings.json") in finding
    assert probe("auto", package.path).finding.count("measured: int8 4.1 ms a cell, fp32 9.8 ms") == 1


def test_times_that_cannot_be_kept_are_a_warning_with_the_remedy(
    tiny_package_factory: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = load_package(tiny_package_factory(variants=("fp32", "int8")))
    # A file in the folder's place binds the user root, too, under whom tests may run.
    (tmp_path / "file").touch()
    places = [tmp_path / "file" / "cache", *([Path("/proc/nope")] if sys.platform == "linux" else [])]
    for place in places:
        monkeypatch.setenv(CACHE_VARIABLE, str(place))
        check = check_choice(package)
        assert (check.status, write_timings({}, {"int8": 4.1})) == ("warning", False)
        assert check.finding.startswith("every run measures int8 on CPU, fp32 on CPU anew")
        assert check.finding.endswith(f"cannot be kept in {place}")
        assert CACHE_VARIABLE in str(check.remedy)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "new" / "cache"))
    assert (check_choice(package).status, (tmp_path / "new").exists()) == ("ok", False)


def test_a_user_without_a_home_keeps_no_times(
    tiny_package_factory: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_all.selection.timings.timings_file", lambda: None)
    monkeypatch.setattr("edge_all.doctor.remembered_times.timings_file", lambda: None)
    check = check_choice(load_package(tiny_package_factory(variants=("fp32", "int8"))))
    assert check.status == "warning"
    assert "this user's, who has none" in check.finding


@pytest.mark.usefixtures("devices_tried_here")
def test_nothing_is_said_of_int8_where_the_package_has_none(
    tiny_package: Path, tiny_package_factory: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_all.doctor.examination.instruction_sets", lambda: frozenset({"AVX2"}))
    both = tiny_package_factory(variants=("fp32", "int8"))
    for package, said in ((tiny_package, False), (both, True), (tmp_path / "nowhere", False)):
        (check,) = (
            check for check in examine(model=str(package), folder=tmp_path).checks if check.name == "instruction sets"
        )
        assert ("INT8" in check.finding) == said


def test_a_device_that_the_doctor_tries_was_not_asked_for(tiny_package: Path) -> None:
    tried = probe("cpu", tiny_package)
    assert tried.finding.startswith("CPUExecutionProvider, ")
    assert "asked for" not in tried.finding
    assert "; " in probe("auto", tiny_package).finding, "why auto chose it is said"

"""What `--device auto` measures, what it remembers, and when it does neither."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_all.errors import ModelError, ModelNotFoundError
from edge_all.files.cache_folder import CACHE_VARIABLE
from edge_all.model.package import ModelPackage, load_package
from edge_all.selection import Selected, choice, select_network
from edge_all.selection.machine import machine_key
from edge_all.selection.timings import MOST_TIMINGS, read_timings, timings_file, write_timings
from edge_all.session import InferenceSession, ProviderPlan

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
MACHINE = {"processor": "a"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "timings.json"


@pytest.fixture
def package(tiny_package_factory: Callable[..., Path]) -> ModelPackage:
    return load_package(tiny_package_factory(variants=("fp32", "int8")))


class Clock:
    """Stands for the measurement: milliseconds by variant and provider."""

    def __init__(self, times: dict[tuple[str, str], float]) -> None:
        self.times = times
        self.measured: list[tuple[str, str]] = []

    def __call__(self, session: InferenceSession) -> float:
        what = (session.metadata["edge_all.variant"], session.provider.obtained)
        self.measured.append(what)
        return self.times[what]


def cpu_clock(int8: float, fp32: float) -> Clock:
    return Clock({("int8", CPU): int8, ("fp32", CPU): fp32})


@pytest.mark.parametrize(("int8", "fp32", "chosen"), [(4.1, 9.8, "int8"), (9.8, 4.1, "fp32"), (4.1, 4.0, "int8")])
def test_the_fastest_is_chosen_and_the_usual_one_when_none_clearly_is(
    package: ModelPackage, int8: float, fp32: float, chosen: str
) -> None:
    selected = select_network(package, measure=cpu_clock(int8, fp32))
    assert selected.variant == selected.session.metadata["edge_all.variant"] == chosen
    assert selected.variant_reason == f"measured: int8 {int8} ms a cell, fp32 {fp32} ms".replace("4.0", "4")
    assert selected.session.provider.reason == selected.variant_reason
    assert (selected.session.provider.requested, selected.session.provider.obtained) == ("auto", CPU)


def test_it_is_measured_once_on_a_machine(package: ModelPackage, cache: Path) -> None:
    select_network(package, measure=cpu_clock(9, 3))
    assert len(json.loads(cache.read_text())["ms_per_cell"]) == 2
    again = cpu_clock(1, 1)
    selected = select_network(package, measure=again)
    assert not again.measured
    assert selected.variant == "fp32"
    assert selected.variant_reason == "measured: int8 9 ms a cell, fp32 3 ms"


def test_other_threads_and_other_models_are_measured_anew(
    package: ModelPackage, tiny_package_factory: Callable[..., Path]
) -> None:
    select_network(package, threads=1, measure=cpu_clock(9, 3))
    other_threads = cpu_clock(3, 9)
    assert select_network(package, threads=2, measure=other_threads).variant == "int8"
    assert len(other_threads.measured) == 2
    other_model = cpu_clock(3, 9)
    newer = load_package(tiny_package_factory(variants=("fp32", "int8"), version="2"))
    select_network(newer, threads=1, measure=other_model)
    assert len(other_model.measured) == 2
    remembered = cpu_clock(1, 1)
    assert select_network(package, threads=1, measure=remembered).variant == "fp32"
    assert not remembered.measured


@pytest.mark.parametrize("changed", ["processor", "instruction_sets", "onnxruntime", "providers", "nvidia_driver"])
def test_another_machine_driver_or_package_forgets(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    select_network(package, measure=cpu_clock(9, 3))
    monkeypatch.setattr(choice, "machine_key", lambda *a: {**machine_key(*a), changed: "another"})
    clock = cpu_clock(3, 9)
    assert select_network(package, measure=clock).variant == "int8"
    assert len(clock.measured) == 2


def test_one_candidate_is_never_measured_and_reads_no_cache(
    tiny_package: Path, package: ModelPackage, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "read_timings", lambda _: pytest.fail("the cache was read"))
    monkeypatch.setattr(choice, "machine_key", lambda *_: pytest.fail("the machine was looked at"))
    clock = cpu_clock(1, 1)
    only = select_network(load_package(tiny_package), measure=clock)
    assert only.variant_reason == "the only one in the package"
    named = select_network(package, variant="fp32", measure=clock)
    assert (named.variant, named.variant_reason) == ("fp32", "it was asked for")
    assert select_network(package, device="cpu", measure=clock).variant == "int8"
    assert not clock.measured
    assert not cache.exists()


def test_a_variant_that_is_not_there_is_an_error(package: ModelPackage) -> None:
    with pytest.raises(ModelNotFoundError, match="no fp16 variant"):
        select_network(package, variant="fp16")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"schema": 1}', '{"schema": 99, "machine": {}, "ms_per_cell": {}}', "\x00", "[" * 9999],
)
def test_a_damaged_cache_is_as_good_as_none(package: ModelPackage, cache: Path, content: str) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    clock = cpu_clock(9, 3)
    assert select_network(package, measure=clock).variant == "fp32"
    assert len(clock.measured) == 2
    assert json.loads(cache.read_text())["schema"] == 1


def test_times_that_are_none_are_not_believed(cache: Path) -> None:
    assert write_timings(MACHINE, {"good": 2.0, "negative": -1.0, "zero": 0.0, "no number": float("nan")})
    assert read_timings(MACHINE) == {"good": 2.0}
    cache.write_text('{"schema": 1, "machine": {"processor": "a"}, "ms_per_cell": {"a": "fast"}}')
    assert read_timings(MACHINE) == {}


def test_a_folder_that_cannot_be_written_is_measured_each_time(
    package: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    for _ in range(2):
        clock = cpu_clock(9, 3)
        assert select_network(package, measure=clock).variant == "fp32"
        assert len(clock.measured) == 2


def test_nothing_is_written_where_nothing_is_to_be_remembered(package: ModelPackage, cache: Path) -> None:
    assert select_network(package, measure=cpu_clock(9, 3), remember=False).variant == "fp32"
    assert not cache.exists()


def test_old_times_make_room() -> None:
    write_timings(MACHINE, {str(number): 1.0 for number in range(MOST_TIMINGS + 3)})
    assert list(read_timings(MACHINE)) == [str(number) for number in range(3, MOST_TIMINGS + 3)]


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CACHE_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    assert timings_file() is None
    assert read_timings(MACHINE) == {}
    assert not write_timings(MACHINE, {"a": 1.0})


# --- Several providers, without their hardware: sessions run on the CPU and say that they run elsewhere.


@pytest.fixture
def graphics_card(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A build with CUDA; ``starts`` says whether the card works."""
    card = SimpleNamespace(starts=True, tried=0)
    real = choice.try_provider
    version = choice.import_onnxruntime().__version__

    def pretend(file: Path, plan: ProviderPlan, *, threads: int, sha256: str) -> tuple[InferenceSession | None, str]:
        if plan.provider == CPU:
            return real(file, plan, threads=threads, sha256=sha256)
        card.tried += 1
        if not card.starts:
            return None, "libcudnn.so.9 is missing"
        session, _ = real(file, dataclasses.replace(plan, provider=CPU), threads=threads, sha256=sha256)
        session.provider = dataclasses.replace(session.provider, obtained=plan.provider)
        return session, ""

    monkeypatch.setattr(choice, "try_provider", pretend)
    monkeypatch.setattr(
        choice,
        "import_onnxruntime",
        lambda: SimpleNamespace(__version__=version, get_available_providers=lambda: [CUDA, CPU]),
    )
    return card


def all_clock(cuda: float, cpu: float) -> Clock:
    return Clock({(variant, place): ms for variant in ("int8", "fp32") for place, ms in ((CUDA, cuda), (CPU, cpu))})


def test_every_variant_on_every_provider_that_starts(package: ModelPackage, graphics_card: SimpleNamespace) -> None:
    clock = all_clock(0.5, 4)
    selected = select_network(package, measure=clock)
    assert sorted(clock.measured) == [("fp32", CPU), ("fp32", CUDA), ("int8", CPU), ("int8", CUDA)]
    assert selected.session.provider.obtained == CUDA
    assert selected.variant == "fp32", "no faster than the usual choice of the provider"
    assert selected.variant_reason == (
        "measured: fp32 on CUDA 0.5 ms a cell, int8 on CUDA 0.5 ms, int8 on CPU 4 ms, fp32 on CPU 4 ms"
    )
    assert graphics_card.tried == 3
    assert select_network(package, measure=clock).session.provider.obtained == CUDA
    assert len(clock.measured) == 4
    assert graphics_card.tried == 4, "what is known to be fastest is opened, and nothing else"


def test_a_slow_card_loses(package: ModelPackage, graphics_card: SimpleNamespace) -> None:
    assert graphics_card.starts
    assert select_network(package, measure=all_clock(5, 4)).session.provider.obtained == CPU


def test_a_card_that_does_not_start_is_named_and_tried_again(
    package: ModelPackage, tiny_package: Path, graphics_card: SimpleNamespace
) -> None:
    graphics_card.starts = False
    absent = f"{CUDA} is installed but did not start (libcudnn.so.9 is missing)"
    selected = select_network(package, measure=all_clock(1, 4))
    assert selected.session.provider.obtained == CPU
    assert selected.session.provider.reason == f"measured: int8 4 ms a cell, fp32 4 ms; {absent}"
    one = select_network(load_package(tiny_package), measure=lambda _: pytest.fail("measured"))
    assert one.session.provider.reason == absent
    graphics_card.starts = True
    assert select_network(package, measure=all_clock(1, 4)).session.provider.obtained == CUDA


def test_a_card_that_was_chosen_and_is_gone_gives_way(package: ModelPackage, graphics_card: SimpleNamespace) -> None:
    select_network(package, measure=all_clock(1, 4))
    graphics_card.starts = False
    clock = all_clock(1, 4)
    selected: Selected = select_network(package, measure=clock)
    assert selected.session.provider.obtained == CPU
    assert not clock.measured


def test_a_card_that_fails_at_work_gives_way(package: ModelPackage, graphics_card: SimpleNamespace) -> None:
    def measure(session: InferenceSession) -> float:
        if session.provider.obtained == CUDA:
            raise ModelError("out of memory", "buy more")
        return 4.0

    selected = select_network(package, measure=measure)
    assert selected.session.provider.obtained == CPU
    assert "out of memory" in selected.session.provider.reason
    assert graphics_card.tried == 1


# --- What stands for the machine.


def test_the_machine_is_its_processor_packages_and_driver(tmp_path: Path) -> None:
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").write_text("model name : A\nflags : avx2 sse\n\nmodel name : A\nflags : avx2 sse\n")
    (tmp_path / "proc/driver/nvidia/version").write_text("NVRM version: 580.1\nGCC\n")
    key = machine_key("1.22", [CUDA, CPU], tmp_path)
    assert key["processor"] == "A"
    assert key["nvidia_driver"] == "NVRM version: 580.1"
    assert key["providers"] == f"{CUDA}, {CPU}"
    assert machine_key("1.22", [CPU], tmp_path)["nvidia_driver"] == "", "no card is used, so no driver matters"
    (tmp_path / "proc/cpuinfo").write_text("model name : A\nflags : avx2 avx512_vnni sse\n")
    assert machine_key("1.22", [CUDA, CPU], tmp_path)["instruction_sets"] != key["instruction_sets"]


def test_the_measurement_is_milliseconds_a_cell(package: ModelPackage) -> None:
    session = select_network(package, variant="fp32").session
    assert 0 < choice.measured_ms_per_cell(session) < 1000

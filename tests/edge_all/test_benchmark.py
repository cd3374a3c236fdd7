"""A benchmark measures everything that it promises, and compares like with like."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edge_all.benchmark import measuring, processes, yardsticks
from edge_all.benchmark.chart import benchmark_svg
from edge_all.benchmark.compare import Change, compare_benchmarks, share_of
from edge_all.benchmark.machine_description import processor_name
from edge_all.benchmark.memory import peak_memory_mb
from edge_all.benchmark.planning import Plan, prepare_benchmark
from edge_all.benchmark.processes import ProcessFigures
from edge_all.benchmark.recorded import Recorded, read_recorded
from edge_all.benchmark.run_figures import BARE, WHOLE, BenchmarkReport, ConfigurationFigures
from edge_all.benchmark.timing import Samples
from edge_all.benchmark.workload import Workload, own_images, prepare_workload
from edge_all.benchmark.yardsticks import BareNetwork, other_yardsticks
from edge_all.classification.classifier import Classifier
from edge_all.cli.benchmark_tables import disturbed_sentence, print_report, slower_sentence
from edge_all.cli.main import build_app
from edge_all.errors import InputError, MissingPackageError, RuntimeSetupError, UsageError
from edge_all.model.card import VariantName
from edge_all.model.package import load_package
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import INTENDED_USE, ModelIdentity, ProviderReport


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patient-name")
    for seed in range(2):
        field = render_field(seed, width=480, height=480, spec=SmearSpec(blasts=3, platelets=1))
        cv2.imwrite(str(folder / f"field{seed}.png"), field.pixels[..., ::-1])
    (folder / "torn.png").write_bytes(b"no image")
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_app(), ["benchmark", *map(str, arguments)])


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, make_tiny_package: Callable[..., Path]) -> Path:
    return make_tiny_package(tmp_path_factory.mktemp("benchmarked") / "package")


@pytest.fixture(scope="module", autouse=True)
def few_starts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "STARTS", 1)
        yield


class Measured(NamedTuple):
    """One benchmark, which the tests look at and none changes."""

    result: Result
    out: Path
    report: BenchmarkReport


@pytest.fixture(scope="module")
def measured(slide: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    out = tmp_path_factory.mktemp("measured") / "out"
    options = ("--model", package, "--threads", 1, "--batch", 1, "--batch", 8, "--rounds", 2, "--json")
    reports: list[BenchmarkReport] = []
    measure = measuring.run_benchmark

    def kept(*arguments: Any, **more: Any) -> BenchmarkReport:  # noqa: ANN401 - handed through
        reports.append(measure(*arguments, **more))
        return reports[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "run_benchmark", kept)
        result = run(slide, "-o", out, *options)
    return Measured(result, out, reports[0])


def test_a_run_says_all_that_it_promises(measured: Measured) -> None:
    result, out, _ = measured
    assert result.exit_code == 0, result.output
    record = json.loads((out / "benchmark.json").read_text())
    assert json.loads(result.stdout) == record
    assert record["schema"] == 1
    assert record["intended_use"] == INTENDED_USE
    assert record["machine"]["hardware"].keys() >= {"processor", "cores_usable", "vnni", "operating_system"}
    assert record["machine"]["software"].keys() >= {"python", "numpy", "opencv", "onnxruntime", "edge-all"}
    assert record["images"]["fields"] == 2, "an image that cannot be judged is no work to be timed"
    assert record["images"]["left_out"] == 1
    assert "torn.png is left out: " in result.stderr
    assert "neither JPEG, PNG" in result.stderr
    assert record["images"]["cells"] >= 4
    assert "patient" not in json.dumps(record)
    (one,) = record["configurations"]
    assert (one["variant"], one["provider"], one["threads"]) == ("fp32", "CPUExecutionProvider", 1)
    steps = ["process start", "import", "model load", "first inference", "warm inference"]
    assert list(one["startup_ms"]) == steps
    assert all(step["min"] > 0 for step in one["startup_ms"].values())
    assert one["startup_ms"]["import"]["p50"] > one["startup_ms"]["warm inference"]["p50"]
    stages = {"decode", "quality", "segmentation", "preprocessing", "inference", "outputs", "aggregation (run)"}
    assert one["stages_ms"].keys() >= stages
    for stage in stages - {"aggregation (run)"}:
        samples = one["stages_ms"][stage]
        assert samples["n"] == 2
        assert samples["min"] <= samples["p50"] <= samples["p90"] <= samples["p95"] <= samples["p99"] <= samples["max"]
    assert one["runs_ms"].keys() >= {WHOLE, BARE}
    assert one["runs_ms"][WHOLE]["n"] == 2
    assert one["runs_ms"][BARE]["times_the_floor"] == 1
    assert one["runs_ms"][WHOLE]["times_the_floor"] > 1, "a whole screen cannot be faster than its network alone"
    assert one["runs_ms"][WHOLE]["fields_per_s"] == pytest.approx(2e3 / one["runs_ms"][WHOLE]["p50"], rel=0.01)
    assert list(one["batches_ms_per_cell"]) == ["1", "8"]
    assert one["commands_ms"]["help"]["p50"] < one["commands_ms"]["one image"]["p50"]
    assert one["peak_memory_mb"] is None or 20 < one["peak_memory_mb"] < 2000


def test_the_chart_is_a_picture_of_these_figures(measured: Measured) -> None:
    out = measured.out
    svg = (out / "benchmark.svg").read_text(encoding="utf-8")
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    texts = "".join(root.itertext())
    assert root.tag.endswith("svg")
    for words in (WHOLE, BARE, "segmentation", "inference", INTENDED_USE):
        assert words in texts
    widths = [float(bar.get("width", "0")) for bar in root.iter() if bar.tag.endswith("rect") and bar.get("x")]
    assert len(widths) > 8
    assert min(widths) >= 0
    assert all(
        float(bar.get("x", "0")) + float(bar.get("width", "0")) < 960
        for bar in root.iter()
        if bar.tag.endswith("rect") and bar.get("x")
    )


def figures(
    variant: VariantName, whole: float, bare: float, *, stages: dict[str, Samples] | None = None
) -> ConfigurationFigures:
    """Of two fields; whole and bare are milliseconds for both together."""
    once = Samples((1.0,))
    return ConfigurationFigures(
        model=ModelIdentity("example", "2.1", variant, variant, "c4"),
        provider=ProviderReport("auto", "CPUExecutionProvider", "because", 2),
        processes=ProcessFigures({"import": once}, {"help": once, "one image": once}, None),
        stages=stages
        or {
            "decode": Samples((10.0, 30.0)),
            "segmentation": Samples((40.0, 15.0)),
            "aggregation (run)": Samples((0.1,)),
        },
        runs={WHOLE: Samples((whole, whole)), BARE: Samples((bare, bare))},
        computing={WHOLE: Samples((whole, whole)), BARE: Samples((2 * bare, 2 * bare))},
        batches={1: once},
        cores=2,
    )


def report_of(*configurations: ConfigurationFigures, rounds: int = 2) -> BenchmarkReport:
    hardware = {"processor": "one", "cores_usable": 2, "vnni": None}
    return BenchmarkReport(
        machine={"hardware": hardware, "software": {}},
        images={"kind": "own", "fields": 2, "cells": 1, "megapixels": 1.0},
        rounds=rounds,
        configurations=configurations,
        created="2026-01-02T03:04:05+00:00",
    )


def bars(svg: str) -> list[tuple[str, float, str]]:
    """Of each bar what it says, its width and its colour."""
    rectangles = [one for one in ET.fromstring(svg).iter() if one.tag.endswith("rect") and len(one)]  # noqa: S314
    return [(one[0].text or "", float(one.get("width", "nan")), one.get("fill", "")) for one in rectangles]


def test_the_bars_of_all_configurations_have_one_scale() -> None:
    drawn = bars(benchmark_svg(report_of(figures("fp32", 244.0, 120.0), figures("int8", 138.0, 40.0))))
    widths = {words: width for words, width, _ in drawn}
    for milliseconds in (60.0, 69.0, 20.0):
        name = f"{WHOLE if milliseconds == 69 else BARE}: {milliseconds:.1f} ms"
        assert widths[name] / widths[f"{WHOLE}: 122.0 ms"] == pytest.approx(milliseconds / 122, abs=2e-3)
    stages = figures("int8", 1.0, 1.0, stages={"decode": Samples((5.0, 5.0)), "segmentation": Samples((1.0, 1.0))})
    drawn = bars(benchmark_svg(report_of(figures("fp32", 1.0, 1.0), stages)))
    widths = {words: width for words, width, _ in drawn}
    assert widths["decode: 5.0 ms"] / widths["decode: 20.0 ms"] == pytest.approx(0.25, abs=2e-3)


def test_a_colour_of_the_chart_has_one_meaning() -> None:
    many = {f"stage {number}": Samples((1.0, 1.0)) for number in range(8)}
    meanings: dict[str, set[str]] = {}
    other = figures("int8", 9.0, 2.0, stages=dict(reversed(many.items())))
    drawn = bars(benchmark_svg(report_of(figures("fp32", 9.0, 5.0, stages=many), other)))
    for words, _, colour in drawn:
        meanings.setdefault(colour, set()).add(words.partition(":")[0])
    assert all(len(names) == 1 for names in meanings.values()), meanings
    assert len(meanings) == 10


def test_the_chart_says_of_what_it_is_and_when() -> None:
    words = " ".join(ET.fromstring(benchmark_svg(report_of(figures("int8", 9.0, 5.0), rounds=1))).itertext())  # noqa: S314
    assert "example 2.1, 2026-01-02" in words
    assert "one round" in words
    assert "2 fields (your own), 1 cell" in words
    assert "1 cells" not in words


def with_shares(one: ConfigurationFigures, *shares: float) -> ConfigurationFigures:
    """In each round other programs left the bare network this share of the two cores, so that it took longer."""
    computed = 80.0
    bare = Samples.of(computed / 2 / share for share in shares)
    computing = Samples.of(computed for _ in shares)
    return dataclasses.replace(one, runs=one.runs | {BARE: bare}, computing=one.computing | {BARE: computing})


def test_a_busy_machine_is_told_from_a_calm_one() -> None:
    calm = figures("int8", 100.0, 40.0)
    assert calm.bare_share_of_cores == pytest.approx(1)
    assert not calm.disturbed
    assert disturbed_sentence(report_of(calm)) is None
    assert not with_shares(calm, 1.0, 0.5, 1.0).disturbed, "the median is as on a calm machine"
    busy = with_shares(calm, 1.0, 2 / 3, 0.5)
    assert busy.bare_share_of_cores == pytest.approx(2 / 3)
    assert busy.disturbed
    sentence = disturbed_sentence(report_of(calm, busy))
    assert sentence is not None
    assert sentence.count("int8, CPU, 2 threads") == 1
    assert "67 %" in sentence
    elsewhere = dataclasses.replace(busy, provider=ProviderReport("auto", "CUDAExecutionProvider", "because", 2))
    assert elsewhere.bare_share_of_cores is None, "a processor that waits for a device computes next to nothing"
    assert not elsewhere.disturbed


def test_ratios_are_those_of_the_figures() -> None:
    single = dataclasses.replace(figures("int8", 100.0, 50.0), provider=ProviderReport("cpu", "x", "because", 1))
    report = report_of(figures("fp32", 244.0, 120.0), figures("int8", 122.0, 40.0), single)
    (ratio,) = report.fp32_over_int8
    assert (ratio.provider, ratio.threads) == ("CPUExecutionProvider", 2)
    assert (ratio.bare, ratio.whole) == pytest.approx((3, 2))
    record = report.to_json()
    assert record["fp32_over_int8"] == [ratio.to_json()]
    # Of the fields 4 and 0.5, of the sums 55 to 40.
    assert record["configurations"][0]["segmentation_over_decoding"] == {"median_of_fields": 2.25, "of_sums": 1.375}


def test_the_tables_say_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report_of(figures("fp32", 244.0, 120.0), figures("int8", 122.0, 40.0)))
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]
    (aggregation, _) = [row for row in rows if row[0] == "aggregation (run)"]
    assert aggregation == ["aggregation (run)", "1", "0.1", "", "", "", "", ""]
    (decoding, _) = [row for row in rows if row[0] == "decode"]
    assert decoding == ["decode", "2", "20.0", "28.0", "29.0", "29.8", "50.0", "25.0"]
    assert ["CPU, 2 threads", "3.00", "2.00"] in rows
    assert "segmentation over decoding: 2.25 (median of the fields), 1.38 (sums)" in printed


def test_a_run_is_compared_and_never_written_over(
    measured: Measured, slide: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = measured.out
    options = ("--model", package, "--threads", 1, "--rounds", 1)
    monkeypatch.setattr(measuring, "run_benchmark", lambda *_, **__: measured.report)
    kept = (out / "benchmark.json").read_bytes()
    assert run(slide, "-o", out, *options).exception is not None
    assert (out / "benchmark.json").read_bytes() == kept
    record = json.loads(kept)
    record["configurations"][0]["commands_ms"]["one image"]["p50"] /= 50
    faster = tmp_path / "faster.json"
    faster.write_text(json.dumps(record))
    result = run(slide, *options, "--compare", faster, "--fail-over", "400%")
    assert result.exit_code == 1, result.output
    name = "fp32, CPUExecutionProvider, 1 thread"
    assert f"Slower than allowed (+400 %): {name}: one image from process start to exit, ms: " in result.stderr
    assert "whole screen" not in result.stderr
    assert "against the benchmark of" in result.stdout
    assert "segmentation" in result.stdout
    assert INTENDED_USE in result.stdout


def test_a_comparison_stands_in_the_json_and_a_busy_machine_is_said(
    measured: Measured, slide: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = measured.out
    (calm,) = measured.report.configurations
    halves = {name: Samples(tuple(value / 2 for value in some.milliseconds)) for name, some in calm.runs.items()}
    busy = dataclasses.replace(measured.report, configurations=(dataclasses.replace(calm, computing=halves),))
    monkeypatch.setattr(measuring, "run_benchmark", lambda *_, **__: busy)
    again = tmp_path / "again"
    options = ("--model", package, "--threads", 1, "--rounds", 1, "--json", "-o", again)
    result = run(slide, *options, "--compare", out / "benchmark.json", "--fail-over", "900%")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record == json.loads((again / "benchmark.json").read_text())
    comparison = record["comparison"]
    assert comparison["allowed"] == 9
    assert comparison["slower"] is False
    (whole,) = [change for change in comparison["changes"] if change["figure"] == "whole screen, ms"]
    assert whole["now"] == record["configurations"][0]["runs_ms"][WHOLE]["p50"]
    assert whole["ratio"] == pytest.approx(whole["now"] / whole["before"], abs=1e-3)
    assert "Slower" not in result.stderr
    assert read_recorded(again / "benchmark.json").created == record["created"]
    assert "The machine was busy" in result.stderr
    (one,) = record["configurations"]
    assert one["disturbed"] is True
    assert one["bare_share_of_cores"] < 0.9


@pytest.mark.parametrize("unlike", [("--threads", 2), ("--variant", "int8"), "images", "machine"])
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(
    measured: Measured,
    unlike: tuple[object, ...] | str,
    slide: Path,
    package: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = measured.out
    record = json.loads((out / "benchmark.json").read_text())
    options: tuple[object, ...] = ("--threads", 1)
    if unlike == "images":
        record["images"]["sha256"] = "0" * 64
    elif unlike == "machine":
        record["machine"]["hardware"]["cores_usable"] = 512
    elif unlike == ("--variant", "int8"):
        record["configurations"][0]["variant"] = "int8"
    else:
        options = tuple(unlike)
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(record))

    def too_late(*_: object, **__: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr(processes, "_run", too_late)
    result = run(slide, "--model", package, *options, "--compare", earlier)
    assert isinstance(result.exception, UsageError)
    assert "cannot be compared" in str(result.exception)


def test_a_limit_without_a_comparison_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path / "no such images", "--fail-over", "5%")
    assert isinstance(result.exception, UsageError)
    assert "--compare" in str(result.exception)


def test_what_comes_to_the_same_is_measured_once(slide: Path, tiny_package: Path) -> None:
    plan = Plan(model=str(tiny_package), variants=("fp32",), devices=("cpu", "auto"), threads=(1, 2, 1))
    prepared = prepare_benchmark(own_images([str(slide)]), plan)
    assert [one.threads for one in prepared.subject.configurations] == [1, 2]
    assert [one.provider.requested for one in prepared.classifiers] == ["cpu", "cpu"]


def configuration(milliseconds: float, memory: float | None = 300.0, **changes: object) -> dict[str, Any]:
    return {
        "variant": "int8",
        "model": {"name": "m", "version": "1", "sha256": "ab"},
        "provider": "CPUExecutionProvider",
        "threads": 2,
        "runs_ms": {WHOLE: {"p50": milliseconds}},
        "commands_ms": {"one image": {"p50": 1000.0}, "help": {"p50": 300.0}},
        "peak_memory_mb": memory,
    } | changes


def document(*configurations: dict[str, Any], processor: str = "one", images: str = "x") -> dict[str, Any]:
    hardware = {"processor": processor, "cores_usable": 2}
    return {
        "schema": 1,
        "created": "2026-01-01T00:00:00+00:00",
        "machine": {"hardware": hardware, "software": {"python": "3.11"}},
        "images": {"sha256": images},
        "configurations": list(configurations),
    }


def changes_of(before: dict[str, Any], now: dict[str, Any], allowed: float) -> tuple[Change, ...]:
    return compare_benchmarks(Recorded.of(before), Recorded.of(now), allowed).changes


def test_only_what_grew_by_more_than_is_allowed_is_slower() -> None:
    before = document(configuration(1000.0))
    for now, slower in ((900.0, False), (1099.0, False), (1101.0, True)):
        changes = changes_of(before, document(configuration(now)), 0.1)
        assert {change.figure: change.slower for change in changes if change.slower} == (
            {"whole screen, ms": True} if slower else {}
        )
        assert len(changes) == 4
    (memory,) = [change for change in changes_of(before, document(configuration(1000.0, 400.0)), 0.1) if change.slower]
    assert memory.figure == "peak memory, MB"
    assert memory.ratio == pytest.approx(4 / 3)
    assert len(changes_of(before, document(configuration(1000.0, None)), 0.1)) == 3


def test_what_is_slower_is_said_in_one_sentence() -> None:
    before = document(configuration(1000.0), configuration(500.0, threads=1))
    now = document(configuration(1100.0, 400.0), configuration(502.0, threads=1))
    comparison = compare_benchmarks(Recorded.of(before), Recorded.of(now), 0.025)
    assert slower_sentence(comparison) == (
        "Slower than allowed (+2.5 %): int8, CPUExecutionProvider, 2 threads: "
        "whole screen, ms: 1000.0 before, 1100.0 now; peak memory, MB: 300.0 before, 400.0 now."
    )


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (document(configuration(1.0), processor="another"), "processor was 'another' and is 'one'"),
        (document(configuration(1.0), images="y"), "the images are others"),
        (document(configuration(1.0, threads=1)), "no model, variant, provider and number of threads is in both"),
        (document(configuration(1.0, model={"sha256": "cd"})), "no model"),
    ],
)
def test_unlike_things_are_not_compared(other: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        changes_of(other, document(configuration(1.0)), 0.1)


def test_newer_software_is_compared_for_that_is_the_question() -> None:
    newer = copy.deepcopy(document(configuration(1.0)))
    newer["machine"]["software"]["python"] = "3.12"
    assert changes_of(document(configuration(1.0)), newer, 0.1)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), (" 10 % ", 0.1), ("0", 0.0), ("2.5%", 0.025)])
def test_shares_are_read(text: str, share: float) -> None:
    assert share_of(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "ten", "-1%", "nan", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        share_of(text)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"schema": 99, "configurations": []}', '{"schema": 1}'])
def test_what_is_no_benchmark_is_refused_before_anything_is_measured(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    if content is not None:
        file.write_text(content)
    result = run(tmp_path / "no such images", "--compare", file)
    assert isinstance(result.exception, InputError)
    assert "old.json" in str(result.exception)


@pytest.mark.parametrize(
    "damage",
    [
        {"configurations": 5},
        {"configurations": [5]},
        {"configurations": [{}]},
        {"configurations": [configuration(1.0, commands_ms={})]},
        {"configurations": [configuration(1.0, commands_ms=None)]},
        {"configurations": [configuration(1.0, runs_ms={WHOLE: {"p50": "quick"}})]},
        {"configurations": [configuration(float("nan"))]},
        {"configurations": [configuration(0.0)]},
        {"configurations": [configuration(1.0, threads=[2])]},
        {"machine": None},
        {"machine": {"hardware": []}},
        {"images": {}},
        {"created": 5},
    ],
)
def test_a_damaged_benchmark_is_refused_before_anything_is_measured(damage: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(document(configuration(1.0))))
    assert read_recorded(file).figures
    file.write_text(json.dumps(document(configuration(1.0)) | damage))
    result = run(tmp_path / "no such images", "--compare", file)
    assert isinstance(result.exception, InputError)
    assert "old.json cannot be read as a benchmark" in str(result.exception)


def test_percentiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).gamma(2, 30, 200)
    record = Samples.of(values).to_json()
    assert record["n"] == 200
    for percent in (50, 90, 95, 99):
        assert record[f"p{percent}"] == pytest.approx(np.percentile(values, percent), abs=1e-3)


def test_the_bare_network_sees_every_cell(slide: Path, tiny_package: Path) -> None:
    package = load_package(tiny_package)
    workload = prepare_workload(own_images([str(slide)]), package.card.preprocessing)
    assert sum(workload.cells_per_field) == len(workload.crops)
    bare = BareNetwork(package.variant_file("fp32"), "CPUExecutionProvider", 1, ("probability",))
    seen: list[np.ndarray] = []

    class Spy:
        def __init__(self, session: Runs) -> None:
            self.session = session

        def run(self, outputs: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            answers = self.session.run(outputs, feed)
            seen.append(answers[0])
            return answers

    bare._session = Spy(bare._session)
    bare.work(workload.crops, (4, 1))()
    expected = Classifier(package, threads=1).network_probability(workload.crops)
    assert np.concatenate(seen) == pytest.approx(expected, abs=1e-6)
    assert {len(answers) for answers in seen} <= {4, 1}


def test_images_without_a_cell_are_no_work(tmp_path: Path, tiny_package: Path) -> None:
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((200, 200, 3), 230, np.uint8))
    with pytest.raises(UsageError, match="cell"):
        prepare_workload(own_images([str(tmp_path)]), load_package(tiny_package).card.preprocessing)


def test_the_reason_is_said_where_no_image_can_be_judged(tmp_path: Path, tiny_package: Path) -> None:
    whole = tmp_path / "whole.jpg"
    cv2.imwrite(str(whole), np.full((200, 200, 3), 230, np.uint8))
    (tmp_path / "torn.jpg").write_bytes(whole.read_bytes()[:300])
    with pytest.raises(UsageError, match=r"torn\.jpg cannot be timed: .*ends within its header") as caught:
        prepare_workload(own_images([str(tmp_path / "torn.jpg")]), load_package(tiny_package).card.preprocessing)
    assert "holds a cell" not in str(caught.value)


class Runs(Protocol):
    def run(self, outputs: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]: ...


class _Entry:
    def __init__(self, name: str, factory: Callable[[Workload], object]) -> None:
        self.name, self._factory = name, factory

    def load(self) -> Callable[[Workload], object]:
        return self._factory


def test_yardsticks_of_others_join_in_and_missing_ones_say_why(
    slide: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Workload) -> None:
        raise MissingPackageError("It needs something.", "Install it.")

    done: list[int] = []
    entries = [_Entry("mine", lambda workload: lambda: done.append(len(workload.crops))), _Entry("broken", broken)]
    monkeypatch.setattr(yardsticks, "entry_points", lambda group: entries if "yardsticks" in group else [])
    workload = prepare_workload(own_images([str(slide)]), load_package(tiny_package).card.preprocessing)
    usable, missing = other_yardsticks(workload)
    usable["mine"]()
    assert done == [len(workload.crops)]
    assert missing == {"broken": "It needs something. Install it."}


def test_a_process_that_fails_is_an_error_and_no_figure(slide: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeSetupError, match="timed"):
        processes.measure_processes([slide / "field0.png"], package=tmp_path, variant="int8", device="cpu", threads=1)


def test_the_processor_is_named(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Example 3000 @ 2.5GHz\nflags\t: avx2\n")
    assert processor_name(cpuinfo) == "Example 3000 @ 2.5GHz"
    assert processor_name(tmp_path / "none")


def test_memory_only_grows() -> None:
    before = peak_memory_mb()
    held = np.ones(40_000_000, np.uint8)
    after = peak_memory_mb()
    if before is None or after is None:
        pytest.skip("this system does not tell")
    assert after >= before
    assert after > 40
    assert held.nbytes == 40_000_000

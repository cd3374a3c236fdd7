"""Predictions, metrics, slide scores and group-wise intervals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    recall_score,
    roc_auc_score,
)

from edge_all.errors import InputError, InputNotFoundError, UsageError
from edge_all.model.card import Band, Thresholds
from edge_all.slides.verdict import wilson_interval
from edge_all_calibration.figures import intervals
from edge_all_calibration.figures.measures import calibration_bins, expected_calibration_error
from edge_all_export.evaluation import bootstrap, metrics, slides
from edge_all_export.evaluation.predictions import Predictions, read_csv, write_csv


def table(
    label: list[int], probability: list[float], group: list[str] | None = None, slide: list[str] | None = None
) -> Predictions:
    n = len(label)
    return Predictions(
        sample=tuple(f"cell {i}" for i in range(n)),
        source=("set",) * n,
        group=tuple(group or [f"g{i}" for i in range(n)]),
        slide=tuple(slide or [""] * n),
        label=np.array(label, np.int64),
        probability=np.array(probability, np.float64),
    )


labelled = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, n, elements=st.integers(0, 1)),
        hnp.arrays(
            np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.5000001, 0.9, 1.0]) | st.floats(0, 1)
        ),
    )
)


@given(labelled)
@settings(max_examples=60, deadline=None)
def test_every_figure_is_the_one_of_scikit_learn(sample: tuple[np.ndarray, np.ndarray]) -> None:
    label, probability = sample
    called = probability >= 0.5
    found = metrics.measure(label, probability)
    assert found["accuracy"] == pytest.approx(accuracy_score(label, called))
    assert found["brier"] == pytest.approx(brier_score_loss(label, probability, pos_label=1))
    if label.any():
        assert found["sensitivity"] == pytest.approx(recall_score(label, called))
        assert found["f1"] == pytest.approx(f1_score(label, called, zero_division=0.0))
        assert found["average_precision"] == pytest.approx(average_precision_score(label, probability))
    else:
        assert np.isnan([found["sensitivity"], found["f1"], found["average_precision"]]).all()
    if not label.all():
        assert found["specificity"] == pytest.approx(recall_score(label, called, pos_label=0))
    if 0 < label.sum() < len(label):
        assert found["auc"] == pytest.approx(roc_auc_score(label, probability))
    else:
        assert np.isnan(found["auc"])


@given(labelled)
@settings(max_examples=60, deadline=None)
def test_gate_and_evaluation_mean_the_same_by_a_figure(sample: tuple[np.ndarray, np.ndarray]) -> None:
    label, probability = sample
    count, total, positive = calibration_bins(probability, label == 1)
    assert count.sum() == len(label)
    assert total.sum() == pytest.approx(probability.sum())
    assert positive.sum() == label.sum()
    # Equal width and in no order of the rows: what the gate reports of these cells is what the evaluation reports.
    backwards = expected_calibration_error(probability[::-1], label[::-1] == 1)
    assert metrics.measure(label, probability)["calibration_error"] == pytest.approx(backwards)
    assert 0 <= backwards <= 1


def test_gate_and_evaluation_draw_the_same_intervals() -> None:
    generator = np.random.default_rng(2)
    label = generator.integers(0, 2, 120)
    probability = np.clip(0.3 + 0.4 * label + generator.normal(0, 0.25, 120), 0, 1)
    groups = np.array([f"g{i // 6}" for i in range(120)])
    ours = bootstrap.estimate(groups.tolist(), lambda rows: metrics.measure(label[rows], probability[rows]))
    for name in ("auc", "calibration_error"):
        gate = intervals.bootstrap(
            lambda rows, name=name: metrics.measure(label[rows], probability[rows])[name], groups
        )
        assert gate.value == ours[name].value
        # The evaluation widens an interval, where need be, to hold the figure itself.
        assert ours[name].low == pytest.approx(min(gate.low, gate.value))
        assert ours[name].high == pytest.approx(max(gate.high, gate.value))


def test_resamples_bring_whole_groups() -> None:
    groups = ["a"] * 3 + ["b"] * 5 + ["c"]
    for rows in intervals.resample_rows(groups, 50, seed=3):
        drawn = np.bincount(rows, minlength=9)
        assert drawn[:3].min() == drawn[:3].max()
        assert drawn[3:8].min() == drawn[3:8].max()
        assert drawn[0] + drawn[3] + drawn[8] == 3


def test_the_same_seed_gives_the_same_resamples() -> None:
    groups = [f"g{i // 4}" for i in range(40)]
    first, second, other = (intervals.resample_rows(groups, 5, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_cells_that_are_alike_within_groups_widen_the_interval() -> None:
    generator = np.random.default_rng(0)
    right = generator.random(30) < 0.8
    hits = np.repeat(right, 40).astype(float)

    def width(groups: list[str]) -> float:
        figure = bootstrap.estimate(groups, lambda rows: {"share": float(hits[rows].mean())}, resamples=300)["share"]
        assert figure.low is not None
        assert figure.high is not None
        return figure.high - figure.low

    by_group = width([f"g{i // 40}" for i in range(1200)])
    by_cell = width([f"c{i}" for i in range(1200)])
    assert by_group > 4 * by_cell  # sqrt(40) = 6.3 in the limit


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    groups = [f"g{i // 10}" for i in range(400)]
    holds = 0
    for trial in range(100):
        hits = generator.random(400) < np.repeat(generator.beta(8, 2, 40), 10)
        figure = bootstrap.estimate(
            groups, lambda rows, hits=hits: {"share": float(hits[rows].mean())}, resamples=200, seed=trial
        )["share"]
        assert figure.low is not None
        assert figure.high is not None
        holds += figure.low <= 0.8 <= figure.high
    assert 86 <= holds <= 100


def test_a_perfect_share_gets_a_wilson_interval_over_groups_and_no_false_certainty() -> None:
    label = np.array([0, 1] * 20, np.int64)
    probability = label * 0.9 + 0.05
    groups = [f"g{i // 4}" for i in range(40)]
    figures = bootstrap.estimate(
        groups,
        lambda rows: metrics.measure(label[rows], probability[rows]),
        proportions=frozenset({"accuracy"}),
        resamples=50,
    )
    assert (figures["accuracy"].low, figures["accuracy"].high) == wilson_interval(10, 10)
    assert figures["accuracy"].interval == bootstrap.WILSON
    assert figures["auc"].value == 1.0
    assert figures["auc"].low is None


def test_one_group_gives_figures_and_no_interval() -> None:
    figure = bootstrap.estimate(["only"] * 6, lambda rows: {"share": float((rows < 3).mean())})["share"]
    assert figure.value == 0.5
    assert figure.low is None
    assert "one group" in figure.interval


def test_resamples_with_one_class_are_left_out() -> None:
    # Two of eight groups hold all ALL cells: a tenth of the resamples has none of them.
    label = np.repeat([1, 1, 0, 0, 0, 0, 0, 0], 5).astype(np.int64)
    probability = np.linspace(0.9, 0.1, 40)
    probability[[3, 20]] = probability[[20, 3]]
    groups = [f"g{i // 5}" for i in range(40)]
    figure = bootstrap.estimate(groups, lambda rows: metrics.measure(label[rows], probability[rows]))["auc"]
    assert figure.interval == bootstrap.BOOTSTRAP
    assert figure.low is not None
    assert figure.value is not None
    assert 0 < figure.low < figure.value


def test_no_interval_where_most_resamples_are_undefined() -> None:
    draws = np.array([np.nan] * 60 + [0.5, 0.6] * 20)
    figure = bootstrap.summarise(0.55, draws, samples=100, groups=10, proportion=False)
    assert figure.value == 0.55
    assert figure.low is None


def test_figures_say_what_they_rest_on() -> None:
    label = np.array([1, 1, 0, 0, 0, 0], np.int64)
    figures = bootstrap.estimate(
        ["a", "a", "a", "b", "b", "c"],
        lambda rows: metrics.measure(label[rows], np.full(len(rows), 0.4)),
        relevant={"sensitivity": label == 1},
        resamples=20,
    )
    assert (figures["sensitivity"].samples, figures["sensitivity"].groups) == (2, 1)
    assert (figures["accuracy"].samples, figures["accuracy"].groups) == (6, 3)


def test_slides_take_their_truth_and_score_from_their_cells() -> None:
    cells = table(
        [1, 0, 0, 0, 0, 1],
        [0.95, 0.1, 0.05, 0.02, 0.01, 0.9],
        group=["p", "p", "q", "q", "q", "r"],
        slide=["ill", "ill", "well", "well", "well", "single cell"],
    )
    found = slides.slide_predictions(cells)
    assert found is not None
    assert found.sample == ("ill", "well")
    assert found.label.tolist() == [1, 0]
    assert found.group == ("p", "q")
    assert found.probability.tolist() == pytest.approx([0.525, 0.08 / 3])
    assert slides.slide_predictions(table([0, 1], [0.1, 0.9])) is None


def test_slides_full_of_suspicious_cells_are_still_told_apart() -> None:
    cells = table(
        [1] * 120, [0.9] * 60 + [0.6] * 60, group=["p"] * 60 + ["q"] * 60, slide=["worse"] * 60 + ["bad"] * 60
    )
    found = slides.slide_predictions(cells)
    assert found is not None
    assert found.probability[0] > found.probability[1] + 0.2


def test_slide_verdicts_are_those_of_the_runtime() -> None:
    ill, well = [1] * 20, [0] * 40
    cells = table(
        ill + well, [0.9] * 20 + [0.01] * 40, group=["p"] * 20 + ["q"] * 40, slide=["ill"] * 20 + ["well"] * 40
    )
    found = slides.verdict_table(cells, Thresholds(0.3, 0.7, None, 0.02))
    assert found == {
        "ALL": {"suspicious": 1, "indeterminate": 0, "not detected": 0},
        "non-ALL": {"suspicious": 0, "indeterminate": 0, "not detected": 1},
    }
    assert slides.verdict_table(cells, Band(0.3, 0.7)) is None


def test_a_slide_that_the_model_does_not_know_is_indeterminate_as_at_a_station() -> None:
    # Each cell is under the limit of cells, and firmly called; most are rather unlike all that is known.
    for unlike, verdict in ((21, "indeterminate"), (20, "not detected")):
        distances = np.array([0.9] * unlike + [0.1] * (40 - unlike))
        cells = dataclasses.replace(
            table([0] * 40, [0.01] * 40, group=["q"] * 40, slide=["strange"] * 40), out_of_distribution=distances
        )
        found = slides.verdict_table(cells, Thresholds(0.3, 0.7, None, 0.02))
        assert found is not None
        assert found["non-ALL"][verdict] == 1


def test_decisions_follow_the_band_and_the_out_of_distribution_score() -> None:
    cells = Predictions(
        ("a", "b", "c", "d", "e"),
        ("s",) * 5,
        ("g",) * 5,
        ("",) * 5,
        np.zeros(5, np.int64),
        np.array([0.1, 0.3, 0.5, 0.7, 0.9]),
        np.array([0.2, np.nan, 0.2, 1.0, 1.01]),
    )
    assert cells.decisions(Band(0.3, 0.7)) == ("non-ALL", "indeterminate", "indeterminate", "ALL", "indeterminate")


@pytest.mark.parametrize("ends", [(0.7, 0.3), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)])
def test_a_band_has_two_ordered_probabilities(ends: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="band"):
        Band(*ends)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sample": ("a", "a")}, "'a' occurs twice"),
        ({"label": np.array([0, 2])}, "neither 0 nor 1"),
        ({"probability": np.array([0.5, 1.5])}, "'b' is 1.5"),
        ({"probability": np.array([0.5, np.nan])}, "'b' is nan"),
        ({"group": ("g", "")}, "'b' has no group"),
        ({"slide": ("one", "one"), "group": ("g", "h")}, "lies in the groups 'g' and 'h'"),
        ({"source": ("s",)}, "differ in length"),
    ],
)
def test_contradictions_in_predictions_are_refused(change: dict[str, object], words: str) -> None:
    columns = {
        "sample": ("a", "b"),
        "source": ("s", "s"),
        "group": ("g", "g"),
        "slide": ("", ""),
        "label": np.array([0, 1]),
        "probability": np.array([0.1, 0.9]),
    }
    with pytest.raises(UsageError, match=words):
        Predictions(**{**columns, **change})  # type: ignore[arg-type]


def test_no_prediction_is_an_error() -> None:
    with pytest.raises(UsageError, match="no prediction"):
        table([], [])


def test_a_predictions_file_is_read_back(tmp_path: Path) -> None:
    written = Predictions(
        ("a,1", "b\u00e4"),
        ("s", "t"),
        ("g", "h"),
        ("", "slide"),
        np.array([0, 1]),
        np.array([0.125, 1.0]),
        np.array([0.5, np.nan]),
        ("0", "1"),
    )
    write_csv(written, tmp_path / "p.csv")
    read = read_csv(tmp_path / "p.csv")
    assert read.to_json() == written.to_json()
    assert Predictions.from_json(written.to_json()).to_json() == written.to_json()


def test_the_table_of_a_training_run_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text(
        "sample,source,group,block,kind,label,probability,fold\n"
        "x/1,x,x/Im001,x/001-005,blast,1,0.9,0\n"
        "x/2,x,x/Im002,x/001-005,other,0,0.2,0\n",
        encoding="utf-8",
    )
    read = read_csv(file)
    assert read.group == ("x/001-005", "x/001-005")
    assert read.slide == ("x/Im001", "x/Im002")
    assert read.fold == ("0", "0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column sample"),
        (b"sample,source,group,slide,label\na,s,g,,1\n", "no column probability"),
        (
            b"sample,source,group,slide,label,probability\na,s,g,,1,0.5\nb,s,g,,1,high\n",
            "line 3: probability is 'high'",
        ),
        (b"sample,source,group,slide,label,probability\na,s,g,,1,0.5\nb,s,g,,,0.5\n", "line 3: label is ''"),
        (b"sample,source,group,slide,label,probability\na,s,g,,7,0.5\n", "line 2: the label"),
        (b"\xff\xfe\x00\x89PNG", "cannot be read"),
    ],
)
def test_a_damaged_predictions_file_names_its_line(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "p.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_csv(file)


def test_a_missing_predictions_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"nowhere\.csv"):
        read_csv(tmp_path / "nowhere.csv")

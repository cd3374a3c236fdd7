"""From predictions to evaluation, comparison, pages and plots."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.errors import InputError, InputNotFoundError, OutputError, UsageError
from edge_all.model.card import Band, Thresholds
from edge_all.results import INTENDED_USE
from edge_all.slides.verdict import wilson_interval
from edge_all_export.evaluation.assessment import Evaluation, evaluate
from edge_all_export.evaluation.comparison import Contestant, compare, read_contestant
from edge_all_export.evaluation.comparison_report import (
    claim_comparison_folder,
    difference_words,
    verdict_words,
    write_comparison,
)
from edge_all_export.evaluation.evaluation_report import claim_evaluation_folder, worst_mistakes, write_evaluation
from edge_all_export.evaluation.grouping import merged_groups
from edge_all_export.evaluation.metrics import METRICS, ORDERING
from edge_all_export.evaluation.plots import evaluation_plots, learning_curves, render
from edge_all_export.evaluation.predictions import Predictions, read_csv
from edge_all_export.evaluation.training_log import read_log

RESAMPLES = 60


def smears(seed: int = 0, noise: float = 1.5) -> Predictions:
    """24 groups of two slides of six cells, every other group with ALL, and 40 normal cells of another hospital."""
    truth, own = np.random.default_rng(9), np.random.default_rng(seed)
    rows = []
    for group in range(24):
        for slide in range(2):
            for cell in range(6):
                label = int(group % 2 and cell < 4)
                logit = 3 * (2 * label - 1) + noise * truth.normal() + own.normal() * 0.7
                rows.append((f"s{group}.{slide}.{cell}", "ours", f"g{group}", f"s{group}.{slide}", label, logit))
    for cell in range(40):
        logit = -2 + truth.normal() + own.normal() * 0.7
        rows.append((f"n{cell}", "elsewhere", f"n{cell}", "", 0, logit))
    sample, source, group_of, slide_of, labels, logits = zip(*rows, strict=True)
    probability = 1 / (1 + np.exp(-np.array(logits)))
    return Predictions(sample, source, group_of, slide_of, np.array(labels, np.int64), probability)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(
        smears(),
        name='model <1> & "co"',
        band=Thresholds(0.2, 0.8, None, 0.05),
        notes=["No patient ids."],
        resamples=RESAMPLES,
    )


def contestant(predictions: Predictions, name: str = "a", cutoff: float = 0.5) -> Contestant:
    return Contestant(name, {}, predictions, cutoff, RESAMPLES, 0)


class Page(HTMLParser):
    """Checks that tags are balanced and gathers text and addresses."""

    VOID = ("meta", "img", "br", "line", "rect")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words = ""
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_cells_and_slides_are_counted_apart(evaluation: Evaluation) -> None:
    assert (evaluation.cells.samples, evaluation.cells.positives, evaluation.cells.groups) == (328, 96, 64)
    assert evaluation.slides is not None
    assert (evaluation.slides.samples, evaluation.slides.positives, evaluation.slides.groups) == (48, 24, 24)
    assert evaluation.cells.figures["sensitivity"].samples == 96
    assert evaluation.cells.figures["sensitivity"].groups == 12
    assert np.sum(evaluation.cells.confusion) == 328


def test_every_interval_holds_its_figure(evaluation: Evaluation) -> None:
    assert evaluation.slides is not None
    assert evaluation.band is not None
    levels = (evaluation.cells, evaluation.slides, *evaluation.sources.values())
    figures = [figure for level in levels for figure in level.figures.values()]
    figures += evaluation.band.figures.values()
    checked = 0
    for figure in figures:
        if figure.low is not None and figure.value is not None and figure.high is not None:
            assert figure.low <= figure.value <= figure.high
            checked += 1
    assert checked > 20


def test_a_source_of_normal_cells_reports_its_false_positives(evaluation: Evaluation) -> None:
    (row,) = evaluation.all_normal
    inside = np.asarray(evaluation.predictions.source) == "elsewhere"
    called = int((evaluation.predictions.probability[inside] >= 0.5).sum())
    assert (row.source, row.samples, row.called_all) == ("elsewhere", 40, called)
    assert row.interval == wilson_interval(called, 40)
    assert row.with_band is not None
    assert sum(row.with_band.values()) == 40
    assert list(evaluation.sources) == ["ours"]
    assert any("One class only in elsewhere" in note for note in evaluation.notes)


def test_the_band_is_assessed_on_decided_cells_and_on_all(evaluation: Evaluation) -> None:
    assert evaluation.band is not None
    figures, counts = evaluation.band.figures, evaluation.band.counts
    decided = sum(counts[truth][label] for truth in counts for label in ("ALL", "non-ALL"))
    right = counts["ALL"]["ALL"] + counts["non-ALL"]["non-ALL"]
    assert figures["coverage"].value == pytest.approx(decided / 328)
    assert figures["accuracy_decided"].value == pytest.approx(right / decided)
    assert figures["missed"].value == pytest.approx(counts["ALL"]["non-ALL"] / 96)
    assert figures["false_alarms"].value == pytest.approx(counts["non-ALL"]["ALL"] / 232)
    assert figures["accuracy_decided"].samples == decided
    assert evaluation.band.verdicts is not None
    assert sum(map(sum, (row.values() for row in evaluation.band.verdicts.values()))) == 48


def test_groups_with_the_most_mistakes_come_first(evaluation: Evaluation) -> None:
    mistakes = [row.mistakes for row in evaluation.group_rows]
    assert mistakes == sorted(mistakes, reverse=True)
    assert sum(mistakes) == evaluation.cells.confusion[0][1] + evaluation.cells.confusion[1][0] > 0
    assert {row.group for row in evaluation.group_rows if row.sensitivity is None} == {
        group for group in evaluation.predictions.group if group.startswith("n") or int(group[1:]) % 2 == 0
    }


def test_one_class_leaves_figures_undefined_and_says_so(tmp_path: Path) -> None:
    everything = smears()
    normal = everything.take(np.flatnonzero(everything.label == 0))
    found = evaluate(normal, name="normal", resamples=RESAMPLES)
    assert found.cells.figures["sensitivity"].value is None
    assert found.cells.figures["auc"].value is None
    assert "one class" in found.cells.figures["auc"].interval
    assert found.cells.figures["specificity"].value is not None
    write_evaluation(found, tmp_path)
    assert "undefined" in Page(tmp_path / "report.html").words


def test_few_groups_and_implausible_figures_are_pointed_out() -> None:
    label = np.array([0, 1] * 12, np.int64)
    rows = tuple(f"{i}" for i in range(24))
    found = evaluate(
        Predictions(rows, ("s",) * 24, tuple(f"g{i % 3}" for i in range(24)), ("",) * 24, label, label * 0.8 + 0.1),
        name="leak",
        resamples=RESAMPLES,
    )
    assert any("All 12 ALL cells are from 3 groups" in note for note in found.notes)
    assert any("invites a check" in note for note in found.notes)
    assert not any("swapped" in note for note in found.notes)
    assert found.slides is None


def test_an_auc_near_zero_is_said_to_be_swapped_classes() -> None:
    label = np.array([0, 1] * 12, np.int64)
    rows = tuple(f"{i}" for i in range(24))
    found = evaluate(
        Predictions(rows, ("s",) * 24, tuple(f"g{i}" for i in range(24)), ("",) * 24, label, 0.9 - label * 0.8),
        name="swapped",
        resamples=RESAMPLES,
    )
    assert found.cells.figures["auc"].value == 0
    assert any("the classes are swapped" in note for note in found.notes)


def test_folds_are_reported_one_by_one() -> None:
    everything = smears()
    folded = dataclasses.replace(everything, fold=tuple(str(int(g[1:]) % 2) for g in everything.group))
    found = evaluate(folded, name="cv", resamples=RESAMPLES)
    assert sum(level.samples for level in found.folds.values()) == 328


def test_the_report_is_whole_safe_and_alone(evaluation: Evaluation, tmp_path: Path) -> None:
    picture = np.full((60, 80, 3), 200, np.uint8)
    write_evaluation(evaluation, tmp_path, image_of=lambda sample: picture if sample.startswith("s") else None)
    page = Page(tmp_path / "report.html")
    assert page.words.count(INTENDED_USE) == 2
    assert 'model <1> & "co"' in page.words
    assert "script" not in page.tags
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)
    for words in (
        "Sensitivity",
        "weighted avg",
        "By group",
        "Sources without ALL",
        "Slide verdicts",
        "No patient ids.",
    ):
        assert words in page.words
    assert sum(address.startswith("data:image/jpeg") for address in page.addresses) > 0
    assert {file.stem for file in (tmp_path / "plots").iterdir()} == {
        "roc",
        "precision_recall",
        "reliability",
        "confusion",
        "probabilities",
    }
    assert read_csv(tmp_path / "predictions.csv").sample == evaluation.predictions.sample


def test_the_json_is_versioned_strict_and_complete(evaluation: Evaluation) -> None:
    record = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert (record["schema"], record["kind"], record["intended_use"]) == (1, "evaluation", INTENDED_USE)
    for level, names in ((record["cells"], METRICS), (record["slides"], ORDERING)):
        assert set(level["figures"]) == set(names)
        for figure in level["figures"].values():
            assert {"value", "low", "high", "samples", "groups", "interval"} == set(figure)
    assert record["cells"]["classification"]["ALL"]["support"] == 96
    assert "15 bins of equal width" in record["methods"]["calibration_error"]
    assert len(record["predictions"]["sample"]) == 328


def test_results_are_never_written_over(tmp_path: Path) -> None:
    claim_evaluation_folder(tmp_path / "new" / "folder")
    (tmp_path / "new" / "folder" / "evaluation.json").touch()
    with pytest.raises(OutputError, match=r"already holds evaluation\.json"):
        claim_evaluation_folder(tmp_path / "new" / "folder")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        claim_evaluation_folder(tmp_path / "file" / "below")


def test_the_worst_mistakes_come_first() -> None:
    everything = smears()
    missed, alarms = worst_mistakes(everything, 0.5)
    assert (everything.label[missed] == 1).all()
    assert (everything.probability[missed] < 0.5).all()
    assert (np.diff(everything.probability[missed]) >= 0).all()
    assert (everything.label[alarms] == 0).all()
    assert (np.diff(everything.probability[alarms]) <= 0).all()
    assert len(missed) + len(alarms) == int(((everything.probability >= 0.5) != (everything.label == 1)).sum()) > 0


def test_the_same_predictions_give_the_same_plots() -> None:
    first, second = (evaluation_plots(smears(), cutoff=0.5, band=Band(0.2, 0.8), seed=0) for _ in range(2))
    for name in ("roc", "reliability"):
        assert render(first[name], "svg") == render(second[name], "svg")


def test_learning_curves_come_from_the_log_of_a_run(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "epoch,loss,accuracy,auc,held_out_loss,held_out_accuracy,held_out_auc,learning_rate,seconds\n"
        "1,0.7,0.5,0.6,0.8,0.5,0.5,0.001,3\n2,0.5,0.8,0.9,0.6,0.7,nan,0.001,3\n",
        encoding="utf-8",
    )
    assert read_log(log).head_epochs is None
    (tmp_path / "config.json").write_text('{"head_epochs": 1}', encoding="utf-8")
    found = read_log(log)
    assert found.head_epochs == 1
    assert found.columns["held_out_loss"] == [0.8, 0.6]
    plot = learning_curves(found)
    assert [axes.get_title(loc="left") or axes.get_title() for axes in plot.axes] == ["Loss", "Accuracy", "ROC AUC"]
    assert len(plot.axes[0].lines) == 3


@pytest.mark.parametrize("content", ["", "loss\n0.5\n", "epoch,loss\n1,low\n", "epoch,loss\n1\n"])
def test_what_is_no_log_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "log.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"log\.csv"):
        read_log(tmp_path / "log.csv")


def test_a_model_against_itself_shows_no_difference() -> None:
    found = compare(contestant(smears()), contestant(smears(), "b"))
    assert found.cells.flips == 0
    assert found.changed == ()
    for paired in found.cells.figures.values():
        assert paired.difference.value == 0
        assert not paired.resolved
    assert found.cells.decisions["first only"] == found.cells.decisions["second only"] == 0


def test_pairing_resolves_what_separate_intervals_do_not() -> None:
    good = smears()
    # The same model with every logit a little nearer to zero on the wrong side: worse, by little, on the same cells.
    logit = np.log(good.probability) - np.log1p(-good.probability)
    worse = dataclasses.replace(good, probability=1 / (1 + np.exp(-(logit - 0.8 * (2 * good.label - 1)))))
    found = compare(contestant(good), contestant(worse, "b"))
    brier = found.cells.figures["brier"]
    assert brier.resolved
    assert verdict_words("brier", brier) == "worse"
    assert brier.first.high is not None
    assert brier.second.low is not None
    assert brier.difference.low is not None
    assert brier.difference.high is not None
    width = brier.difference.high - brier.difference.low
    assert width < brier.first.high - (brier.first.low or 0)
    assert verdict_words("accuracy", found.cells.figures["accuracy"]) in ("worse", "unresolved")
    assert difference_words("brier", brier).startswith("+")


def test_a_comparison_counts_who_was_right() -> None:
    found = compare(contestant(smears(0)), contestant(smears(1), "b"))
    assert sum(found.cells.decisions.values()) == 328
    assert found.cells.decisions["first only"] + found.cells.decisions["second only"] == found.cells.flips
    assert len(found.changed) == found.cells.flips > 0
    changes = [abs(row["first"] - row["second"]) for row in found.changed]
    assert changes == sorted(changes, reverse=True)


def test_only_shared_samples_are_compared_and_the_rest_is_counted() -> None:
    everything = smears()
    found = compare(contestant(everything.take(np.arange(300))), contestant(everything.take(np.arange(100, 328)), "b"))
    assert (found.cells.samples, found.only_first, found.only_second) == (200, 100, 28)
    assert any("100 sample(s)" in note for note in found.notes)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), max_size=12))
def test_merged_groups_divide_nothing_that_one_side_holds_together(rows: list[tuple[str, str]]) -> None:
    first, second = tuple(one for one, _ in rows), tuple(other for _, other in rows)
    merged = merged_groups(first, second)
    # The finest such grouping: rows are together where a chain of shared names leads from one to the other.
    reached = [{row} for row in range(len(rows))]
    for _ in rows:
        reached = [
            {
                other
                for row in there
                for other in range(len(rows))
                if first[other] == first[row] or second[other] == second[row]
            }
            for there in reached
        ]
    assert all((merged[a] == merged[b]) == (b in reached[a]) for a in range(len(rows)) for b in range(len(rows)))
    assert merged_groups(first, first) == first


def test_what_one_evaluation_groups_together_is_one_group_to_a_comparison() -> None:
    cells = smears()
    names = sorted(set(cells.group))
    joined = tuple(names[0] if name == names[1] else name for name in cells.group)
    other = contestant(dataclasses.replace(cells, group=joined), "b")
    for found in (compare(contestant(cells), other), compare(other, contestant(cells))):
        assert found.cells.groups == len(names) - 1
        assert any(f"which leaves {len(names) - 1}." in note for note in found.notes)
    renamed = dataclasses.replace(cells, group=tuple(f"x{name}" for name in cells.group))
    assert compare(contestant(cells), contestant(renamed, "b")).notes == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": 1 - smears().label}, "disagree about the truth"),
        ({"slide": ("",) * 328}, "different slides"),
        ({"sample": tuple(f"x{name}" for name in smears().sample)}, "no sample in common"),
    ],
)
def test_evaluations_of_different_data_are_not_compared(change: dict[str, object], words: str) -> None:
    other = dataclasses.replace(smears(), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=words):
        compare(contestant(smears()), contestant(other, "b"))


def test_evaluations_are_read_from_their_files_and_reported(evaluation: Evaluation, tmp_path: Path) -> None:
    other = evaluate(smears(1), name="other", resamples=RESAMPLES)
    for side, content in (("a", evaluation), ("b", other)):
        (tmp_path / f"{side}.json").write_text(json.dumps(content.to_json()), encoding="utf-8")
    found = compare(*(read_contestant(tmp_path / f"{side}.json") for side in "ab"))
    assert found.first.predictions.to_json() == evaluation.predictions.to_json()
    claim_comparison_folder(tmp_path / "c")
    write_comparison(found, tmp_path / "c")
    page = Page(tmp_path / "c" / "report.html")
    assert INTENDED_USE in page.words
    assert 'other against model <1> & "co"' in page.words
    record = json.loads((tmp_path / "c" / "comparison.json").read_text(encoding="utf-8"))
    assert (record["schema"], record["kind"], record["intended_use"]) == (1, "comparison", INTENDED_USE)
    assert record["cells"]["figures"]["auc"]["difference"]["samples"] == 328
    assert (tmp_path / "c" / "plots" / "pairs.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "is not an evaluation"),
        ('{"kind": "comparison", "schema": 1}', "is not an evaluation"),
        ('{"kind": "evaluation", "schema": 99}', "has schema 99"),
        ('{"kind": "evaluation", "schema": 1, "name": "x"}', "is damaged"),
    ],
)
def test_what_is_no_evaluation_is_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_contestant(file)
    with pytest.raises(InputNotFoundError):
        read_contestant(tmp_path / "nowhere.json")

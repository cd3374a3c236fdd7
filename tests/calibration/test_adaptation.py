"""A few labelled cells of a strange laboratory: what they buy, what is refused, and that a head is what was fitted."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edge_all.classification.appearance import read_appearance, traits_of
from edge_all.classification.classifier import Classifier
from edge_all.classification.second_look import SECOND_LOOK
from edge_all.cli.main import build_app
from edge_all.errors import InputError, InputNotFoundError, UsageError
from edge_all.model.card import ModelCard, Thresholds
from edge_all.model.package import ModelPackage, load_package
from edge_all.preprocessing import PreprocessingSpec
from edge_all.rendering import SmearSpec, render_field
from edge_all.segmentation import segment
from edge_all_calibration.adapting.adaptation import (
    NOT_KNOWN,
    SHARED_GROUPS,
    Adaptation,
    RefusedCellsError,
    adapt_package,
    check_cells,
)
from edge_all_calibration.adapting.corrected_run import read_corrected_cells
from edge_all_calibration.adapting.dealing import FEWEST_ON_A_SIDE, deal
from edge_all_calibration.adapting.gain import DRAWS, gain_table, measure_gains
from edge_all_calibration.adapting.head import Head, earned_head, write_head
from edge_all_calibration.adapting.zone import adapted_zone, is_empty
from edge_all_calibration.figures.intervals import Estimate, bootstrap
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.probability.out_of_distribution import fit_statistics
from edge_all_calibration.quantizing.inference import NetworkOutputs, run_network
from edge_all_calibration.releasing.publishing import PackageName
from edge_all_calibration.releasing.release import CellParts, ReleasePlan, build_release

Draw = Callable[..., LabelledCells]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, network: Path, card: ModelCard, parts: CellParts) -> ModelPackage:
    """FP32 of the tiny network, which knows what its one laboratory looks like. Not to be changed."""
    training = parts.training
    assert training is not None
    named = dataclasses.replace(training, laboratories=np.full(len(training), "home"))
    folder = tmp_path_factory.mktemp("adapting")
    build_release(folder, network, card, dataclasses.replace(parts, training=named), ReleasePlan(("fp32",)))
    return load_package(folder)


@pytest.fixture(scope="module")
def strange(draw: Draw) -> LabelledCells:
    """Cells of the same kind under a lamp that the network never saw: half the red, more blue."""
    cells = draw(range(60, 70))
    tinted = np.clip(cells.crops * np.array([0.62, 0.9, 1.1]), 0, 255).astype(np.uint8)
    return dataclasses.replace(cells, crops=tinted)


def test_a_strange_laboratory_becomes_known(tmp_path: Path, package: ModelPackage, strange: LabelledCells) -> None:
    found = adapt_package(package, tmp_path, strange, laboratory="strange", named=PackageName("mine", "2.0.0"))
    assert found.passed
    assert found.before["indeterminate"].value > 0.9
    assert found.after["indeterminate"].value < 0.35
    assert found.after["sensitivity"].value > found.before["sensitivity"].value + 0.4
    adapted = load_package(tmp_path)
    assert (adapted.card.name, adapted.card.version) == ("mine", "2.0.0")
    assert adapted.card.variants["fp32"].thresholds.second_look == SECOND_LOOK
    assert adapted.card.evaluation["adapted"]["laboratory"] == "strange"
    assert any("Adapted to" in sentence for sentence in adapted.card.limitations)
    appearance = read_appearance(adapted)
    assert appearance is not None
    assert appearance.laboratories == ("home", "strange")
    assert (appearance.relative_distances(traits_of(strange.crops)) <= 1).mean() > 0.9
    # What a station says is what the card's figures are about.
    judged = Classifier(adapted, device="cpu").judge(strange.crops)
    right = [one.label == ("ALL" if label else "non-ALL") for one, label in zip(judged, strange.labels, strict=True)]
    assert np.mean(right) > 0.6
    # Adapting again to the same cells would prove nothing.
    with pytest.raises(UsageError, match="trained on"):
        check_cells(strange, adapted)


def test_where_nothing_could_be_better_a_package_that_is_as_good_passes(
    tmp_path: Path, package: ModelPackage, draw: Draw
) -> None:
    # Cells about which the package makes no mistake: all that adapting can do is to make none, either.
    cells = draw(range(100, 130))
    judged = Classifier(package, device="cpu").judge(cells.crops)
    labels = np.array([one.label for one in judged])
    sure = labels == np.where(cells.labels, "ALL", "non-ALL")
    found = adapt_package(package, tmp_path, cells.subset(sure), laboratory="home", named=PackageName("mine", "2.0.0"))
    assert found.before["sensitivity"].value == found.before["specificity"].value == 1
    assert found.passed


def test_a_head_in_the_file_is_the_head_that_was_fitted(tmp_path: Path, package: ModelPackage, draw: Draw) -> None:
    cells, file = draw(range(80, 84)), package.variant_file("fp32")
    before = run_network(file, cells.crops)
    assert before.features is not None
    generator = np.random.default_rng(1)
    head = Head(generator.normal(size=before.features.shape[1]), 0.7, -0.3)
    write_head(file, tmp_path / "head.onnx", head)
    after = run_network(tmp_path / "head.onnx", cells.crops)
    np.testing.assert_allclose(after.probability, head.probability(before), atol=2e-5)
    np.testing.assert_array_equal(after.features, before.features)
    nothing = Head(np.zeros(before.features.shape[1]), 1.0, 0.0)
    write_head(file, tmp_path / "same.onnx", nothing)
    np.testing.assert_allclose(
        run_network(tmp_path / "same.onnx", cells.crops).probability, before.probability, atol=1e-5
    )


@pytest.mark.parametrize("count", [19, 3])
def test_too_few_cells_are_refused(package: ModelPackage, strange: LabelledCells, count: int) -> None:
    mixed = np.argsort(np.arange(len(strange)) % 7, kind="stable")[:count]
    with pytest.raises(UsageError):
        check_cells(strange.subset(mixed), package)


def test_one_class_is_refused(package: ModelPackage, strange: LabelledCells) -> None:
    with pytest.raises(UsageError, match=r"All .* are ALL"):
        check_cells(strange.subset(strange.labels), package)
    few = np.concatenate([np.flatnonzero(strange.labels), np.flatnonzero(~strange.labels)[:5]])
    with pytest.raises(UsageError, match="5 of the rarer class"):
        check_cells(strange.subset(few), package)


def test_a_picture_with_two_labels_is_refused(package: ModelPackage, strange: LabelledCells) -> None:
    labels = np.append(strange.labels, ~strange.labels[:1])
    columns = [np.append(column, column[:1], axis=0) for column in (strange.crops, strange.groups, strange.slides)]
    with pytest.raises(UsageError, match=rf"labelled both .*\(of {strange.groups[0]}\)"):
        check_cells(LabelledCells(columns[0], labels, columns[1], columns[2]), package)


def test_cells_that_the_package_was_trained_on_are_refused(
    package: ModelPackage, released: tuple[Path, object], parts: CellParts
) -> None:
    training = parts.training
    assert training is not None
    with pytest.raises(UsageError, match=r"240 of the 240 cells .* \(of group 00, .*, group 19\)"):
        check_cells(training, package)
    assert check_cells(parts.test, package) == ()
    # A package that says nothing of its cells is adapted, and says so.
    assert check_cells(training, load_package(released[0])) == (NOT_KNOWN,)


def test_groups_stay_on_one_side_where_they_can(strange: LabelledCells) -> None:
    fitting, kept = deal(strange)
    assert set(fitting.groups.tolist()).isdisjoint(kept.groups.tolist())
    assert len(fitting) + len(kept) == len(strange)
    one_slide = dataclasses.replace(strange, groups=np.full(len(strange), "one"))
    fitting, kept = deal(one_slide)
    assert {True, False} == set(fitting.labels.tolist()) == set(kept.labels.tolist())


def test_a_deal_leaves_both_sides_enough_of_both_classes(strange: LabelledCells) -> None:
    # One slide holds nearly all ALL cells: kept back whole it leaves nothing to fit to.
    labels = np.arange(len(strange)) < 39
    names = np.where(labels, "one", np.array([f"slide {number % 9}" for number in range(len(strange))]))
    names[:4] = "slide 1"
    for groups in (names, strange.groups):
        for side in deal(dataclasses.replace(strange, labels=labels, groups=groups)):
            assert FEWEST_ON_A_SIDE <= side.labels.sum() <= len(side) - FEWEST_ON_A_SIDE
    _, kept = deal(strange)
    assert abs(kept.labels.sum() / strange.labels.sum() - 1 / 3) < 0.1
    assert abs((~kept.labels).sum() / (~strange.labels).sum() - 1 / 3) < 0.1


def test_what_the_figures_rest_on_is_said(tmp_path: Path, package: ModelPackage, strange: LabelledCells) -> None:
    one = dataclasses.replace(strange, groups=np.full(len(strange), "one"))
    found = adapt_package(package, tmp_path, one, laboratory="strange", named=PackageName("mine", "2.0.0"))
    assert SHARED_GROUPS in found.notes
    assert any("ALL cells are from 1 group:" in note for note in found.notes)
    assert found.card.evaluation["adapted"]["test_cells"] == found.kept
    assert found.kept["cells"] + found.fitting["cells"] == len(strange)
    # One group gives every resample the same figure, which is no interval.
    assert found.to_json()["after"]["auc"]["low"] is None
    assert str(found.after["auc"]).endswith("(no interval: all resamples agree)")


def test_a_package_that_decides_nothing_says_so(tmp_path: Path, package: ModelPackage, draw: Draw) -> None:
    variant = package.card.variants["fp32"]
    wide = dataclasses.replace(variant.thresholds, non_all_below=1e-6, all_from=1 - 1e-6)
    card = dataclasses.replace(package.card, variants={"fp32": dataclasses.replace(variant, thresholds=wide)})
    cells = draw(range(90, 98))
    few = cells.subset(np.concatenate([np.flatnonzero(cells.labels)[:14], np.flatnonzero(~cells.labels)[:14]]))
    named = PackageName("mine", "2.0.0")
    found = adapt_package(dataclasses.replace(package, card=card), tmp_path, few, laboratory="home", named=named)
    assert found.after["indeterminate"].value > 0.9
    assert any("decides next to nothing here" in note for note in found.notes)


def test_cells_that_the_network_tells_apart_do_not_close_the_indeterminate_zone() -> None:
    base = Thresholds(0.2, 0.8, None, 0.05)
    apart = np.concatenate([np.full(20, 0.1), np.full(20, 0.9)])
    kept = adapted_zone(apart, apart > 0.5, base)
    assert (kept.non_all_below, kept.all_from) == (0.2, 0.8)
    # Of a base without a zone nothing is kept.
    assert is_empty(adapted_zone(apart, apart > 0.5, dataclasses.replace(base, non_all_below=0.8)))


def test_many_cells_that_lie_inside_the_zone_earn_another() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(400) % 2 == 0
    inside = np.clip(np.where(labels, 0.6, 0.4) + generator.normal(0, 0.08, 400), 0.25, 0.75)
    base = Thresholds(0.2, 0.8, None, 0.05)
    earned = adapted_zone(inside, labels, base)
    assert 0.25 < earned.non_all_below < earned.all_from < 0.75
    few = adapted_zone(inside[:20], labels[:20], base)
    assert (few.non_all_below, few.all_from) == (0.2, 0.8)


def test_an_interval_without_width_is_none() -> None:
    assert np.isnan(bootstrap(lambda _: 0.5, np.array(["a", "b", "c"])).low)


def test_labels_against_the_network_are_not_published(tmp_path: Path, package: ModelPackage, draw: Draw) -> None:
    cells = draw(range(90, 95))
    wrong = dataclasses.replace(cells, labels=np.random.default_rng(0).permutation(cells.labels))
    try:
        found = adapt_package(package, tmp_path, wrong, laboratory="home", named=PackageName("mine", "1.0.0"))
    except UsageError:
        return
    assert not found.passed or found.after["auc"].value < 0.75


@pytest.fixture
def screened(tmp_path: Path) -> tuple[Path, int]:
    """A table of a run over one rendered field, its labels corrected, and how many cells it labels."""
    field = render_field(4, width=700, height=700, spec=SmearSpec(blasts=3))
    cv2.imwrite(str(tmp_path / "field.png"), field.pixels[..., ::-1])
    cells = [cell for cell in segment(field.pixels).cells if cell.kind == "candidate"]
    table = tmp_path / "cells.csv"
    with table.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(["slide", "image", "label", "nucleus_centroid_x", "nucleus_centroid_y"])
        for index, cell in enumerate(cells):
            label = ("ALL", "non-ALL", "indeterminate")[index % 3]
            writer.writerow(["s", "field.png", label, *cell.nucleus_centroid])
    return table, sum(index % 3 < 2 for index in range(len(cells)))


def test_corrected_cells_of_a_run_are_cut_again(screened: tuple[Path, int], package: ModelPackage) -> None:
    table, count = screened
    cells = read_corrected_cells(table, package.card.preprocessing, lambda *_: None)
    assert len(cells) == count
    assert set(cells.slides.tolist()) == {"s"}


def test_a_table_that_a_german_excel_saved_is_read_alike(screened: tuple[Path, int], package: ModelPackage) -> None:
    table, count = screened
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.reader(stream))
    with table.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter=";").writerows(
            [[value.replace(".", ",") if "field" not in value else value for value in row] for row in rows]
        )
    assert len(read_corrected_cells(table, package.card.preprocessing, lambda *_: None)) == count


def test_a_cell_with_two_labels_in_a_table_is_refused(screened: tuple[Path, int], package: ModelPackage) -> None:
    table, _ = screened
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines, lines[1].replace(",ALL,", ",non-ALL,")]), encoding="utf-8")
    with pytest.raises(UsageError, match="both ALL and non-ALL"):
        read_corrected_cells(table, package.card.preprocessing, lambda *_: None)


def test_a_label_that_is_none_is_named_and_not_passed_over(screened: tuple[Path, int], package: ModelPackage) -> None:
    table, _ = screened
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines, lines[1].replace(",ALL,", ",all,")]), encoding="utf-8")
    with pytest.raises(InputError, match=rf"Line {len(lines) + 1} of .* calls a cell 'all'"):
        read_corrected_cells(table, package.card.preprocessing, lambda *_: None)


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "slide,image,label,nucleus_centroid_x,nucleus_centroid_y\ns,f,ALL,x,2\n"]
)
def test_another_table_is_refused(tmp_path: Path, package: ModelPackage, text: str) -> None:
    (tmp_path / "cells.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        read_corrected_cells(tmp_path / "cells.csv", package.card.preprocessing, lambda *_: None)
    with pytest.raises(InputNotFoundError):
        read_corrected_cells(tmp_path / "none.csv", package.card.preprocessing, lambda *_: None)


def test_the_command_adapts_and_says_what_it_bought(
    tmp_path: Path, package: ModelPackage, strange: LabelledCells
) -> None:
    np.savez(
        tmp_path / "cells.npz",
        **{field.name: getattr(strange, field.name) for field in dataclasses.fields(strange)},
    )
    target = tmp_path / "mine"
    arguments = ["adapt", str(package.path), "--cells", str(tmp_path / "cells.npz"), "-o", str(target)]
    done = CliRunner().invoke(build_app(), arguments)
    assert done.exit_code == 0, done.output
    assert "before" in done.output
    assert "fitted to " in done.output
    assert "kept back " in done.output
    assert "Research Use Only" in done.output
    assert load_package(target).card.name == "mine"


def test_a_program_is_told_the_same_as_json(
    tmp_path: Path, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = {"auc": Estimate(0.5, 0.4, 0.6)}, {"auc": Estimate(0.9, 0.8, 1.0)}

    def adapted(_package: ModelPackage, stage: Path, *_cells: object, **_named: object) -> Adaptation:
        shutil.copytree(package.path, stage, dirs_exist_ok=True)
        return Adaptation(package.card, False, {}, {}, (), before, after, True, ())

    monkeypatch.setattr("edge_all_calibration.adapting.adaptation.adapt_package", adapted)
    monkeypatch.setattr("edge_all_calibration.labelled_cells.cell_folder.read_cells", lambda *_: None)
    target = str(tmp_path / "mine")
    done = CliRunner().invoke(build_app(), ["adapt", str(package.path), "--cells", ".", "-o", target, "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["before"]["auc"] == {"value": 0.5, "low": 0.4, "high": 0.6}
    assert printed["after"]["auc"]["value"] == 0.9
    assert printed["left_out"] == []
    assert (printed["name"], printed["path"]) == (package.card.name, target)
    assert "Research Use Only" in printed["intended_use"]


def test_json_names_every_group_that_is_refused_and_every_image_left_out(
    tmp_path: Path, package: ModelPackage, parts: CellParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = parts.training
    assert training is not None
    many = np.array([f"patient {number:03}" for number in range(len(training))])

    def read(_source: Path, _spec: PreprocessingSpec, skipped: Callable[[Path, str], None]) -> LabelledCells:
        skipped(Path("empty.png"), "no cell was found in it")
        return dataclasses.replace(training, groups=many, slides=many)

    monkeypatch.setattr("edge_all_calibration.labelled_cells.cell_folder.read_cells", read)
    command = ["adapt", str(package.path), "--cells", ".", "-o", str(tmp_path / "mine"), "--json"]
    done = CliRunner().invoke(build_app(), command)
    assert isinstance(done.exception, RefusedCellsError)
    assert str(done.exception).count("patient") < len(many)
    printed = json.loads(done.stdout)
    assert (printed["kind"], printed["refused_groups"]) == ("refused cells", many.tolist())
    assert printed["left_out"] == [{"image": "empty.png", "reason": "no cell was found in it"}]
    assert "trained on" in printed["problem"]
    assert not (tmp_path / "mine").exists()


def test_what_cells_buy_is_measured_on_groups_kept_apart(package: ModelPackage, strange: LabelledCells) -> None:
    gains = measure_gains(package, strange, (10, 40))
    assert [gain.cells for gain in gains] == [0, 10, 40]
    none, few, some = gains
    # Ten cells are refused, and then the package stays what it is.
    assert few.refused == DRAWS
    assert few.figures == none.figures
    assert some.refused < DRAWS
    assert some.figures["indeterminate"][0] < none.figures["indeterminate"][0] - 0.2
    table = gain_table(gains)
    assert "| 40 | " in table
    assert "Research Use Only" in table
    with pytest.raises(UsageError, match="do not show"):
        measure_gains(package, strange.subset(np.arange(30)))


@pytest.mark.parametrize(("count", "earned"), [(29, False), (60, True)])
def test_a_head_needs_cells_to_be_fitted_to(count: int, earned: bool) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2 == 0
    features = generator.normal(size=(count, 8)).astype(np.float32)
    # Only the features tell the classes apart; the network itself guesses.
    features[:, 0] += np.where(labels, 3, -3)
    outputs = NetworkOutputs(generator.uniform(0.2, 0.8, count).astype(np.float32), features)
    statistics = fit_statistics(generator.normal(size=(200, 8)).astype(np.float32))
    assert (earned_head(outputs, labels, statistics) is not None) is earned

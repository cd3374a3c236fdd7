"""What colour cannot decide is decided by a network, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_all import Screener
from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, ModelNotFoundError
from edge_all.model.package import default_package_path, load_package, sha256_of, write_card
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import SegmentationWay
from edge_all.segmentation import segment
from edge_all.segmentation.groups import OutlinedGroup
from edge_all.segmentation.learned_outlines import learned_cells
from edge_all.segmentation.numbered_cells import MOST_UNDECIDED
from edge_all.segmentation.outline_network import TOGETHER, embedded_outlines, golden_answers, open_outlines
from edge_all.segmentation.outline_windows import CHANNELS, RED_CELL_PIXELS, WINDOW, scaled_view, window_around
from edge_all.segmentation.shapes import likeness_to_ellipse

RED_RADIUS = 20.0
HEIGHT, WIDTH = 160, 240
PICTURE = np.full((HEIGHT, WIDTH, 3), 235, np.uint8)

UNCHANGED = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


def discs(*places: tuple[int, int, int]) -> NDArray[np.uint8]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, radius in places:
        cv2.circle(mask, (x, y), radius, 1, -1)
    return mask


def group_of(nuclei: NDArray[np.uint8], whole: NDArray[np.uint8]) -> OutlinedGroup:
    return OutlinedGroup(0, 0, np.zeros((*nuclei.shape, 3), np.float32), nuclei, whole, 100.0)


class DiscAroundTheSeed:
    """Answers with a disc of so many red-cell radii in the middle of the window."""

    def __init__(self, radius: float) -> None:
        self.windows: list[NDArray[np.uint8]] = []
        offsets = np.arange(WINDOW) - WINDOW // 2
        disc = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= (radius * RED_CELL_PIXELS) ** 2
        self.answer = disc.astype(np.float32)

    def __call__(self, windows: NDArray[np.uint8], /) -> NDArray[np.float32]:
        self.windows.extend(windows)
        return np.repeat(self.answer[None], len(windows), axis=0)


TWO_NUCLEI = discs((70, 80, 24), (130, 80, 24))
LEAKING = cv2.dilate(TWO_NUCLEI, np.ones((31, 31), np.uint8)).astype(np.uint8)


def test_parts_that_do_not_claim_one_another_are_two_cells_with_a_border_between_them() -> None:
    network = DiscAroundTheSeed(1.5)
    (found,) = learned_cells([group_of(TWO_NUCLEI, LEAKING)], PICTURE, UNCHANGED, RED_RADIUS, network)
    assert found.count == 2
    assert found.nuclei[80, 70] != found.nuclei[80, 130]
    # Each cell is the disc that the network claims for it, not what colour let it grow to.
    for x in (70, 130):
        area = np.count_nonzero(found.cells == found.nuclei[80, x])
        assert area == pytest.approx(np.pi * 30**2, rel=0.06)
    assert len(network.windows) == 2


def test_parts_that_claim_one_another_are_one_cell() -> None:
    (found,) = learned_cells([group_of(TWO_NUCLEI, LEAKING)], PICTURE, UNCHANGED, RED_RADIUS, DiscAroundTheSeed(4.5))
    assert found.count == 1
    assert (found.nuclei > 0).sum() == TWO_NUCLEI.sum()


def test_a_single_nucleus_whose_cell_is_an_ellipse_is_not_asked_about() -> None:
    network = DiscAroundTheSeed(1.0)
    nucleus, whole = discs((100, 80, 24)), discs((100, 80, 34))
    (found,) = learned_cells([group_of(nucleus, whole)], PICTURE, UNCHANGED, RED_RADIUS, network)
    assert network.windows == []
    assert (found.cells == whole).all()


@pytest.mark.parametrize(("claimed", "count"), [(1.0, 2), (3.7, 1)])
def test_round_cells_that_colour_tells_apart_are_asked_about(claimed: float, count: int) -> None:
    nuclei, whole = discs((70, 80, 24), (136, 80, 24)), discs((70, 80, 32), (136, 80, 32))
    network = DiscAroundTheSeed(claimed)
    (found,) = learned_cells([group_of(nuclei, whole)], PICTURE, UNCHANGED, RED_RADIUS, network)
    assert len(network.windows) == 2
    assert found.count == count
    if count == 2:
        assert ((found.cells > 0) == (nuclei > 0)).all(), "each is what the network claims"


def test_lobes_in_one_round_cell_are_not_asked_about() -> None:
    nuclei, whole = discs((88, 80, 14), (112, 80, 14)), discs((100, 80, 36))
    network = DiscAroundTheSeed(1.0)
    (found,) = learned_cells([group_of(nuclei, whole)], PICTURE, UNCHANGED, RED_RADIUS, network)
    assert network.windows == []
    assert (found.count, found.undecided) == (1, (0.0,))


def test_an_outline_that_leaks_is_asked_about_and_cut_back() -> None:
    nucleus = discs((100, 80, 24))
    leaking = discs((100, 80, 30), (150, 80, 20), (190, 80, 20))
    assert likeness_to_ellipse(leaking) < 0.9
    (found,) = learned_cells([group_of(nucleus, leaking)], PICTURE, UNCHANGED, RED_RADIUS, DiscAroundTheSeed(1.5))
    assert found.cells[80, 150] == 0
    assert found.cells[80, 125] == 1


def test_a_nucleus_that_the_network_does_not_know_keeps_the_outline_of_its_colours() -> None:
    nucleus, leaking = discs((100, 80, 24)), discs((100, 80, 30), (150, 80, 20))
    (found,) = learned_cells([group_of(nucleus, leaking)], PICTURE, UNCHANGED, RED_RADIUS, DiscAroundTheSeed(0.2))
    assert ((found.cells > 0) == (leaking > 0)).all()


def test_what_the_network_claims_over_its_window_beside_the_border_is_decided_by_colour() -> None:
    window = (slice(90, 160), slice(60, 190))  # its lower side is the picture's
    nucleus, leaking = discs((100, 150, 24))[window], discs((100, 150, 30), (150, 150, 20))[window]
    network = DiscAroundTheSeed(3.0)  # over the left side of the window
    cut = dataclasses.replace(group_of(nucleus, leaking), left=60, top=90)
    (found,) = learned_cells([cut], PICTURE, UNCHANGED, RED_RADIUS, network)
    assert ((found.cells > 0) == (leaking > 0)).all()
    assert found.undecided == (math.inf,), "and it is doubtful"
    # Away from the border what the network claims stands.
    inside = dataclasses.replace(cut, top=80)
    (found,) = learned_cells([inside], PICTURE, UNCHANGED, RED_RADIUS, network)
    assert np.count_nonzero(found.cells) > 1.3 * np.count_nonzero(leaking)


def test_an_outline_is_doubtful_where_the_network_is_unsure_or_does_not_know_the_cell() -> None:
    nucleus, leaking = discs((100, 80, 24)), discs((100, 80, 30), (150, 80, 20))
    sure, unknown = DiscAroundTheSeed(1.5), DiscAroundTheSeed(0.2)
    unsure = DiscAroundTheSeed(1.5)
    unsure.answer = np.asarray(cv2.GaussianBlur(unsure.answer, (0, 0), 4.0), np.float32)
    undecided = [
        learned_cells([group_of(nucleus, leaking)], PICTURE, UNCHANGED, RED_RADIUS, network)[0].undecided[0]
        for network in (sure, unsure, unknown)
    ]
    assert undecided[0] < MOST_UNDECIDED < undecided[1] < undecided[2] == math.inf


def test_a_field_says_of_each_outline_whether_it_is_doubtful_and_colour_does_not_know() -> None:
    pixels = render_field(13, width=480, height=480, spec=SmearSpec(blasts=2)).pixels
    assert {cell.outline_unsure for cell in segment(pixels).cells} <= {True, False}
    assert {cell.outline_unsure for cell in segment(pixels, outlines="colour").cells} == {None}


@pytest.mark.parametrize("way", ["learned", "colour"])
def test_an_outline_that_ends_where_the_field_does_is_doubtful(way: SegmentationWay) -> None:
    field = render_field(13, width=480, height=480, spec=SmearSpec(blasts=1))
    x, y, width, height = field.cells[0].bbox
    cut = segment(field.pixels[:, x + width // 3 :], outlines=way)
    (cell,) = (one for one in cut.cells if one.bbox[0] == 0 and abs(one.centroid[1] - y - height / 2) < height / 2)
    assert cell.outline_unsure


def test_a_window_shows_the_seed_in_its_middle_at_the_size_of_red_cells() -> None:
    network = DiscAroundTheSeed(1.5)
    picture = PICTURE.copy()
    picture[TWO_NUCLEI > 0] = (80, 20, 120)
    learned_cells([group_of(TWO_NUCLEI, LEAKING)], picture, UNCHANGED, RED_RADIUS, network)
    for window in network.windows:
        assert window.shape == (WINDOW, WINDOW, CHANNELS)
        assert window[WINDOW // 2, WINDOW // 2].tolist() == [80, 20, 120, 255]
        seed = np.count_nonzero(window[..., 3])
        assert seed == pytest.approx(np.pi * (24 / RED_RADIUS * RED_CELL_PIXELS) ** 2, rel=0.1)


def test_beyond_the_picture_lies_glass() -> None:
    view, scale = scaled_view(np.zeros((100, 100, 3), np.uint8), UNCHANGED, 10.0)
    assert scale == pytest.approx(0.8)
    window = window_around(view, 0, 0)
    assert (window[: WINDOW // 2] == 235).all()
    assert (window[WINDOW // 2 :, WINDOW // 2 :] == 0).all()


def test_an_ellipse_is_like_itself_however_it_lies_and_two_discs_are_not() -> None:
    lying = np.zeros((200, 200), np.uint8)
    cv2.ellipse(lying, (100, 100), (70, 40), 33, 0, 360, 1, -1)
    assert likeness_to_ellipse(lying) > 0.97
    assert likeness_to_ellipse(discs((70, 80, 24), (130, 80, 24))) < 0.8
    assert likeness_to_ellipse(np.zeros((5, 5), np.uint8)) == 0.0


def package(folder: Path, **changes: object) -> Path:
    (folder / "outline.onnx").write_bytes(b"no network")
    card = {
        "schema": 1,
        "kind": "outlines",
        "file": "outline.onnx",
        "sha256": "f1a5e8a0bc3bd3a4ff1f0c3a1e1e8e8e",
        "window": WINDOW,
        "red_cell_pixels": RED_CELL_PIXELS,
    }
    (folder / "card.json").write_text(json.dumps(card | changes))
    return folder


def test_a_folder_without_a_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=str(tmp_path)):
        open_outlines(tmp_path)


def test_a_network_that_was_changed_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match="not the file"):
        open_outlines(package(tmp_path))


def test_a_card_that_is_damaged_is_told(tmp_path: Path) -> None:
    package(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(ModelIntegrityError, match="damaged"):
        open_outlines(tmp_path)


def test_a_package_brings_its_network_and_one_without_has_the_embedded_one(tiny_package: Path) -> None:
    onnx = pytest.importorskip("onnx")
    assert Screener(model=tiny_package).outlines == embedded_outlines().sha256
    embedded = load_package(default_package_path())
    assert embedded.card.outlines is not None
    network = onnx.load(embedded.path / embedded.card.outlines["file"])
    network.doc_string = "another one"
    onnx.save(network, tiny_package / "own.onnx")
    sha256 = sha256_of(tiny_package / "own.onnx")
    own = embedded.card.outlines | {"file": "own.onnx", "sha256": sha256}
    write_card(tiny_package, dataclasses.replace(load_package(tiny_package).card, outlines=own))
    assert sha256 != embedded_outlines().sha256
    assert Screener(model=tiny_package).outlines == sha256
    assert Screener(model=tiny_package, segmentation="colour").outlines is None
    (tiny_package / "own.onnx").write_bytes(b"changed")
    with pytest.raises(ModelIntegrityError, match=r"own\.onnx"):
        load_package(tiny_package)


def test_what_is_said_of_a_window_does_not_depend_on_the_windows_beside_it() -> None:
    network = embedded_outlines()
    windows = np.random.default_rng(5).integers(0, 256, (TOGETHER + 3, WINDOW, WINDOW, CHANNELS), np.uint8)
    together = network(windows)
    for window, answer in zip(windows, together, strict=True):
        np.testing.assert_array_equal(network(window[None])[0], answer)


def test_a_network_that_was_sent_to_another_process_answers_alike() -> None:
    network = embedded_outlines()
    assert golden_answers(pickle.loads(pickle.dumps(network))) == golden_answers(network)  # noqa: S301 - our own


def test_a_package_whose_card_names_no_network_of_outlines_is_named(tiny_package: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="its card names none"):
        open_outlines(tiny_package)


def test_a_network_of_other_windows_is_refused(tmp_path: Path) -> None:
    import hashlib

    sha256 = hashlib.sha256(b"no network").hexdigest()
    with pytest.raises(ModelIncompatibleError, match="another kind"):
        open_outlines(package(tmp_path, sha256=sha256, window=96))

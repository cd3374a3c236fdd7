"""The smear renderer: the same seed gives the same field, and its truth is true of its pixels."""

from __future__ import annotations

import hashlib
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.errors import UsageError
from edge_all.rendering import STAIN_NAMES, RenderedField, SmearSpec, StainName, render_field

CROWDED = SmearSpec(
    blasts=2,
    clumps=(3,),
    cut_blasts=1,
    lymphocytes=1,
    neutrophils=1,
    monocytes=1,
    smudges=1,
    platelets=4,
)


@pytest.fixture(scope="module")
def crowded() -> RenderedField:
    return render_field(7, width=1200, height=900, spec=CROWDED)


def _digest(field: RenderedField) -> str:
    parts = (field.pixels, field.cell_labels, field.nucleus_labels)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


def _luminance(field: RenderedField) -> np.ndarray:
    return field.pixels.astype(np.float64).mean(axis=2)


def test_the_same_seed_gives_the_same_field() -> None:
    spec = SmearSpec(blasts=1, platelets=2, neutrophils=1)
    first, second = (render_field(3, width=500, height=400, spec=spec) for _ in range(2))
    assert _digest(first) == _digest(second)
    assert first.cells == second.cells


def test_the_field_is_the_same_on_every_machine(crowded: RenderedField) -> None:
    """Seen with NumPy 2.0 and OpenCV 4.11, with NumPy 2.4 and OpenCV 5.0, with and without AVX; renew it on purpose."""
    assert _digest(crowded) == "51bb1dd74fb5e90c"


def test_another_seed_gives_another_field() -> None:
    spec = SmearSpec(blasts=1)
    assert _digest(render_field(1, width=300, height=300, spec=spec)) != _digest(
        render_field(2, width=300, height=300, spec=spec)
    )


def test_camera_and_light_do_not_move_the_truth() -> None:
    plain = render_field(5, width=500, height=400, spec=SmearSpec(blasts=1, lymphocytes=1))
    bad = SmearSpec(
        blasts=1, lymphocytes=1, stain="yellow", exposure=0.5, vignette=0.5, defocus=1.0, noise=6.0, stain_strength=0.6
    )
    spoilt = render_field(5, width=500, height=400, spec=bad)
    assert spoilt.cells == plain.cells
    np.testing.assert_array_equal(spoilt.cell_labels, plain.cell_labels)
    np.testing.assert_array_equal(spoilt.nucleus_labels, plain.nucleus_labels)
    assert not np.array_equal(spoilt.pixels, plain.pixels)


def test_there_is_as_much_of_everything_as_was_asked_for(crowded: RenderedField) -> None:
    kinds = Counter(cell.kind for cell in crowded.cells)
    assert kinds == {"blast": 6, "lymphocyte": 1, "neutrophil": 1, "monocyte": 1, "smudge": 1, "platelet": 4}
    assert sum(cell.cut for cell in crowded.cells) == 1


def test_labels_follow_from_kinds(crowded: RenderedField) -> None:
    labels = {
        "blast": "ALL",
        "lymphocyte": "non-ALL",
        "neutrophil": "non-ALL",
        "monocyte": "non-ALL",
        "smudge": None,
        "platelet": None,
    }
    assert all(cell.label == labels[cell.kind] for cell in crowded.cells)


def test_touching_blasts_touch_and_single_cells_do_not(crowded: RenderedField) -> None:
    labels = crowded.cell_labels.astype(np.int64)
    neighbours = set()
    for one, other in ((labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])):
        contact = (one != other) & (one > 0) & (other > 0)
        neighbours |= set(zip(one[contact].tolist(), other[contact].tolist(), strict=True))
    touching = {number for pair in neighbours for number in pair}
    assert len(touching) == 3
    assert all(crowded.cells[number - 1].kind == "blast" for number in touching)


def test_sizes_are_those_of_a_blood_film() -> None:
    """Diameters in micrometres on a dried film, from the area."""
    expected = {"blast": (9.0, 18.0), "lymphocyte": (8.0, 11.0), "neutrophil": (11.5, 14.5), "monocyte": (14.0, 19.0)}
    for kind, (low, high) in expected.items():
        for seed in range(4):
            spec = SmearSpec(**{f"{kind}s": 1}, red_cell_cover=0.0)  # type: ignore[arg-type]
            field = render_field(seed, width=400, height=400, spec=spec)
            diameter = 2.0 * (field.cells[0].area / np.pi) ** 0.5 * field.microns_per_pixel
            assert low <= diameter <= high, (kind, seed)


def test_a_blast_is_mostly_nucleus_and_a_neutrophil_is_not(crowded: RenderedField) -> None:
    share = {cell.kind: cell.nucleus_area / cell.area for cell in crowded.cells if cell.label and not cell.cut}
    assert share["blast"] > 0.6
    assert share["neutrophil"] < 0.45


@pytest.mark.parametrize("stain", STAIN_NAMES)
def test_nuclei_are_darkest_then_cells_then_ground(stain: StainName) -> None:
    spec = SmearSpec(
        blasts=1, lymphocytes=1, neutrophils=1, red_cell_cover=0.0, stain=stain, vignette=0.0, gradient=0.0
    )
    field = render_field(11, width=700, height=500, spec=spec)
    light = _luminance(field)
    ground = light[field.cell_labels == 0].mean()
    for cell in field.cells:
        nucleus = light[field.nucleus_labels == cell.id].mean()
        cytoplasm = light[(field.cell_labels == cell.id) & (field.nucleus_labels == 0)].mean()
        assert nucleus < cytoplasm < ground


def test_ground_has_the_colour_of_the_stain() -> None:
    field = render_field(0, width=100, height=100, spec=SmearSpec(red_cell_cover=0.0, stain="grey", vignette=0.0))
    np.testing.assert_allclose(field.pixels.reshape(-1, 3).mean(axis=0), (161, 163, 161), atol=1.5)


def test_the_vignette_darkens_the_corners() -> None:
    spec = SmearSpec(red_cell_cover=0.0, vignette=0.5, gradient=0.0, noise=0.0)
    light = _luminance(render_field(0, width=200, height=200, spec=spec))
    assert light[0, 0] == pytest.approx(0.5 * light[100, 100], rel=0.03)
    assert light[100, 0] == pytest.approx(light[100, 199], abs=1.0)


def test_defocus_removes_detail() -> None:
    def detail(defocus: float) -> float:
        spec = SmearSpec(blasts=1, defocus=defocus, noise=0.0, sharpening=0.0)
        return float(np.abs(np.diff(_luminance(render_field(2, width=300, height=300, spec=spec)), axis=1)).max())

    assert detail(1.0) < 0.3 * detail(0.15)


def test_overlapping_red_cells_are_darker_than_single_ones_and_lighter_than_nuclei() -> None:
    spec = SmearSpec(red_cell_cover=1.2, noise=0.0, vignette=0.0, gradient=0.0)
    overlap = np.percentile(_luminance(render_field(1, width=500, height=500, spec=spec)), 2)
    single_spec = SmearSpec(red_cell_cover=0.05, noise=0.0, vignette=0.0, gradient=0.0)
    single = _luminance(render_field(1, width=500, height=500, spec=single_spec)).min()
    nucleus = (74 + 24 + 117) / 3
    assert nucleus < overlap < single


def test_magnification_scales_cells() -> None:
    areas = []
    for scale in (0.05, 0.1):
        spec = SmearSpec(lymphocytes=1, red_cell_cover=0.0, microns_per_pixel=scale)
        areas.append(render_field(4, width=round(30 / scale), height=round(30 / scale), spec=spec).cells[0].area)
    assert areas[0] == pytest.approx(4 * areas[1], rel=0.02)


def test_an_empty_field_is_a_field() -> None:
    field = render_field(0, width=1, height=1, spec=SmearSpec())
    assert field.pixels.shape == (1, 1, 3)
    assert field.cells == ()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    width=st.integers(260, 420),
    height=st.integers(260, 420),
    kind=st.sampled_from(["blasts", "lymphocytes", "neutrophils", "monocytes", "smudges", "platelets"]),
    stain=st.sampled_from(STAIN_NAMES),
    scale=st.sampled_from([0.12, 0.15, 0.2]),
    cover=st.floats(0.0, 0.8),
)
def test_every_field_is_consistent(
    seed: int, width: int, height: int, kind: str, stain: StainName, scale: float, cover: float
) -> None:
    counts = {"platelets": 2}
    counts[kind] = counts.get(kind, 0) + 1
    spec = SmearSpec(**counts, stain=stain, microns_per_pixel=scale, red_cell_cover=cover)  # type: ignore[arg-type]
    field = render_field(seed, width=width, height=height, spec=spec)
    assert field.pixels.shape == (height, width, 3)
    assert field.pixels.dtype == np.uint8
    for labels in (field.cell_labels, field.nucleus_labels):
        assert labels.shape == (height, width)
        assert labels.dtype == np.uint16
    assert len(field.cells) == 3
    assert [cell.id for cell in field.cells] == [1, 2, 3]
    white = {cell.id for cell in field.cells if cell.label is not None}
    assert set(np.unique(field.cell_labels).tolist()) - {0} == white
    assert set(np.unique(field.nucleus_labels).tolist()) - {0} == white
    inside = field.nucleus_labels > 0
    np.testing.assert_array_equal(field.nucleus_labels[inside], field.cell_labels[inside])
    for cell in field.cells:
        x, y, box_width, box_height = cell.bbox
        assert x >= 0
        assert y >= 0
        assert x + box_width <= width
        assert y + box_height <= height
        assert x <= cell.centroid[0] < x + box_width
        assert y <= cell.centroid[1] < y + box_height
        if cell.id in white:
            mask = field.cell_labels == cell.id
            rows, columns = np.nonzero(mask)
            assert cell.area == rows.size
            assert cell.nucleus_area == np.count_nonzero(field.nucleus_labels == cell.id)
            assert cell.bbox == (
                columns.min(),
                rows.min(),
                columns.max() - columns.min() + 1,
                rows.max() - rows.min() + 1,
            )
            assert cell.centroid == pytest.approx((columns.mean(), rows.mean()))
        assert not cell.cut


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 7))
def test_clumps_of_every_size_hold_whole_separate_cells(seed: int, size: int) -> None:
    field = render_field(seed, width=600, height=600, spec=SmearSpec(clumps=(size,), microns_per_pixel=0.16))
    assert len(field.cells) == size
    for cell in field.cells:
        assert cell.nucleus_area > 0.5 * cell.area
        assert cell.area * field.microns_per_pixel**2 > 0.5 * np.pi * 5.1**2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="no room for another blast in a field of 18 x 18 micrometres"):
        render_field(0, width=200, height=200, spec=SmearSpec(blasts=5))


@pytest.mark.parametrize(
    "values",
    [
        {"blasts": -1},
        {"clumps": (1,)},
        {"stain": "mauve"},
        {"microns_per_pixel": 0.0},
        {"exposure": float("nan")},
        {"red_cell_cover": 5.0},
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(values))):
        SmearSpec(**values)  # type: ignore[arg-type]


def test_a_size_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="0 x 10"):
        render_field(0, width=0, height=10, spec=SmearSpec())


def test_rendering_is_fast_enough_for_tests() -> None:
    """0.02 s of processor time for 500 x 500 when measured on two cores; the bound leaves room for slow machines."""
    spec = SmearSpec(blasts=2, lymphocytes=1)
    render_field(0, width=500, height=500, spec=spec)
    start = time.process_time()
    for seed in range(4):
        render_field(seed, width=500, height=500, spec=spec)
    assert (time.process_time() - start) / 4 < 0.5

"""The plain way does what it says, so that beating it means something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.benchmark.workload import BenchmarkImages, Workload
from edge_all.errors import CorruptImageError
from edge_all.inputs import find_images
from edge_all.rendering import SmearSpec, render_field
from edge_all_export.plain_yardstick import CLUSTERS, cluster_pixels, plain_way


@pytest.fixture
def field(tmp_path: Path) -> Path:
    path = tmp_path / "field.png"
    cv2.imwrite(str(path), render_field(1, width=500, height=460, spec=SmearSpec(blasts=2)).pixels[..., ::-1])
    return path


def test_every_pixel_gets_a_colour(field: Path) -> None:
    clusters = cluster_pixels(field)
    assert clusters.shape == (460, 500)
    assert set(np.unique(clusters)) == set(range(CLUSTERS))
    assert np.array_equal(cluster_pixels(field), clusters)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptImageError, match=r"gone\.jpg"):
        cluster_pixels(tmp_path / "gone.jpg")


@pytest.mark.training
def test_each_cell_is_predicted_by_itself(field: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_all_export import network

    shapes: list[tuple[int, ...]] = []

    class Counting:
        def predict(self, batch: np.ndarray, verbose: int) -> None:
            assert verbose == 0
            shapes.append(batch.shape)

    monkeypatch.setattr(network, "build_network", lambda size, weights: Counting() if weights == "none" else size)
    images = BenchmarkImages(tuple(find_images([str(field)])), "own")
    plain_way(Workload(images, (3,), np.zeros((3, 96, 96, 3), np.uint8), 0.1))()
    assert shapes == [(1, 96, 96, 3)] * 3


@pytest.mark.training
def test_nothing_of_tensorflow_s_stands_among_the_tables_of_a_benchmark() -> None:
    code = (
        "from types import SimpleNamespace\n"
        "import numpy as np\n"
        "from edge_all_export.plain_yardstick import plain_way\n"
        "plain_way(SimpleNamespace(crops=np.zeros((1, 75, 75, 3), np.uint8), images=SimpleNamespace(sources=())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""

"""One run with the real network; what surrounds it is tested with a tiny one in test_training.py."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]

keras = pytest.importorskip("keras")
from edge_all.results import Cell  # noqa: E402 - Keras comes first
from edge_all_export.crops import CropStore  # noqa: E402 - needs Keras
from edge_all_export.datasets.samples import Sample  # noqa: E402
from edge_all_export.splitting.splits import Split  # noqa: E402
from edge_all_export.training import TrainingConfig, run, train  # noqa: E402

BOX, GLASS = (0, 0, 40, 40), (200.0, 200.0, 200.0)
CELL = Cell(1, BOX, (20.0, 20.0), 1600, BOX, (20.0, 20.0), 1600, "candidate", contour=(), glass=GLASS)
SIZE = 75
CELLS = 8


@pytest.mark.usefixtures("eager")
def test_inception_trains_head_first_then_whole_and_answers_alike_after_saving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SETTLING_BATCHES", 2)
    samples = [
        Sample(f"s/{i}", "s", f"g{i}", f"b{i}", 1 if i % 2 else 0, Path(f"{i}.png"), CELL, "cell") for i in range(CELLS)
    ]
    pictures = np.random.default_rng(0).integers(0, 256, (CELLS, 112, 112, 3), np.uint8)
    crops = CropStore(pictures[:, 18 : 18 + SIZE, 18 : 18 + SIZE], pictures)
    config = TrainingConfig(input_size=SIZE, weights="none", head_epochs=1, epochs=1, samples_per_epoch=4, batch_size=4)
    done = train(config, samples, Split((0, 1, 2, 3), (4, 5, 6, 7)), tmp_path / "run", crops=crops)
    network = keras.models.load_model(done.files.network)
    # 188 layers with weights of InceptionV3, 2 of the head.
    assert len([layer for layer in network.get_layer("backbone").layers if layer.weights]) == 188
    assert {"features", "probabilities"} <= {layer.name for layer in network.layers}
    with (done.folder / "predictions.csv").open() as file:
        written = [float(row["probability"]) for row in csv.DictReader(file)]
    again = keras.ops.convert_to_numpy(network(crops.exact[4:], training=False))[:, 1]
    assert written == pytest.approx(again.tolist(), abs=1e-4)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_all.classification.decision_rule import DecisionRule
from edge_all.model.card import Thresholds
from edge_all_calibration.gating.decisions import fit_variant
from edge_all_calibration.probability.out_of_distribution import (
    MARGIN,
    condense_features,
    distance_limit,
    fit_statistics,
)
from edge_all_calibration.quantizing.inference import NetworkOutputs, run_network
from edge_all_calibration.releasing.release import CellParts


def test_distances_are_those_of_mahalanobis() -> None:
    generator = np.random.default_rng(0)
    features = generator.multivariate_normal([1, -2], [[4, 1], [1, 2]], 5000).astype(np.float32)
    found = fit_statistics(features).squared_distances(features)
    assert 1.9 < found.mean() < 2.1
    assert 0.005 < (found > 9.21).mean() < 0.015  # the 99 % quantile of chi-squared with two degrees of freedom


def test_the_limit_lets_all_but_one_in_a_hundred_pass() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(1000, 5)).astype(np.float32)
    statistics = fit_statistics(features[:500])
    limit = distance_limit(features[500:], statistics) / MARGIN
    assert 0 < (statistics.squared_distances(features[500:]) > limit).mean() <= 0.01


def test_the_limit_of_a_variant_stretches_as_its_distances_do() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 5)).astype(np.float32)
    statistics = fit_statistics(features)
    probability = generator.random(200)
    # Far from the cell that marks the quantile, as FP32's own limit may be.
    limit = 1.3 * distance_limit(features, statistics)
    rule = DecisionRule(1.0, Thresholds(0.3, 0.7, limit, 0.05), statistics)
    wider = (statistics.mean + (features - statistics.mean) * np.sqrt(1.2)).astype(np.float32)
    found = fit_variant(
        NetworkOutputs(probability, wider), NetworkOutputs(probability, features), rule
    ).thresholds.out_of_distribution
    assert found == pytest.approx(1.2 * limit, rel=1e-4)


def test_a_feature_that_never_varies_is_borne() -> None:
    features = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    features[:, 1] = 7
    assert np.isfinite(fit_statistics(features).squared_distances(features)).all()


def test_condensing_keeps_components_and_the_length_of_the_rest(
    tmp_path: Path, write: Callable[..., Path], parts: CellParts
) -> None:
    network = write(tmp_path / "network.onnx")
    crops = parts.calibration.crops[:20]
    before = run_network(network, crops)
    assert before.features is not None
    condensed = condense_features(onnx.load(network), before.features)
    onnx.checker.check_model(condensed, full_check=True)
    onnx.save(condensed, tmp_path / "condensed.onnx")
    after = run_network(tmp_path / "condensed.onnx", crops)
    assert after.features is not None
    assert np.array_equal(after.probability, before.probability)
    # Twenty cells determine five components; together with the rest they keep every distance from the centre.
    assert after.features.shape == (20, 6)
    lengths = np.linalg.norm(before.features - before.features.mean(axis=0), axis=1)
    assert np.allclose(np.linalg.norm(after.features, axis=1), lengths, rtol=1e-3)


def test_few_features_of_many_cells_stay_as_they_are(network: Path, parts: CellParts) -> None:
    model = onnx.load(network)
    features = run_network(network, parts.calibration.crops).features
    assert features is not None
    assert condense_features(model, features) is model

"""Fine-tuning: configuration, one run, cross-validation."""

from __future__ import annotations

from edge_all_export.training.conduct import Conduct
from edge_all_export.training.configuration import TrainingConfig
from edge_all_export.training.cross_validation import cross_validate, train_on_data
from edge_all_export.training.run import TrainingRun, train

__all__ = ["Conduct", "TrainingConfig", "TrainingRun", "cross_validate", "train", "train_on_data"]

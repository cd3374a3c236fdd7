"""The training side of edge-all: data sets, InceptionV3 fine-tuning, evaluation and ONNX export."""

import edge_all  # noqa: F401 - before any ONNX Runtime: it keeps that from sending telemetry

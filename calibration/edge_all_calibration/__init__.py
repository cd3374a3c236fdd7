"""The calibration side of edge-all: INT8 calibration, probability calibration, operating points, the release gate."""

import edge_all  # noqa: F401 - before any ONNX Runtime: it keeps that from sending telemetry

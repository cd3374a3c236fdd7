"""The calibration side of edge-all: INT8 calibration, probability calibration, operating points, the release gate."""

"""The verbs of the calibration side, a thin file each."""

"""Crops of cells to calibrated probabilities and decisions, and the proof that a package still decides as it did."""

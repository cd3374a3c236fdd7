"""Honest probabilities: temperature, operating points, and how unlike the training cells a cell is."""

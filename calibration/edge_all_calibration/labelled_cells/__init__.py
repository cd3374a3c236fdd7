"""Labelled cells, from folders or in memory, and the rule that no group of them plays two parts."""

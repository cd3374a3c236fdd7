"""A package for one more laboratory, from a few of its labelled cells."""

"""The precision variants of a network, FP16 and INT8, and what they cost in accuracy."""

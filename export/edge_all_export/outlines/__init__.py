"""The network of outlines: cells whose outline is known, clumps composed of them, a network that learns from both."""

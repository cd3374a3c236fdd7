"""A trained network and the held-out cells of its run → a model package."""

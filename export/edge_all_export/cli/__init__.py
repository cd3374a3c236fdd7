"""The verbs that the training side adds to ``edge-all``: one thin file a verb."""

"""``python -m edge_all``: the command, where its script is not on the path."""

from __future__ import annotations

from edge_all.cli.main import main

main()

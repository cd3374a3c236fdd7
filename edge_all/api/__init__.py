"""The front door: what `edge_all` hands out, and what the command line, the station and the archive stand on."""

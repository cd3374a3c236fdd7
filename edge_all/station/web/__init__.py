"""The station's HTTP API and its page: faces of `edge_all.station.desk.Station`, served on this machine."""

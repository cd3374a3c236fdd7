"""What a station knows, in one SQLite file: what the software found, what people decided, and the proof of both.

Findings and decisions are appended as events, each with the hash of the one before (`chain`); what is in force is
computed from them (`edge_all.station.review`), and ``decisions`` is an index of them that can be computed anew. Only
the queue of images that wait for their turn changes in place, and it says nothing about a cell. Names and paths, which
may hold a patient's number, stand apart from the chain, so that they can be forgotten without breaking it.
"""

-- The network's features of confirmed cells, by which a cell in question finds its nearest. A convenience: computed from
-- the images, and to be computed anew at any time, so that no event vouches for it.

CREATE TABLE cell_features (
    model_id INTEGER NOT NULL REFERENCES models (id),
    finding_id INTEGER NOT NULL REFERENCES findings (id),
    number INTEGER NOT NULL,
    features BLOB NOT NULL,             -- float32, little-endian, of length 1
    PRIMARY KEY (model_id, finding_id, number)
) STRICT, WITHOUT ROWID;

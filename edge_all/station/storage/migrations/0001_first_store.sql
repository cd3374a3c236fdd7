-- The first store. Later versions add files beside this one, numbered on; none is ever edited once released.

CREATE TABLE slides (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,          -- pseudonymous: what reports and pages call it
    name TEXT,                          -- as the folder said; may hold a person's number. NULL: forgotten
    source TEXT,                        -- the folder that it lies in, or who posted it. NULL: forgotten
    created_at TEXT NOT NULL,
    UNIQUE (source, name)
) STRICT;

CREATE TABLE fields (
    id INTEGER PRIMARY KEY,
    slide_id INTEGER NOT NULL REFERENCES slides (id),
    place INTEGER NOT NULL,             -- its number on the slide; a field taken again keeps that of the first
    path TEXT,                          -- NULL: forgotten
    page INTEGER NOT NULL,              -- of a file with several pictures, from 1; else 0
    content_sha256 TEXT,                -- of the file's bytes, which stay where they are; NULL: never read whole
    found_at TEXT NOT NULL
) STRICT;
-- Of the fields of one place the newest counts; the older ones are kept.
CREATE INDEX fields_by_slide ON fields (slide_id, place, id);
CREATE INDEX fields_by_path ON fields (path, page);

CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    slide_id INTEGER NOT NULL REFERENCES slides (id),
    path TEXT NOT NULL,
    page INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    found_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'leased', 'done', 'replaced', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    lease_until REAL NOT NULL DEFAULT 0,
    last_error TEXT,
    UNIQUE (path, page, size_bytes, modified_ns)
) STRICT;
CREATE INDEX queue_by_state ON queue (state, slide_id, id);

CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,      -- the model's identity in results, as canonical JSON
    thresholds TEXT NOT NULL,           -- by which it decided
    card TEXT NOT NULL                  -- what its package said about itself
) STRICT;

CREATE TABLE findings (
    id INTEGER PRIMARY KEY,
    field_id INTEGER NOT NULL REFERENCES fields (id),
    model_id INTEGER REFERENCES models (id),
    judged_at TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'error', 'unusable')),
    error TEXT,
    result TEXT NOT NULL                -- the line of fields.jsonl without its names and its cells
) STRICT;
-- Of the findings of one field the newest counts; the older ones are kept.
CREATE INDEX findings_by_field ON findings (field_id, id);

CREATE TABLE cells (
    finding_id INTEGER NOT NULL REFERENCES findings (id),
    number INTEGER NOT NULL,
    record TEXT NOT NULL,               -- the cell as in fields.jsonl, its outline left out
    outline TEXT NOT NULL,              -- the points of the polygon around it
    PRIMARY KEY (finding_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,            -- from 1 without a gap; the order of things, whatever the clock said
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    slide_id INTEGER REFERENCES slides (id),
    gesture TEXT UNIQUE,                -- by which a page that sends a gesture again is known to have done so
    payload TEXT NOT NULL,
    previous_sha256 TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX events_by_slide ON events (slide_id, seq);
CREATE INDEX events_by_kind ON events (kind, seq);

-- What the events say of each cell, one row for each gesture, cell and thing said. An index: computed from the events,
-- written with them, and to be computed anew at any time.
CREATE TABLE decisions (
    slide_id INTEGER NOT NULL REFERENCES slides (id),
    reading INTEGER NOT NULL,
    cell TEXT NOT NULL,                 -- '' for the slide itself
    seq INTEGER NOT NULL REFERENCES events (seq),
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    actor TEXT NOT NULL,
    live INTEGER NOT NULL,              -- 0: undone
    changed_seq INTEGER NOT NULL,       -- the last event that bore on it: the gesture, its undoing or its redoing
    PRIMARY KEY (slide_id, reading, cell, seq, what)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_by_seq ON decisions (seq);

-- A slip of ours must not be able to rewrite what was found or decided. Who opens the file with other tools can; the
-- chain of hashes shows it.
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE (ABORT, 'events are never edited'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE (ABORT, 'events are never deleted'); END;
CREATE TRIGGER findings_stay BEFORE UPDATE ON findings BEGIN SELECT RAISE (ABORT, 'findings are never edited'); END;
CREATE TRIGGER findings_are_kept BEFORE DELETE ON findings BEGIN SELECT RAISE (ABORT, 'findings are never deleted'); END;
CREATE TRIGGER cells_stay BEFORE UPDATE ON cells BEGIN SELECT RAISE (ABORT, 'cells are never edited'); END;
CREATE TRIGGER cells_are_kept BEFORE DELETE ON cells BEGIN SELECT RAISE (ABORT, 'cells are never deleted'); END;

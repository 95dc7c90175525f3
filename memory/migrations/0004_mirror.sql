-- Which cases have something to tell the platform that stands in no note there yet; the note itself is made of the case's rows.
CREATE TABLE mirrors (
    id          text PRIMARY KEY REFERENCES cases (id),
    connection  text NOT NULL,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'settled', 'dead')),
    version     bigint NOT NULL DEFAULT 1,                 -- grows with everything that there is to tell
    digest      text,                                      -- of what was last written; null before anything was
    attempts    integer NOT NULL DEFAULT 0,                -- of what is to be written now
    error       text,                                      -- why it is not written yet, or never will be
    next_try_at timestamptz NOT NULL,                      -- wall time: a little later, so that what comes together is told together
    woken_at    timestamptz NOT NULL,                      -- wall time
    lease_token bigint NOT NULL DEFAULT 0,                 -- grows with every holder: a stale holder cannot save
    lease_until timestamptz                                -- wall time
);
CREATE INDEX mirrors_pending ON mirrors (woken_at) WHERE state = 'pending';
CREATE INDEX mirrors_dead ON mirrors (connection) WHERE state = 'dead';

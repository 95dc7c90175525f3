-- What people wrote about an account: replies, notes, tickets, the words of a decline, names of files. Personal data but for the columns
-- id, kind, at and reading, which are all that facts take of it. Erased by deleting the rows.
CREATE TABLE texts (
    id         text PRIMARY KEY,
    account_id text NOT NULL REFERENCES accounts (id),
    kind       text NOT NULL CHECK (kind IN ('ticket', 'reply', 'note', 'decline', 'attachment')),
    source_id  text NOT NULL,                              -- as whoever told it names it
    body       text NOT NULL,                              -- card numbers masked
    at         timestamptz NOT NULL,
    reading    jsonb,                                      -- TextReading: words of closed lists; null while nobody has read it
    UNIQUE (account_id, kind, source_id)
);
CREATE INDEX texts_account ON texts (account_id, at DESC);

ALTER TABLE decisions ADD COLUMN trace_run_id text;        -- of the run at LangSmith, where it was told

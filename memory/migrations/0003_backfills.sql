-- How far the past of a connection has been read; one row each, of the newest time that somebody asked for it.
CREATE TABLE backfills (
    connection  text PRIMARY KEY,
    since       timestamptz NOT NULL,                      -- how far back it goes, by when an invoice was issued
    cursor      text,                                      -- where the next page begins; null before the first
    reached     timestamptz,                               -- every invoice issued later has been read
    invoices    bigint NOT NULL DEFAULT 0,                 -- read so far
    opened      bigint NOT NULL DEFAULT 0,                 -- cases opened by it
    left_alone  bigint NOT NULL DEFAULT 0,                 -- owed after a failure, and no case
    unread      bigint NOT NULL DEFAULT 0,                 -- could not be read
    started_at  timestamptz NOT NULL,
    finished_at timestamptz
);

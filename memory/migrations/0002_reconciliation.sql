-- What webhooks may have lost: how far each platform was asked what changed, what is still to be looked at, and what had been missed.

CREATE TABLE reconciliations (
    id          text PRIMARY KEY,                          -- the connection's name
    cursor      text,                                      -- where the next page begins; null before the first
    has_more    boolean NOT NULL DEFAULT true,             -- another page is to be read before it rests
    due_at      timestamptz NOT NULL,                      -- when it is asked next
    looked_at   timestamptz,                               -- when the platform had last told everything; null until it first has
    last_error  text,
    failures    integer NOT NULL DEFAULT 0,                -- in a row
    woken_at    timestamptz NOT NULL,                      -- wall time
    lease_token bigint NOT NULL DEFAULT 0,                 -- grows with every holder: a stale holder cannot save
    lease_until timestamptz                                -- wall time; also the pause after a failure
);

-- Objects of pages that were read, until each has been compared with our rows.
CREATE TABLE reconciliation_refs (
    n          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection text NOT NULL REFERENCES reconciliations (id),
    kind       text NOT NULL,                              -- the vendor's word
    vendor_id  text NOT NULL,
    UNIQUE (connection, kind, vendor_id)
);

-- One row for everything that our rows did not have as the platform told it, when nothing else had told us.
CREATE TABLE drift (
    id         text PRIMARY KEY,
    connection text NOT NULL,
    event_id   text NOT NULL REFERENCES inbox (id),        -- how it then entered
    kind       text NOT NULL CHECK (kind IN ('invoice', 'attempt', 'payment_method', 'account', 'dispute', 'cancellation', 'other')),
    vendor_id  text NOT NULL,
    is_new     boolean NOT NULL,                           -- nothing at all was known of it
    changed_at timestamptz,                                -- the platform's time of the change, where it tells it
    looked_at  timestamptz NOT NULL,                       -- when we had last looked: it changed later than that
    read_at    timestamptz NOT NULL,                       -- the platform's time of the reading
    found_at   timestamptz NOT NULL,
    found_wall timestamptz NOT NULL                        -- wall time
);
CREATE INDEX drift_of ON drift (connection, kind, vendor_id);
CREATE INDEX drift_event ON drift (event_id);

-- What else was told of an invoice: whether a webhook that seemed lost came after all.
CREATE INDEX inbox_invoice ON inbox (invoice_id) WHERE invoice_id IS NOT NULL;

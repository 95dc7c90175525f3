-- The newest webhook of each connection that was turned away at the door: for whoever asks why none comes in. Nothing of it is kept.
CREATE TABLE refused_webhooks (
    connection text PRIMARY KEY,
    why        text NOT NULL,                              -- missing, wrong, too old: the signature; mode: a test event for a live one
    detail     text NOT NULL,
    refused_at timestamptz NOT NULL                        -- wall time
);

-- Since when everything that changed has been told: what is older is for a backfill to fill in, and the drift report says so.
ALTER TABLE reconciliations ADD COLUMN told_from timestamptz;

-- The drift report asks whether an event came later for the same case, where it names no invoice.
CREATE INDEX inbox_case ON inbox (case_id) WHERE invoice_id IS NULL AND case_id IS NOT NULL;

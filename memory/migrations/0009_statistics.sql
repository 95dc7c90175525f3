-- What a backfill fills is counted anew at its end, or for a while every query would be planned as if its tables were still empty. Only
-- their owner may have that done, so that it is done with the owner's rights.
CREATE FUNCTION count_history() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    ANALYZE accounts, contacts, credentials, invoices, attempts, cases, timers;
END
$$;

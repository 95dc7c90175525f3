-- What was known on the invoice before an action was first sent: none of it can be the action's outcome. Written once, with the start;
-- what is told later may be that outcome, whichever clock stamped it.
ALTER TABLE actions ADD COLUMN known_transactions text[] NOT NULL DEFAULT '{}';

-- Actions that have been sent already: until now that was read off the time in an attempt's id.
UPDATE actions x
   SET known_transactions = array(
           SELECT k.vendor_key FROM attempts k JOIN cases c ON c.invoice_id = k.invoice_id
            WHERE c.id = x.case_id
              AND k.id COLLATE "C" < 'att_' || lpad(to_hex((extract(epoch FROM x.first_sent_at) * 1000)::bigint), 12, '0')
            ORDER BY k.id)
 WHERE x.first_sent_at IS NOT NULL;

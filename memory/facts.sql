-- All facts of one case as one JSON document. Parameters: case_id, now, excluding_action (an action that is being judged itself).
WITH subject AS (
    SELECT c.*, i.remaining_minor, i.snapshot AS invoice_snapshot, i.vendor_id AS invoice_vendor_id, i.read_at AS invoice_read_at,
           i.observed_at AS invoice_observed_at
    FROM cases c JOIN invoices i ON i.id = c.invoice_id
    WHERE c.id = %(case_id)s
),
methods AS (
    SELECT r.*, row_number() OVER (
        ORDER BY r.is_usable DESC, array_position(ARRAY['subscription', 'customer', 'backup'], r.slot), r.changed_at DESC, r.id
    ) AS rank
    FROM credentials r JOIN subject s ON r.account_id = s.account_id
),
own_attempts AS (
    SELECT a.* FROM attempts a JOIN subject s ON a.invoice_id = s.invoice_id
),
seen AS (
    SELECT a.id, a.occurred_at AS at, coalesce(a.amount_minor, 0) AS amount_minor, coalesce(a.currency, s.invoice_snapshot ->> 'currency') AS currency,
           a.status AS state, a.initiator, a.customer_initiated, a.cit_confidence, a.category, a.snapshot -> 'codes' AS codes,
           a.invoice_id = s.invoice_id AS own_case, a.invoice_id, m.id AS credential_id
    FROM attempts a JOIN methods m ON a.ledger_key = m.ledger_key CROSS JOIN subject s
),
ledger AS (
    -- The longest window of a cap is 180 days. An answer never grows old, but of old ones of a kind the newest is enough.
    SELECT * FROM seen WHERE at > %(now)s - interval '190 days'
    UNION ALL
    SELECT * FROM (
        SELECT DISTINCT ON (credential_id, codes, category, state = 'succeeded') * FROM seen WHERE at <= %(now)s - interval '190 days'
        ORDER BY credential_id, codes, category, state = 'succeeded', at DESC
    ) old
    UNION ALL
    SELECT v.id, v.at, v.amount_minor, v.currency, v.state, 'recoup', false, 1, NULL, NULL, v.case_id = s.id, o.invoice_id, m.id
    FROM reservations v JOIN methods m ON v.scope = m.ledger_key JOIN cases o ON o.id = v.case_id CROSS JOIN subject s
    WHERE v.kind = 'attempt' AND v.state <> 'released' AND v.action_id IS DISTINCT FROM %(excluding_action)s
      AND v.at > %(now)s - interval '190 days'
      AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.action_id = v.action_id)
),
outreach AS (
    SELECT v.id, v.at, v.channel, v.case_id, coalesce(m.step, 0) AS step, v.state
    FROM reservations v JOIN subject s ON v.scope = s.account_id LEFT JOIN messages m ON m.action_id = v.action_id
    WHERE v.kind = 'contact' AND v.state <> 'released' AND v.action_id IS DISTINCT FROM %(excluding_action)s
      AND v.at > %(now)s - interval '31 days'
),
siblings AS (
    SELECT i.id, i.currency, i.remaining_minor, coalesce(i.snapshot ->> 'collector', 'recoup') AS collector
    FROM invoices i JOIN subject s ON i.account_id = s.account_id AND i.id <> s.invoice_id
    WHERE i.remaining_minor > 0 AND EXISTS (SELECT 1 FROM cases c WHERE c.invoice_id = i.id AND c.status = 'open')
),
earlier AS (
    SELECT x.id, x.name, x.risk, x.state, (x.args ->> 'step')::int AS step, x.args ->> 'channel' AS channel, x.confidence, x.created_at AS at, x.position, x.finished_at,
           x.args ->> 'template' AS template, x.args ->> 'queue' AS queue,
           (SELECT max(t.done_at) FROM tasks t WHERE t.action_id = x.id) AS settled_at
    FROM actions x WHERE x.case_id = %(case_id)s AND x.id IS DISTINCT FROM %(excluding_action)s
)
SELECT jsonb_build_object(
    'kill_switch', coalesce((SELECT (value #>> '{}')::boolean FROM switches WHERE name = 'kill_switch'), false),
    'connection', s.connection,
    'account', (
        SELECT jsonb_build_object(
            'id', a.id, 'locale', a.locale, 'timezone', a.timezone, 'timezone_source', a.timezone_source, 'country', a.country,
            'segment', a.segment, 'plan_tier', a.plan_tier, 'holdout', coalesce(a.holdout, false),
            'customer_since', (SELECT min((o.snapshot ->> 'issued_at')::timestamptz) FROM invoices o WHERE o.account_id = a.id),
            'has_email', p.email IS NOT NULL, 'has_phone', p.phone IS NOT NULL,
            'suppressed', coalesce((SELECT jsonb_agg(u.channel ORDER BY u.channel) FROM suppressions u WHERE u.account_id = a.id), '[]')
        )
        FROM accounts a LEFT JOIN contacts p ON p.account_id = a.id WHERE a.id = s.account_id
    ),
    'case', jsonb_build_object(
        'id', s.id, 'status', s.status, 'holds', to_jsonb(s.holds), 'episode', s.episode, 'version', s.version, 'opened_at', s.opened_at,
        'first_failed_at', s.first_failed_at, 'grace_until', s.grace_until, 'suspended', s.suspended,
        'recovered_attempt_id', (SELECT o.id FROM own_attempts o WHERE o.vendor_key = s.winning_attempt_key)
    ),
    -- The column tells what is owed also where a platform keeps a charged-back invoice as paid.
    'invoice', s.invoice_snapshot || jsonb_build_object('id', s.invoice_id, 'read_at', s.invoice_read_at,
        'observed_at', s.invoice_observed_at, 'remaining_minor', s.remaining_minor),
    'methods', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'id', m.id, 'vendor_id', m.vendor_id, 'rail', m.snapshot ->> 'rail', 'brand', m.snapshot ->> 'brand', 'funding', m.snapshot ->> 'funding',
            'country', m.snapshot ->> 'country', 'expires', m.snapshot ->> 'expires', 'slot', m.slot, 'is_usable', m.is_usable,
            'changed_at', m.changed_at, 'has_fingerprint', m.snapshot ->> 'fingerprint' IS NOT NULL) ORDER BY m.rank) FROM methods m), '[]'),
    'attempts', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'id', o.id, 'credential_id', o.credential_id, 'status', o.status, 'amount_minor', coalesce(o.amount_minor, 0),
            'currency', coalesce(o.currency, s.invoice_snapshot ->> 'currency'), 'initiator', o.initiator,
            'customer_initiated', o.customer_initiated, 'cit_confidence', o.cit_confidence, 'occurred_at', o.occurred_at,
            'codes', o.snapshot -> 'codes', 'reason', o.reason, 'category', o.category, 'code_known', o.code_known,
            'action_id', o.action_id)
            ORDER BY o.occurred_at, o.id) FROM own_attempts o), '[]'),
    'charged_minor', coalesce((
        SELECT sum(o.amount_minor) FROM own_attempts o WHERE o.status = 'succeeded' AND o.snapshot ->> 'charge_vendor_id' IS NOT NULL), 0),
    'ledger', coalesce((SELECT jsonb_agg(to_jsonb(l) ORDER BY l.at, l.id) FROM ledger l), '[]'),
    'contacts', coalesce((SELECT jsonb_agg(to_jsonb(c) ORDER BY c.at, c.id) FROM outreach c), '[]'),
    'other_open_invoices', coalesce((SELECT jsonb_agg(to_jsonb(b) ORDER BY b.id) FROM siblings b), '[]'),
    'actions', coalesce((SELECT jsonb_agg(to_jsonb(e) - 'position' ORDER BY e.at, e.position) FROM earlier e), '[]'),
    'overridden_rules', to_jsonb(s.overridden_rules),
    'texts', coalesce((
        SELECT jsonb_agg(jsonb_build_object('id', t.id, 'kind', t.kind, 'at', t.at, 'reading', t.reading) ORDER BY t.at, t.id)
        FROM (SELECT x.* FROM texts x WHERE x.account_id = s.account_id AND x.at <= %(now)s AND x.at > s.opened_at - interval '31 days'
              ORDER BY x.at DESC, x.id DESC LIMIT 12) t), '[]')
) AS document
FROM subject s

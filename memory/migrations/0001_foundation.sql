-- The rows of Recoup. Times: *_at is domain time unless its comment says wall time. Amounts are integer minor units.
-- Every row that a worker picks up carries its own state, attempts and error, so a job is only a wake-up call.

CREATE TABLE inbox (
    id                text PRIMARY KEY,
    connection        text NOT NULL,
    vendor_event_id   text NOT NULL,
    event_type        text NOT NULL,
    content_type      text NOT NULL,
    payload           text NOT NULL,                       -- as received, card numbers masked
    status            text NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'processed', 'ignored', 'dead')),
    reason            text,                                -- why ignored or dead
    kind              text,                                -- EventKind once read
    duplicates        integer NOT NULL DEFAULT 0,          -- further deliveries that were answered 202 duplicate
    invoice_id        text,
    case_id           text,
    attempts          integer NOT NULL DEFAULT 0,
    last_error        text,
    received_at       timestamptz NOT NULL,                -- wall time
    occurred_at       timestamptz,                         -- the platform's time
    woken_at          timestamptz NOT NULL,                -- wall time of the newest wake-up
    lease_until       timestamptz,                         -- wall time
    finished_at       timestamptz,                         -- wall time
    UNIQUE (connection, vendor_event_id)
);
CREATE INDEX inbox_accepted ON inbox (woken_at) WHERE status = 'accepted';
CREATE INDEX inbox_dead ON inbox (received_at) WHERE status = 'dead';

-- Events that name a charge, an intent or a subscription before any row has it: they are read again when one does.
CREATE TABLE inbox_awaiting (
    connection text NOT NULL,
    ref        text NOT NULL,                              -- the vendor's id
    event_id   text NOT NULL REFERENCES inbox (id),
    PRIMARY KEY (connection, ref, event_id)
);

CREATE TABLE accounts (
    id               text PRIMARY KEY,
    connection       text NOT NULL,
    vendor_id        text NOT NULL,
    entity           text NOT NULL DEFAULT 'default',
    parent_vendor_id text,
    merged_into      text REFERENCES accounts (id),
    locale           text NOT NULL DEFAULT 'en',
    timezone         text NOT NULL DEFAULT 'UTC',
    timezone_source  text NOT NULL DEFAULT 'default',
    country          text,
    segment          text,
    plan_tier        text,
    holdout          boolean,                              -- fixed when the first case opens
    tags             text[] NOT NULL DEFAULT '{}',
    stamps           jsonb NOT NULL DEFAULT '{}',          -- per field, contact fields included: which reading it came from
    observed_at      timestamptz NOT NULL,
    UNIQUE (connection, vendor_id)
);

-- Personal data, and nothing else, one row an account. Referenced by account id; erased by deleting the row.
CREATE TABLE contacts (
    account_id  text PRIMARY KEY REFERENCES accounts (id),
    first_name  text,
    full_name   text,
    email       text,
    phone       text
);

CREATE TABLE suppressions (
    account_id text NOT NULL REFERENCES accounts (id),
    channel    text NOT NULL,
    reason     text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, channel)
);

CREATE TABLE invoices (
    id          text PRIMARY KEY,
    connection  text NOT NULL,
    vendor_id   text NOT NULL,
    account_id  text REFERENCES accounts (id),
    snapshot    jsonb NOT NULL,                            -- InvoiceSnapshot, merged
    stamps      jsonb NOT NULL,                            -- per field: which reading it came from (recoup/merge.py)
    status      text,                                      -- copies of snapshot fields that queries need
    currency    text,
    remaining_minor bigint,
    paid_minor  bigint,
    subscription_vendor_id text,
    cancellation text,                                     -- CancellationKind once its subscription ended
    dispute_closed_at timestamptz,                         -- the platform's time: a dispute opened before then is over
    observed_at timestamptz NOT NULL,                      -- the platform's time of the newest reading
    read_at     timestamptz NOT NULL,                      -- domain time when we last merged a reading
    UNIQUE (connection, vendor_id)
);
CREATE INDEX invoices_account ON invoices (account_id);
CREATE INDEX invoices_subscription ON invoices (connection, subscription_vendor_id);

CREATE TABLE credentials (
    id          text PRIMARY KEY,
    connection  text NOT NULL,
    account_id  text NOT NULL REFERENCES accounts (id),
    vendor_id   text NOT NULL,
    ledger_key  text NOT NULL,                             -- the fingerprint, else connection and vendor id: what the caps count
    snapshot    jsonb NOT NULL,                            -- CredentialSnapshot, merged
    stamps      jsonb NOT NULL DEFAULT '{}',
    slot        text NOT NULL,
    is_usable   boolean NOT NULL DEFAULT true,
    changed_at  timestamptz NOT NULL,                      -- when its data last changed; 1970 where we never saw it change
    observed_at timestamptz NOT NULL,
    UNIQUE (connection, vendor_id)
);
CREATE INDEX credentials_account ON credentials (account_id);
CREATE INDEX credentials_ledger ON credentials (ledger_key);

CREATE TABLE attempts (
    id            text PRIMARY KEY,
    invoice_id    text NOT NULL REFERENCES invoices (id),
    vendor_key    text NOT NULL,
    credential_id text REFERENCES credentials (id),
    ledger_key    text,
    action_id     text,                                    -- ours, when initiator is recoup
    status        text NOT NULL,
    initiator     text NOT NULL,
    customer_initiated boolean,
    cit_confidence real NOT NULL DEFAULT 0,
    amount_minor  bigint,
    currency      text,
    reason        text,                                    -- normalised, with category
    category      text,
    code_known    boolean NOT NULL DEFAULT false,
    snapshot      jsonb NOT NULL,                          -- AttemptSnapshot, merged, raw codes included
    stamps        jsonb NOT NULL DEFAULT '{}',
    occurred_at   timestamptz NOT NULL,
    observed_at   timestamptz NOT NULL,
    UNIQUE (invoice_id, vendor_key)
);
CREATE INDEX attempts_ledger ON attempts (ledger_key, occurred_at);
CREATE INDEX attempts_charge ON attempts ((snapshot ->> 'charge_vendor_id'));
CREATE INDEX attempts_intent ON attempts ((snapshot ->> 'intent_vendor_id'));

CREATE TABLE cases (
    id             text PRIMARY KEY,
    invoice_id     text NOT NULL REFERENCES invoices (id),
    account_id     text NOT NULL REFERENCES accounts (id),
    connection     text NOT NULL,
    episode        integer NOT NULL,
    status         text NOT NULL,
    holds          text[] NOT NULL DEFAULT '{}',
    version        bigint NOT NULL DEFAULT 1,              -- grows whenever anything a decision rests on changes
    priority       double precision NOT NULL DEFAULT 0,
    opened_at      timestamptz NOT NULL,
    first_failed_at timestamptz NOT NULL,
    closed_at      timestamptz,
    attribution    text,
    winning_attempt_key text,
    grace_until    timestamptz,
    suspended      boolean NOT NULL DEFAULT false,
    simulated      boolean NOT NULL,
    overridden_rules text[] NOT NULL DEFAULT '{}',
    needs_decision boolean NOT NULL DEFAULT false,
    wanted_because text,                                   -- what asked for the decision: it becomes the decision's trigger
    decide_attempts integer NOT NULL DEFAULT 0,            -- failures in a row of the decide job
    decide_error   text,                                   -- set when the case's decide job is dead
    woken_at       timestamptz NOT NULL,                   -- wall time
    lease_token    bigint NOT NULL DEFAULT 0,              -- grows with every holder: a stale holder cannot save
    lease_until    timestamptz,                            -- wall time
    UNIQUE (invoice_id, episode)
);
CREATE INDEX cases_account ON cases (account_id);
CREATE INDEX cases_queue ON cases (status, priority DESC, id);
CREATE INDEX cases_wanted ON cases (woken_at) WHERE needs_decision;

CREATE TABLE policies (
    version    integer PRIMARY KEY,
    text       text NOT NULL,                              -- TOML as a person wrote it
    digest     text NOT NULL,
    created_by text NOT NULL,
    note       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL
);

CREATE TABLE decisions (
    id             text PRIMARY KEY,                       -- also the LangGraph thread id
    case_id        text NOT NULL REFERENCES cases (id),
    case_version   bigint NOT NULL,
    policy_version integer NOT NULL REFERENCES policies (version),
    flow_version   text NOT NULL,
    prompts_digest text NOT NULL,
    trigger        text NOT NULL,                          -- what asked for it: an event kind, a timer, a person
    state          text NOT NULL CHECK (state IN ('running', 'waiting', 'done', 'superseded')),
    facts          jsonb NOT NULL,                         -- CaseFacts
    facts_digest   text NOT NULL,
    route          text,
    proposals      jsonb,                                  -- list of Proposal
    verdicts       jsonb,                                  -- list of Verdict
    trace          jsonb,                                  -- node by node
    outcome        text,
    created_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    woken_at       timestamptz NOT NULL                    -- wall time
);
CREATE INDEX decisions_case ON decisions (case_id, created_at);
CREATE UNIQUE INDEX decisions_one_live ON decisions (case_id) WHERE state IN ('running', 'waiting');

CREATE TABLE approvals (
    id           text PRIMARY KEY,
    decision_id  text NOT NULL UNIQUE REFERENCES decisions (id),
    case_id      text NOT NULL REFERENCES cases (id),
    digest       text NOT NULL,                            -- of what is shown now; an edit under four_eyes makes a new one
    request      jsonb NOT NULL,                           -- what is shown: ApprovalRequest
    action_ids   text[] NOT NULL,
    interrupt_id text NOT NULL,
    interrupt_digest text NOT NULL,                        -- of what the graph asked: only that interrupt is ever resumed
    edited_by    text[] NOT NULL DEFAULT '{}',             -- under four_eyes: they may not approve
    status       text NOT NULL CHECK (status IN ('pending', 'decided', 'void', 'expired')),
    void_reason  text,
    answer       jsonb,                                    -- decisions as given
    note         text,
    decided_by   text,
    decided_role text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    decided_at   timestamptz,
    used_at      timestamptz                               -- set once, in the transaction that commits its actions
);
CREATE INDEX approvals_pending ON approvals (created_at) WHERE status = 'pending';
CREATE INDEX approvals_case ON approvals (case_id);

CREATE TABLE actions (
    id            text PRIMARY KEY,
    decision_id   text NOT NULL REFERENCES decisions (id),
    case_id       text NOT NULL REFERENCES cases (id),
    account_id    text NOT NULL REFERENCES accounts (id),
    approval_id   text REFERENCES approvals (id),
    position      integer NOT NULL,                        -- order within its decision
    name          text NOT NULL,
    risk          text NOT NULL,
    args          jsonb NOT NULL,
    args_digest   text NOT NULL,
    reason        text NOT NULL,
    evidence      text[] NOT NULL,
    confidence    double precision NOT NULL,
    verdict       jsonb NOT NULL,                          -- Verdict
    denied_rule   text,                                    -- first rule of a denial, for counting
    state         text NOT NULL CHECK (state IN ('denied', 'shadowed', 'waiting', 'rejected', 'void', 'ready', 'started', 'done', 'failed', 'unknown', 'dead')),
    state_reason  text,
    result        jsonb,
    attempts      integer NOT NULL DEFAULT 0,              -- sends tried
    next_try_at   timestamptz,                             -- wall time
    hold_until    timestamptz,                             -- domain time before which it is not executed
    first_sent_at timestamptz,                             -- wall time
    key_valid_until timestamptz,                           -- wall time
    started_at    timestamptz,                             -- domain time of the commit after which it may be on the wire
    read_at       timestamptz,                             -- domain time of the reading it rested on when it started
    finished_at   timestamptz,
    created_at    timestamptz NOT NULL,
    woken_at      timestamptz NOT NULL,                    -- wall time
    lease_token   bigint NOT NULL DEFAULT 0,
    lease_until   timestamptz                              -- wall time
);
CREATE INDEX actions_case ON actions (case_id);
CREATE INDEX actions_decision ON actions (decision_id);
CREATE INDEX actions_moving ON actions (woken_at) WHERE state IN ('ready', 'started', 'unknown');

-- A use of a capped resource, taken before the attempt or contact is made. unknown counts as used.
CREATE TABLE reservations (
    id           text PRIMARY KEY,
    action_id    text NOT NULL UNIQUE REFERENCES actions (id),
    kind         text NOT NULL CHECK (kind IN ('attempt', 'contact')),
    scope        text NOT NULL,                            -- ledger_key of the credential, or account id
    case_id      text NOT NULL REFERENCES cases (id),
    channel      text,
    amount_minor bigint,
    currency     text,
    state        text NOT NULL CHECK (state IN ('reserved', 'confirmed', 'released', 'unknown')),
    at           timestamptz NOT NULL
);
CREATE INDEX reservations_scope ON reservations (kind, scope, at);

CREATE TABLE messages (
    id          text PRIMARY KEY,
    action_id   text NOT NULL UNIQUE REFERENCES actions (id),
    case_id     text NOT NULL REFERENCES cases (id),
    account_id  text NOT NULL REFERENCES accounts (id),
    step        integer NOT NULL,
    channel     text NOT NULL,
    template    text NOT NULL,
    locale      text NOT NULL,
    invoice_ids text[] NOT NULL,
    is_receipt  boolean NOT NULL DEFAULT false,
    state       text NOT NULL CHECK (state IN ('planned', 'sent', 'unknown', 'void')),
    sent_at     timestamptz,
    created_at  timestamptz NOT NULL
);
-- A step of a case is written once on a channel, whatever decision asks again.
CREATE UNIQUE INDEX messages_once ON messages (case_id, step, channel, is_receipt) WHERE state <> 'void';

-- What was really sent, rendered: personal data in a row of its own.
CREATE TABLE message_texts (
    message_id text PRIMARY KEY REFERENCES messages (id),
    recipient  text NOT NULL,
    subject    text NOT NULL,
    body       text NOT NULL
);

CREATE TABLE timers (
    id           text PRIMARY KEY,
    case_id      text REFERENCES cases (id),
    approval_id  text REFERENCES approvals (id),
    action_id    text REFERENCES actions (id),
    kind         text NOT NULL CHECK (kind IN ('decide', 'expire_approval', 'end_case', 'end_grace', 'execute')),
    due_at       timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'fired', 'cancelled')),
    reason       text NOT NULL,
    created_at   timestamptz NOT NULL,
    fired_at     timestamptz,
    cancelled_at timestamptz
);
CREATE INDEX timers_due ON timers (due_at) WHERE state = 'pending';
CREATE INDEX timers_case ON timers (case_id) WHERE state = 'pending';

-- Work for people: the human queue of the exception agent, ambiguous effects, notes.
CREATE TABLE tasks (
    id         text PRIMARY KEY,
    case_id    text REFERENCES cases (id),
    action_id  text REFERENCES actions (id),
    kind       text NOT NULL CHECK (kind IN ('task', 'ticket', 'incident', 'note')),
    queue      text NOT NULL,
    title      text NOT NULL,
    body       text NOT NULL,
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done')),
    created_at timestamptz NOT NULL,
    done_at    timestamptz,
    done_by    text
);
CREATE INDEX tasks_open ON tasks (queue, created_at) WHERE state = 'open';
CREATE INDEX tasks_by_action ON tasks (action_id);

CREATE TABLE api_keys (
    id         text PRIMARY KEY,
    person     text NOT NULL,
    role       text NOT NULL CHECK (role IN ('viewer', 'approver', 'operator', 'admin')),
    hash       text NOT NULL UNIQUE,                       -- SHA-256 of the key; the key itself has 256 random bits
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    revoked_at timestamptz
);

-- The few facts of the whole installation: kill switch, clock offset.
CREATE TABLE switches (
    name       text PRIMARY KEY,
    value      jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);

-- One chain a case, and one each for policy, keys and switches. hash = SHA-256(prev || body). Insert-only.
CREATE TABLE audit_log (
    chain       text NOT NULL,
    n           bigint NOT NULL,
    subject     text NOT NULL,                             -- id of the row that changed
    kind        text NOT NULL,                             -- case, action, approval, timer, decision, reservation, policy, key, switch, event, task
    state       text NOT NULL,                             -- the row's state after the change
    actor       text NOT NULL,                             -- worker, or the person's name
    at          timestamptz NOT NULL,                      -- domain time
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body        text NOT NULL,                             -- canonical JSON of all above but recorded_at, with the details
    prev        text NOT NULL,
    hash        text NOT NULL,
    PRIMARY KEY (chain, n)
);
CREATE INDEX audit_subject ON audit_log (subject, n);
CREATE INDEX audit_recorded ON audit_log (recorded_at);

CREATE TABLE audit_heads (
    chain text PRIMARY KEY,
    n     bigint NOT NULL,
    hash  text NOT NULL
);

CREATE FUNCTION audit_is_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is insert-only';
END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_is_insert_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_is_insert_only();

-- Appends one entry to a chain in one round trip; the head row's lock orders writers of a chain.
CREATE FUNCTION audit_append(
    p_chain text, p_subject text, p_kind text, p_state text, p_actor text, p_at timestamptz, p_body text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    head audit_heads%ROWTYPE;
    new_hash text;
BEGIN
    INSERT INTO audit_heads (chain, n, hash) VALUES (p_chain, 0, '') ON CONFLICT (chain) DO NOTHING;
    SELECT * INTO head FROM audit_heads WHERE chain = p_chain FOR UPDATE;
    new_hash := encode(sha256(convert_to(head.hash || p_body, 'UTF8')), 'hex');
    INSERT INTO audit_log (chain, n, subject, kind, state, actor, at, body, prev, hash)
    VALUES (p_chain, head.n + 1, p_subject, p_kind, p_state, p_actor, p_at, p_body, head.hash, new_hash);
    UPDATE audit_heads SET n = head.n + 1, hash = new_hash WHERE chain = p_chain;
    RETURN head.n + 1;
END $$;

-- The sandbox platform's rows. *_at and at are simulated time (ISO 8601, UTC, fixed width); *_wall are seconds of the machine's clock.
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customers (
    id TEXT PRIMARY KEY, person TEXT NOT NULL, opted_out INTEGER NOT NULL DEFAULT 0, changed_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS methods (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, method TEXT NOT NULL, slot TEXT NOT NULL, usable INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS methods_customer ON methods (customer);
CREATE TABLE IF NOT EXISTS subscriptions (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'active',
    suspended INTEGER NOT NULL DEFAULT 0, grace_until TEXT
);
CREATE TABLE IF NOT EXISTS invoices (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, subscription TEXT, bill TEXT NOT NULL, status TEXT NOT NULL, revision INTEGER NOT NULL,
    total_minor INTEGER NOT NULL, paid_minor INTEGER NOT NULL DEFAULT 0, credited_minor INTEGER NOT NULL DEFAULT 0,
    refunded_minor INTEGER NOT NULL DEFAULT 0, collector TEXT NOT NULL DEFAULT 'platform', failed_at TEXT
);
CREATE INDEX IF NOT EXISTS invoices_customer ON invoices (customer);
-- The ledger of attempts: whoever made them.
CREATE TABLE IF NOT EXISTS attempts (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, invoice TEXT NOT NULL, at TEXT NOT NULL, status TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, method TEXT, fingerprint TEXT NOT NULL, brand TEXT, initiator TEXT NOT NULL,
    customer_present INTEGER NOT NULL, key TEXT, code TEXT, refunded_minor INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS attempts_invoice ON attempts (invoice);
CREATE INDEX IF NOT EXISTS attempts_fingerprint ON attempts (fingerprint);
-- Every effect that was accepted for a client, forever; a key that was forgotten and used again shows twice.
CREATE TABLE IF NOT EXISTS effects (
    n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, name TEXT NOT NULL, invoice TEXT NOT NULL, at TEXT NOT NULL,
    state TEXT NOT NULL, detail TEXT NOT NULL, vendor_ref TEXT
);
CREATE INDEX IF NOT EXISTS effects_key ON effects (key);
-- Idempotency: what was answered under a key, until it is forgotten.
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, until_wall REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS fault_draws (key TEXT PRIMARY KEY, times INTEGER NOT NULL);
-- What is going to happen, and what has.
CREATE TABLE IF NOT EXISTS agenda (
    key TEXT PRIMARY KEY, at TEXT NOT NULL, doing TEXT NOT NULL, invoice TEXT NOT NULL, attempt TEXT, done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS agenda_due ON agenda (at) WHERE NOT done;
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    event TEXT NOT NULL, copy INTEGER NOT NULL, due_at TEXT NOT NULL, place REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    try_wall REAL NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (event, copy)
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE NOT delivered;
CREATE TABLE IF NOT EXISTS contacts (key TEXT PRIMARY KEY, customer TEXT NOT NULL, ordinal INTEGER NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notes (n INTEGER PRIMARY KEY AUTOINCREMENT, invoice TEXT NOT NULL, at TEXT NOT NULL, text TEXT NOT NULL);

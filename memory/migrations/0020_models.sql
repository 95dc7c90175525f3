-- Language models: every call with what it was reserved for and what it took, what was spent, how each model is, and drafts that were paid for.

-- One row for every call on the wire, written before it goes out. What is never settled counts at its dearest.
CREATE TABLE model_calls (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model                   text NOT NULL,
    agent                   text NOT NULL,
    case_id                 text NOT NULL,
    decision_id             text NOT NULL,
    question                text NOT NULL,                 -- digest of all that was asked
    on_day                  date NOT NULL,                 -- UTC, wall time: the budgets that it was reserved in
    started_at              timestamptz NOT NULL,          -- wall time
    lost_at                 timestamptz NOT NULL,          -- wall time; unsettled by then, nobody waits for it any more
    settled_at              timestamptz,                   -- wall time
    tokens                  bigint NOT NULL,               -- at most, until the server has told
    cost_usd_micro          bigint,                        -- the same; null where the model's price is not known
    input_tokens            bigint,
    output_tokens           bigint,
    answer                  jsonb,                         -- kept until the decision stands, to be replayed where it does not
    failure                 text,
    detail                  text
);
CREATE INDEX model_calls_question ON model_calls (case_id, agent, question) WHERE answer IS NOT NULL;
CREATE INDEX model_calls_recent ON model_calls (model, started_at);
CREATE INDEX model_calls_open ON model_calls (model) WHERE settled_at IS NULL;
CREATE INDEX model_calls_decision ON model_calls (decision_id);

CREATE TABLE model_spend (
    scope          text NOT NULL CHECK (scope IN ('agent', 'case', 'day')),
    key            text NOT NULL,
    calls          bigint NOT NULL DEFAULT 0,
    tokens         bigint NOT NULL DEFAULT 0,
    cost_usd_micro bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, key)
);

CREATE TABLE model_health (
    model       text PRIMARY KEY,
    outages     integer NOT NULL DEFAULT 0,                -- in a row
    rests_until timestamptz,                               -- wall time
    probe_until timestamptz                                -- wall time
);

-- Drafts with slots, for whoever is in the same situation; a personal one belongs to a case.
CREATE TABLE model_drafts (
    key        text PRIMARY KEY,                           -- digest of situation, prompt and model
    category   text NOT NULL,
    stage      text NOT NULL,
    segment    text,
    locale     text NOT NULL,
    prompt     text NOT NULL,                              -- digest of the prompt as it was rendered
    model      text NOT NULL,
    case_id    text,                                       -- null: for all in the same situation
    words      jsonb,                                      -- null: what the model wrote was refused
    refused    text,
    created_at timestamptz NOT NULL,                       -- wall time
    uses       bigint NOT NULL DEFAULT 0
);

"""One row for every vendor payload, written by hand from the payload: what Recoup must make of it. What it does not name must be absent."""

from recoup.record import Record


class Row(Record):
    """``end``: processed, ignored, or dead while nothing can fetch what it points at. ``attempt``: key, status, amount in minor units."""

    file: str
    type: str
    end: str
    kind: str = "other"
    because: str | None = None
    fetch: str | None = None
    account: str | None = None
    invoice: str | None = None
    number: str | None = None
    status: str | None = None
    currency: str | None = None
    total: int | None = None
    tax: int | None = None
    due: int | None = None
    paid: int | None = None
    remaining: int | None = None
    refunded: int | None = None
    collection: str | None = None
    reason: str | None = None
    subscription: str | None = None
    cancellation: str | None = None
    attempt: tuple[str, str, int] | None = None
    codes: dict[str, str] | None = None
    credentials: tuple[str, ...] = ()
    charge: str | None = None
    intent: str | None = None
    livemode: bool | None = None


def stripe(file: str, event_type: str, kind: str, **told: object) -> Row:
    """A Stripe event that is processed; all samples are test mode."""
    return Row.model_validate({"file": file, "type": event_type, "kind": kind, "end": "processed", "livemode": False} | told)


def ignored(file: str, event_type: str, because: str, *, livemode: bool | None = None) -> Row:
    """An event on the reviewed list, or of an unknown type."""
    return Row(file=file, type=event_type, end="ignored", because=because, livemode=livemode)


def thin(file: str, event_type: str, kind: str, fetch: str) -> Row:
    """Recurly JSON: dead until something can fetch the object."""
    return Row(file=file, type=event_type, end="dead", kind=kind, fetch=fetch)


def classic(file: str, event_type: str, kind: str, account: str, **told: object) -> Row:
    """A Recurly XML notification that is processed."""
    base = {"file": file, "type": f"{event_type}_notification", "kind": kind, "end": "processed", "account": account}
    return Row.model_validate(base | told)


DJ_INVOICE = {
    "account": "cus_6lsBvm5rJ0zyHc",
    "invoice": "in_fakefakefakefakefake0004",
    "number": "E5B23224-0002",
    "currency": "USD",
    "total": 4000,
    "tax": 522,
    "due": 4000,
    "collection": "charge_automatically",
    "reason": "subscription_create",
    "subscription": "sub_fakefakefakefakefake0002",
}
DJ_CHARGE = "ch_1GyU3gCOCguPTL2BnyYlJe2x"

STRIPE: tuple[Row, ...] = (
    stripe(
        "djstripe__charge.dispute.created.json",
        "charge.dispute.created",
        "dispute_opened",
        charge="ch_1JHRCWJSZQVUcJYgOCavbxio",
        intent="pi_1JAyTwJSZQVUcJYgBbsz0NuH",
    ),
    stripe(
        "djstripe__customer.subscription.deleted.json",
        "customer.subscription.deleted",
        "subscription_cancelled",
        account="cus_4UbFSo9tl62jqj",
        subscription="sub_fakefakefakefakefake0003",
        cancellation="immediate",
    ),
    stripe(
        # Its previous_attributes name a default payment method that was and is null: only the account's data changed.
        "djstripe__customer.updated.json",
        "customer.updated",
        "account_changed",
        account="cus_6lsBvm5rJ0zyHc",
        credentials=("card_fakefakefakefakefake0001", "card_fakefakefakefakefake0003"),
    ),
    stripe(
        "djstripe__invoice.paid.json",
        "invoice.paid",
        "payment_succeeded",
        **DJ_INVOICE,
        status="paid",
        paid=4000,
        remaining=0,
        attempt=(DJ_CHARGE, "succeeded", 4000),
    ),
    stripe(
        # Put together by hand: open, although paid_at is set.
        "djstripe__invoice.payment_failed.json",
        "invoice.payment_failed",
        "payment_failed",
        **DJ_INVOICE,
        status="open",
        paid=0,
        remaining=4000,
        attempt=(DJ_CHARGE, "failed", 4000),
    ),
    stripe(
        "djstripe__payment_method.automatically_updated.json",
        "payment_method.automatically_updated",
        "method_updated",
        account="cus_6lsBvm5rJ0zyHc",
        credentials=("pm_fakefakefakefake0001",),
    ),
    stripe(
        "openapi2026__charge.dispute.created.json",
        "charge.dispute.created",
        "dispute_opened",
        charge="ch_1PgafuB7WZ01zgkWXYmPNZs8",
    ),
    stripe(
        # Generated: its parent is a quote, so the subscription beside it and on its line is left over.
        "openapi2026__invoice.payment_failed.json",
        "invoice.payment_failed",
        "payment_failed",
        account="cus_QXg1o8vcGmoR32",
        invoice="in_1Pgc6tB7WZ01zgkWu9fdqL6I",
        status="open",
        currency="USD",
        total=1000,
        due=1000,
        paid=0,
        remaining=1000,
        collection="charge_automatically",
        reason="manual",
        attempt=("attempt-1", "failed", 1000),
    ),
    stripe(
        # The charge does not say what kind of object it is, and names no invoice.
        "pay__charge.succeeded.json",
        "charge.succeeded",
        "payment_succeeded",
        account="cus_0dUMWLtzCTagWs",
        attempt=("ch_chargeid", "succeeded", 500),
        credentials=("cc_0dUM4C5X9gpJbg",),
        charge="ch_chargeid",
        intent="pm_1234",
    ),
    stripe(
        "pay__charge.updated.json",
        "charge.updated",
        "payment_succeeded",
        account="cus_1234",
        attempt=("ch_1234", "succeeded", 24900),
        credentials=("pm_1234",),
        charge="ch_1234",
        intent="pi_1234",
    ),
    ignored("pay__checkout.session.completed.json", "checkout.session.completed", "says no more than", livemode=False),
    ignored("pay__customer.subscription.created.json", "customer.subscription.created", "a new subscription", livemode=False),
    stripe(
        "pay__customer.subscription.deleted.json",
        "customer.subscription.deleted",
        "subscription_cancelled",
        account="cus_00000000000000",
        subscription="sub_00000000000000",
        cancellation="immediate",
    ),
    ignored(
        "pay__customer.subscription.trial_will_end.json", "customer.subscription.trial_will_end", "nothing is owed yet", livemode=False
    ),
    stripe("pay__customer.updated.json", "customer.updated", "account_changed", account="cus_1234"),
    stripe(
        "pay__invoice.payment_failed.json",
        "invoice.payment_failed",
        "payment_failed",
        account="cus_1234",
        invoice="in_1234",
        number="F612594F-0002",
        status="open",
        currency="USD",
        total=24900,
        tax=0,
        due=24900,
        paid=0,
        remaining=24900,
        collection="charge_automatically",
        reason="subscription_cycle",
        subscription="sub_1234",
        attempt=("attempt-1", "failed", 24900),
    ),
    stripe(
        # Its object is an InvoicePayment, whatever the type says.
        "pay__invoice.updated.json",
        "invoice.updated",
        "payment_succeeded",
        invoice="in_1T4AIkGWAy8DppqhJAdbjaWb",
        currency="USD",
        subscription="sub_1234",
        attempt=("pi_3T4AIlGWAy8Dppqh3Vsl9Pya", "succeeded", 2000),
    ),
    stripe(
        "pay__payment_method.attached.json",
        "payment_method.attached",
        "method_updated",
        account="cus_1234",
        credentials=("card_1JN6Z1KXBGcbgpbZ2AZJOYEZ",),
    ),
    stripe(
        # No longer anyone's: previous_attributes tell whose it was.
        "pay__payment_method.detached.json",
        "payment_method.detached",
        "method_removed",
        account="cus_1234",
        credentials=("pm_1000",),
    ),
)

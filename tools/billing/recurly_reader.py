"""Reads Recurly: an invoice with all that belongs to it, and the objects that thin events point at."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from recoup.errors import NotFetchable, NotFound
from recoup.events import EventKind, ObjectRef, Reading
from recoup.invoice import AccountSnapshot, CredentialSlot, CredentialSnapshot
from tools.billing.json_part import Part
from tools.billing.recurly_dunning import collector_of
from tools.billing.recurly_http import PAGE, Answer, FeatureMissing, RecurlyHttp, segment
from tools.billing.recurly_snapshots import (
    Wallet,
    account_of,
    attempt_of,
    cancellation_of,
    credential_of,
    credentials_of,
    invoice_of,
    purchases,
    slot_of,
)


class Payer(NamedTuple):
    """An account, and its billing infos."""

    account: Answer
    billing_infos: list[Part]


class RecurlyReader:
    """Reads; changes nothing."""

    def __init__(self, http: RecurlyHttp) -> None:
        self._http = http
        self._subdomain: str | None = None

    async def invoice(self, invoice_id: str) -> Reading:
        """The charge invoice by id, or by its number as ``number-1000``. A credit invoice stands for the invoice it gives back."""
        answer = await self._http.get(f"/invoices/{segment(invoice_id)}")
        previous = answer.document.text("previous_invoice_id")
        if answer.document.text("type") == "credit":
            return await self.invoice(previous) if previous else _of_account(account_of(answer.document.part("account"), answer.at))
        return await self.complete(answer.document, answer.at, await self.payer(answer.document.part("account").need_text("id")))

    async def fetch(self, ref: ObjectRef) -> Reading:
        """What a thin event points at; raises NotFetchable for a kind that is not read here."""
        match ref.kind:
            case "invoice" | "charge_invoice" | "credit_invoice" | "dunning_event":
                # A dunning event bears the id of its invoice.
                return await self.invoice(ref.vendor_id)
            case "payment":
                return await self._invoice_of_payment(ref.vendor_id)
            case "subscription":
                return await self._subscription(ref.vendor_id)
            case "account":
                answer = await self._http.get(f"/accounts/{segment(ref.vendor_id)}")
                is_closed = answer.document.text("state") == "inactive"
                kind = EventKind.ACCOUNT_CLOSED if is_closed else EventKind.ACCOUNT_CHANGED
                return _of_account(account_of(answer.document, answer.at), kind)
            case "billing_info":
                return await self._billing_info(ref.vendor_id)
            case _:
                raise NotFetchable(f"{self._http.name}: nothing here reads a {ref.kind} of Recurly")

    async def _wallet(self, account: str) -> list[Part] | None:
        """All billing infos of the account at that path; None where the site has no wallets, and an account one billing info."""
        try:
            return [info async for page in self._http.pages(f"{account}/billing_infos") for info in page.document.parts("data")]
        except FeatureMissing:
            return None

    async def subdomain(self) -> str | None:
        """The first part of the site's address, which its hosted pages have; it does not change while we run."""
        if self._subdomain is None:
            sites = (await self._http.get("/sites", {"limit": 1})).document.parts("data")
            self._subdomain = sites[0].text("subdomain") if sites else None
        return self._subdomain

    async def payer(self, account_id: str) -> Payer:
        """The account with all that it can pay with; raises NotFound, BillingUnavailable."""
        here = f"/accounts/{segment(account_id)}"
        account, wallet = await asyncio.gather(self._http.get(here), self._wallet(here))
        return Payer(account, _only(account.document) if wallet is None else wallet)

    async def payers(self, account_ids: Sequence[str]) -> dict[str, Payer]:
        """Several accounts, of at most two hundred, by their ids; those that are gone are left out."""
        if not account_ids:
            return {}
        listed = await self._http.get("/accounts", {"ids": ",".join(account_ids)})
        accounts = {account.need_text("id"): account for account in listed.document.parts("data")}
        wallets = await asyncio.gather(*(self._wallet(f"/accounts/{segment(name)}") for name in accounts))
        told = zip(accounts.items(), wallets, strict=True)
        return {name: Payer(Answer(account, listed.at), _only(account) if infos is None else infos) for (name, account), infos in told}

    async def complete(self, invoice: Part, at: datetime, payer: Payer) -> Reading:
        """A charge invoice with everything around it."""
        account = payer.account
        wallet = Wallet(account.document.need_text("id"), invoice.text("billing_info_id"), payer.billing_infos)
        tries, subdomain = purchases(invoice), await self.subdomain()
        site = f"{subdomain}.{self._http.hosted_domain}" if subdomain else None
        told = invoice_of(invoice, at, _hosted_page(account.document, site))
        snapshot = told.model_copy(update={"collector": collector_of(invoice, wallet, at)})
        return Reading(
            kind=EventKind.INVOICE_CHANGED,
            event_type="invoice.read",
            occurred_at=at,
            account=account_of(account.document, account.at),
            invoice=snapshot,
            attempts=tuple(attempt_of(one, wallet, at) for one in tries),
            credentials=credentials_of(wallet, tries),
            subscription_vendor_id=snapshot.subscription_vendor_id,
        )

    async def _invoice_of_payment(self, transaction_id: str) -> Reading:
        """A refund stands on a credit invoice, and concerns the invoice whose payment it gives back."""
        transaction = (await self._http.get(f"/transactions/{segment(transaction_id)}")).document
        original = transaction.text("original_transaction_id")
        if original is not None:
            transaction = (await self._http.get(f"/transactions/{segment(original)}")).document
        invoice_id = transaction.part("invoice").text("id")
        if invoice_id is None:
            raise NotFound(f"{self._http.name}: the transaction belongs to no invoice")
        return await self.invoice(invoice_id)

    async def _subscription(self, subscription_id: str) -> Reading:
        answer = await self._http.get(f"/subscriptions/{segment(subscription_id)}")
        subscription = answer.document
        is_ending = subscription.text("state") in {"canceled", "expired"}
        return Reading(
            kind=EventKind.SUBSCRIPTION_CANCELLED if is_ending else EventKind.SUBSCRIPTION_CHANGED,
            event_type="subscription.read",
            occurred_at=answer.at,
            account=account_of(subscription.part("account"), answer.at),
            subscription_vendor_id=subscription.need_text("id"),
            cancellation=cancellation_of(subscription) if is_ending else None,
        )

    async def _billing_info(self, told: str) -> Reading:
        """``told``: the account, a slash, and the id of a billing info, or nothing for the primary one. It is found by its account only."""
        account_id, _, info_id = told.rpartition("/")
        if not account_id:
            raise NotFetchable(f"{self._http.name}: the event does not tell whose billing info it is about")
        here = f"/accounts/{segment(account_id)}"
        account, wallet_told = await asyncio.gather(self._http.get(here), self._wallet(here))
        infos = _only(account.document) if wallet_told is None else wallet_told
        info = next((one for one in infos if one.text("id") == info_id or (not info_id and one.flag("primary_payment_method"))), None)
        reading, vendor_id = _of_account(account_of(account.document, account.at)), account.document.need_text("id")
        if info is None:
            gone = CredentialSnapshot.model_validate({"vendor_id": info_id, "is_usable": False}) if info_id else None
            return reading.model_copy(update={"credentials": (gone,) if gone else ()})
        slot = slot_of(info, None) or await self._slot_in_subscriptions(vendor_id, info_id)
        return reading.model_copy(update={"credentials": (credential_of(info, vendor_id, slot),)})

    async def _slot_in_subscriptions(self, account_id: str, info_id: str) -> CredentialSlot | None:
        here = f"/accounts/{segment(account_id)}/subscriptions"
        async for page in self._http.pages(here, {"state": "live", "limit": PAGE}):
            if any(one.text("billing_info_id") == info_id for one in page.document.parts("data")):
                return CredentialSlot.SUBSCRIPTION
        return None


def _of_account(account: AccountSnapshot, kind: EventKind = EventKind.ACCOUNT_CHANGED) -> Reading:
    return Reading(kind=kind, event_type="account.read", occurred_at=account.observed_at, account=account)


def _only(account: Part) -> list[Part]:
    """The billing info that the account itself tells."""
    primary = account.part("billing_info")
    return [primary] if primary else []


def _hosted_page(account: Part, site: str | None) -> str | None:
    """Where the customer changes the payment method, without a password; Recurly then collects what is past due."""
    token = account.text("hosted_login_token")
    return f"https://{site}/account/billing_info/edit?ht={token}" if token and site else None

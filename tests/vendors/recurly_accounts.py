"""Calls about customers in the Recurly double: accounts, their payment methods and the notes on them."""

from typing import Any

from tests.vendors.chassis import Answer, Clock, Request
from tests.vendors.recurly_dunning import Dunning
from tests.vendors.recurly_input import (
    ACCOUNT,
    BILLING_INFO,
    MODELLED_ACCOUNT,
    MODELLED_BILLING_INFO,
    NOTE,
    merge_custom_fields,
    modelled,
    read_body,
)
from tests.vendors.recurly_records import Account, BillingInfo, Card, Note, SiteRecord, Store
from tests.vendors.recurly_refusals import Refusal, invalid, not_found
from tests.vendors.recurly_views import Views
from tests.vendors.recurly_views_site import note as note_view
from tests.vendors.recurly_webhooks import Webhooks


class AccountCalls:
    """``tokens``: what customers have typed into the merchant's page, by the token that Recurly.js gave for it; each works once."""

    def __init__(self, store: Store, clock: Clock, webhooks: Webhooks, dunning: Dunning, site: SiteRecord) -> None:
        self._store, self._clock, self._webhooks, self._dunning, self._site = store, clock, webhooks, dunning, site
        self._views = Views(store)
        self.tokens: dict[str, Card] = {}

    def find(self, told: str) -> Account:
        """By id, or by code with ``code-`` before it."""
        by_code = told.startswith("code-")
        found = self._store.codes.get(told[5:]) if by_code else self._store.accounts.get(told)
        if found is None:
            raise not_found("Account", told)
        return found

    def get(self, _: Request, account: str) -> Answer:
        """An account."""
        return Answer(200, self._views.account(self.find(account)))

    def update(self, request: Request, account: str) -> Answer:
        """Changes what is told. Custom fields that are not named stay."""
        found = self.find(account)
        values = modelled(read_body(request, ACCOUNT), MODELLED_ACCOUNT)
        campaign = values.get("dunning_campaign_id")
        if campaign is not None:
            if not self._site.has_campaigns:
                raise Refusal("missing_feature", "Multiple dunning campaigns are not enabled", ["dunning_campaign_id"])
            if campaign not in self._store.campaigns:
                raise invalid("There is no such dunning campaign", "dunning_campaign_id")
        if values.get("custom_fields"):
            defined = {d.name for d in self._store.definitions.values() if d.related_type == "account"}
            merge_custom_fields(found.custom_fields, values["custom_fields"], frozenset(defined))
        for name in values.keys() - {"custom_fields"}:
            setattr(found, name, values[name])
        self._store.touch(found, self._clock.now())
        self._webhooks.tell("account", "updated", found, account_code=found.code)
        return Answer(200, self._views.account(found))

    def balance(self, _: Request, account: str) -> Answer:
        """What it owes."""
        return Answer(200, self._views.balance(self.find(account)))

    def primary(self, _: Request, account: str) -> Answer:
        """The primary payment method."""
        found = self._store.primary(self.find(account).id)
        if found is None:
            raise not_found("BillingInfo", account)
        return Answer(200, self._views.billing_info(found))

    def billing_info(self, _: Request, account: str, info: str) -> Answer:
        """One payment method of the wallet."""
        return Answer(200, self._views.billing_info(self._in_wallet(account, info)))

    def update_primary(self, request: Request, account: str) -> Answer:
        """Replaces the primary payment method, or makes the first one."""
        found = self.find(account)
        values = self._read(request, needs_token=self._store.primary(found.id) is None)
        if "primary_payment_method" in values:
            raise invalid("primary_payment_method is not permitted here", "primary_payment_method")
        return self._changed(self._store.primary(found.id) or self._added(found), values)

    def add_billing_info(self, request: Request, account: str) -> Answer:
        """Another payment method; the first of an account is its primary one."""
        found = self.find(account)
        values = self._read(request, needs_token=True)
        return self._changed(self._added(found), values)

    def update_billing_info(self, request: Request, account: str, info: str) -> Answer:
        """Replaces one, or makes it primary or backup."""
        found = self._in_wallet(account, info)
        return self._changed(found, self._read(request, needs_token=False))

    def add_note(self, request: Request, account: str) -> Answer:
        """A note, which cannot be changed."""
        found = self.find(account)
        values = read_body(request, NOTE, "message")
        now = self._clock.now()
        made = Note(id=self._store.new_id(), created_at=now, updated_at=now, account_id=found.id, message=values["message"])
        self._store.notes[made.id] = made
        return Answer(201, note_view(made))

    def note(self, _: Request, account: str, note: str) -> Answer:
        """One note."""
        return Answer(200, note_view(self._note(account, note)))

    def delete_note(self, _: Request, account: str, note: str) -> Answer:
        """Takes a note away."""
        del self._store.notes[self._note(account, note).id]
        return Answer(204)

    def _note(self, account: str, told: str) -> Note:
        found = self._store.notes.get(told)
        if found is None or found.account_id != self.find(account).id:
            raise not_found("AccountNote", told)
        return found

    def _read(self, request: Request, *, needs_token: bool) -> dict[str, Any]:
        """Only tokens: a merchant whose servers see card numbers is not who this double is for."""
        values = dict(modelled(read_body(request, BILLING_INFO, *(["token_id"] if needs_token else [])), MODELLED_BILLING_INFO))
        if values.get("token_id") and values["token_id"] not in self.tokens:
            raise Refusal("invalid_token", "The token is unknown, used or expired", ["token_id"])
        return values

    def _in_wallet(self, account: str, told: str) -> BillingInfo:
        if not self._site.has_wallet:
            raise Refusal("missing_feature", "The Wallet feature is not enabled")
        found = self._store.billing_infos.get(told)
        if found is None or found.account_id != self.find(account).id:
            raise not_found("BillingInfo", told)
        return found

    def _added(self, account: Account) -> BillingInfo:
        """A place in the wallet; ``_changed`` puts the card of the token into it."""
        is_first = not self._store.wallet(account.id)
        if not is_first and not self._site.has_wallet:
            raise Refusal("missing_feature", "The Wallet feature is not enabled")
        now = self._clock.now()
        empty = Card(fingerprint="")
        info = BillingInfo(id=self._store.new_id(), created_at=now, updated_at=now, account_id=account.id, card=empty, primary=is_first)
        self._store.add_billing_info(info)
        return info

    def _changed(self, info: BillingInfo, values: dict[str, Any]) -> Answer:
        others = [other for other in self._store.wallet(info.account_id) if other is not info]
        if values.get("token_id"):
            info.card = self.tokens.pop(values["token_id"])
        if values.get("primary_payment_method"):
            info.primary = True
            for other in others:
                other.primary = False
        if "backup_payment_method" in values:
            info.backup = bool(values["backup_payment_method"])
            for other in others if info.backup else ():
                other.backup = False
        self._store.touch(info, self._clock.now())
        account = self._store.accounts[info.account_id]
        self._webhooks.tell("billing_info", "updated", info, account_code=account.code)
        if info.primary and (values.get("token_id") or values.get("primary_payment_method")):
            self._dunning.card_changed(account.id)
        return Answer(200, self._views.billing_info(info))

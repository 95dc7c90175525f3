"""How the records of a whole site look on the wire: notes, dunning campaigns, custom fields and the site itself."""

from collections.abc import Iterable
from typing import Any

from tests.vendors.recurly_records import Campaign, FieldDefinition, Note, SiteRecord
from tests.vendors.recurly_views import instant, told


def note(note: Note) -> dict[str, Any]:
    """A note on an account; those made through the API have no user."""
    made = {"id": note.id, "object": "account_note", "created_at": instant(note.created_at)}
    return made | {"account_id": note.account_id, "user": None, "message": note.message}


def campaign(campaign: Campaign) -> dict[str, Any]:
    """A dunning campaign with its cycle for automatic collection."""
    gaps = [after - before for before, after in zip((0, *campaign.message_days), campaign.message_days, strict=False)]
    cycle: dict[str, Any] = {
        "type": "automatic",
        "applies_to_manual_trial": False,
        "first_communication_interval": campaign.message_days[0],
        "send_immediately_on_hard_decline": False,
        "intervals": [{"days": days, "email_template": "dunning_invoice"} for days in gaps],
        "expire_subscription": campaign.expire_subscription,
        "fail_invoice": campaign.fail_invoice,
        "total_dunning_days": campaign.total_days - campaign.message_days[0],
        "total_recycling_days": campaign.total_days,
        "version": 1,
        "created_at": instant(campaign.created_at),
        "updated_at": instant(campaign.updated_at),
    }
    more = {"code": campaign.code, "name": campaign.name, "description": None, "default_campaign": campaign.is_default, "deleted_at": None}
    return {**told(campaign, "dunning_campaign"), **more, "dunning_cycles": [cycle]}


def definition(definition: FieldDefinition) -> dict[str, Any]:
    """A custom field's definition."""
    named = {"related_type": definition.related_type, "name": definition.name, "display_name": definition.name}
    return {**told(definition, "custom_field_definition"), **named, "user_access": "write", "tooltip": None, "deleted_at": None}


def site(site: SiteRecord, currencies: Iterable[str] = ("USD", "EUR")) -> dict[str, Any]:
    """A site."""
    settings = {"billing_address_requirement": "none", "accepted_currencies": list(currencies), "default_currency": "USD"}
    more = {"subdomain": site.subdomain, "public_api_key": "ewr1-sample", "mode": site.mode, "settings": settings, "deleted_at": None}
    return {**told(site, "site"), **more, "features": ["credit_memos", "manual_invoicing"], "address": None}

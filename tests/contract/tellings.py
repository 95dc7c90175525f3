"""Two tellings of one effect: only who was there knows what the exchange was called, and some platforms tell it later as well."""

from recoup.ports import BillingPlatform, Effect, EffectLookup, EffectResult, Found


def what_was_done(result: EffectResult) -> EffectResult:
    """The answer without the name of the exchange in which it was given."""
    return result.model_copy(update={"request_id": None})


async def looked_up(platform: BillingPlatform, effect: Effect) -> EffectLookup:
    """What a lookup says was done."""
    lookup = await platform.find_effect(effect)
    return Found(result=what_was_done(lookup.result)) if isinstance(lookup, Found) else lookup

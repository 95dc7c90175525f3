"""Notes at Recurly: lines on the account, which can be added and not changed. Custom fields are not used: the merchant would have to
define each in Recurly first, and an account has one value of it but may have several cases."""

from recoup.errors import Refused
from recoup.mirror import MirrorNote
from tools.billing.json_part import Part
from tools.billing.recurly_http import RecurlyHttp, segment

NOTE = frozenset({"note"})


class RecurlyMirror:
    """Adds notes. What stands there is read first: an answer that was lost may have been a note that was kept, and Recurly forgets its
    key within the hour."""

    def __init__(self, http: RecurlyHttp) -> None:
        self._http = http

    async def write(self, note: MirrorNote) -> None:
        """Adds the note, unless the case's newest one says the same. Raises BillingUnavailable, OutcomeUnknown, Misconfigured, NotFound,
        Refused."""
        path = f"/accounts/{segment(note.to.account_vendor_id)}/notes"
        if await self._newest(path, note.case_id) == note.says:
            return
        said = await self._http.send("POST", path, note.key, {"message": f"{note.says} ({note.decision_id})"})
        if not said.is_done:
            raise Refused(f"{self._http.name}: Recurly does not take the note ({said.document.text('type')})")

    async def _newest(self, path: str, case_id: str) -> str | None:
        """What the newest note on the case says. Their order in the list is not documented."""
        ours = [
            one
            async for page in self._http.pages(path)
            for one in page.document.parts("data")
            if _says(one).startswith(f"Recoup {case_id}:")
        ]
        return _says(max(ours, key=lambda one: one.need_time("created_at"))) if ours else None


def _says(note: Part) -> str:
    """A note of ours without the decision at its end."""
    return (note.text("message") or "").rpartition(" (")[0]

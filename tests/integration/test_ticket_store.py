"""The memory of tickets on a real Chroma, in a folder and on a server: what goes in is found by its owner, and forgotten when asked."""

import asyncio
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from memory.ticket_shelves import Shelves
from memory.tickets import Scope, TicketStore
from recoup.errors import Misconfigured, TicketsUnavailable
from tests.factories import NOW
from tests.tickets import ADA, BO, WordsEmbedder, make_store, make_ticket, others, own

START_SECONDS = 30.0
Open = Callable[..., TicketStore]


@pytest.fixture(scope="module")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A Chroma server of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"http://127.0.0.1:{port}/api/v2/heartbeat"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(params=["folder", "server"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Open]:
    """Makes stores on one place; all are closed and the place is emptied at the end."""
    url = request.getfixturevalue("chroma_server") if request.param == "server" else None
    opened: list[TicketStore] = []

    def make(embedder: WordsEmbedder | None = None) -> TicketStore:
        opened.append(make_store(tmp_path / "tickets", embedder, url))
        return opened[-1]

    try:
        yield make
    finally:
        for store in opened:
            await store.close()
        shelves = Shelves(tmp_path / "tickets", url)
        for shelf in await asyncio.to_thread(shelves.all) if shelves.has_any() else []:
            await asyncio.to_thread(shelves.drop, shelf)
        await asyncio.to_thread(shelves.close)


async def test_a_ticket_is_found_by_its_words_its_code_and_only_by_its_owner(open_store: Open) -> None:
    store = open_store()
    await store.put([make_ticket("T-1", "The bank sent the debit back with R01."), make_ticket("T-2", "Please close my account.")])
    await store.put([make_ticket("T-3", "R01 again, the debit came back.", BO)])
    assert [found.row.ticket_id for found in await own(store, "what about R01")] == ["T-1", "T-2"]
    assert {found.row.owner for found in await own(store, "debit R01 bank account")} == {ADA}
    assert [found.row.ticket_id for found in await others(store, "debit R01")] == ["T-3"]
    assert [found.row.ticket_id for found in await others(store, "debit R01", BO)] == ["T-1", "T-2"]


async def test_the_same_again_changes_nothing_and_a_new_text_leaves_nothing_of_the_old(open_store: Open) -> None:
    store = open_store(model := WordsEmbedder())
    long = " ".join(f"Sentence number {number} of a long story about invoices." for number in range(60))
    assert (await store.put([make_ticket(text=long)])).written == 1
    asked = len(model.asked)
    again = await store.put([make_ticket(text=long)])
    assert (again.written, again.unchanged, len(model.asked)) == (0, 1, asked)
    assert (await store.status()).chunks > 3
    assert (await store.put([make_ticket(text="It is settled.")])).written == 1
    assert (await store.status()).chunks == 1
    [found] = await own(store, "long story about invoices")
    assert found.row.text == "It is settled."


async def test_a_ticket_that_moves_to_another_account_leaves_the_first(open_store: Open) -> None:
    store = open_store()
    await store.put([make_ticket("T-1", "Refund please.")])
    await store.put([make_ticket("T-1", "Refund please.", BO)])
    assert await own(store, "refund") == []
    assert len(await own(store, "refund", BO)) == 1


async def test_personal_data_is_masked_before_the_model_sees_it(open_store: Open) -> None:
    store = open_store(model := WordsEmbedder())
    text = "I am Jane Doe, jane@doe.example, +49 30 1234567, DE89 3704 0044 0532 0130 00, 4242 4242 4242 4242, of Elm Street 1."
    await store.put([make_ticket(text=text, known=("Elm Street 1",))], {ADA: ["Jane Doe"]})
    [found] = await store.search("Jane Doe jane@doe.example", _own_scope(), now=NOW, limit=5, known=["Jane Doe"])
    seen = " ".join([*model.asked, found.row.text])
    for personal in ("Jane", "Doe", "doe.example", "1234567", "3704", "4242 4242", "Elm"):
        assert personal not in seen
    assert "4242" in found.row.text


async def test_a_ticket_and_an_account_are_forgotten_for_good(open_store: Open) -> None:
    store = open_store()
    await store.put([make_ticket("T-1", "About R01."), make_ticket("T-2", "About R02."), make_ticket("T-3", "About R03.", BO)])
    await own(store, "R01")  # fills the index of words
    assert await store.delete_ticket(ADA.connection, "T-1") == 1
    assert await store.delete_ticket(ADA.connection, "T-1") == 0
    assert [found.row.ticket_id for found in await own(store, "R01")] == ["T-2"]
    assert await store.delete_account(ADA) == 1
    assert await own(store, "R01 R02") == []
    assert (await store.status()).chunks == 1
    await store.close()
    assert [found.row.ticket_id for found in await own(open_store(), "R03", BO)] == ["T-3"]


async def test_another_model_is_refused_until_a_re_index_and_public_ids_outlive_it(open_store: Open) -> None:
    store = open_store()
    await store.put([make_ticket(f"T-{number}", f"Story {number} about R0{number}.") for number in range(5)])
    before = {found.row.ticket_id: found.row.cite for found in await own(store, "story", limit=10)}
    await store.close()
    renewed = open_store(WordsEmbedder("words-2"))
    with pytest.raises(Misconfigured, match="run recoup tickets reindex"):
        await own(renewed, "story")
    with pytest.raises(Misconfigured, match="run recoup tickets reindex"):
        await renewed.put([make_ticket()])
    renewed.start_reindex()
    await renewed.reindexed()
    status = await renewed.status()
    assert (status.model, status.chunks, status.copied, status.is_moving, status.problem) == ("words-2", 5, 5, False, None)
    assert {found.row.ticket_id: found.row.cite for found in await own(renewed, "story", limit=10)} == before


async def test_while_a_re_index_lasts_or_has_died_nobody_writes_and_a_new_one_mends_it(open_store: Open) -> None:
    class Dying(WordsEmbedder):
        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            raise Misconfigured("no such model")

    store = open_store()
    await store.put([make_ticket("T-1"), make_ticket("T-2")])
    await store.close()
    dead = open_store(Dying())
    dead.start_reindex()
    with pytest.raises(Misconfigured):
        await dead.reindexed()
    assert (await dead.status()).problem == "no such model"
    await dead.close()
    again = open_store()
    assert (await again.status()).is_moving
    assert len(await own(again, "declined")) == 2
    for write in (again.put([make_ticket("T-3")]), again.delete_account(ADA)):
        with pytest.raises(TicketsUnavailable, match="re-indexed"):
            await write
    again.start_reindex()
    await again.reindexed()
    assert (await again.put([make_ticket("T-3")])).written == 1
    assert len(await own(again, "declined")) == 3


async def test_of_two_that_fit_alike_the_newer_comes_first(open_store: Open) -> None:
    store = open_store()
    await store.put([make_ticket("T-old", opened_at=NOW - timedelta(days=900)), make_ticket("T-new")])
    assert [found.row.ticket_id for found in await own(store, "declined card")] == ["T-new", "T-old"]


async def test_two_processes_share_a_server_and_see_each_others_tickets(chroma_server: str, tmp_path: Path) -> None:
    one, two = (make_store(tmp_path, url=chroma_server) for _ in range(2))
    try:
        await one.put([make_ticket("T-1", "About R01.")])
        assert [found.row.ticket_id for found in await own(two, "R01")] == ["T-1"]
        await two.delete_account(ADA)
        assert await own(one, "R01") == []
    finally:
        await one.close()
        await two.close()


async def test_chroma_is_told_to_embed_nothing_by_itself(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    await store.put([make_ticket()])
    await store.close()
    with sqlite3.connect(tmp_path / "chroma.sqlite3") as database:
        [(schema,)] = database.execute("SELECT schema_str FROM collections").fetchall()
    # Its own default would stand here as a known function with its name.
    assert '"embedding_function":{"type":"legacy"}' in schema
    assert '"known"' not in schema


async def test_a_server_that_is_away_is_told_with_its_address(tmp_path: Path) -> None:
    store = make_store(tmp_path, url="http://127.0.0.1:1")
    with pytest.raises(TicketsUnavailable, match=r"no Chroma server answers at http://127\.0\.0\.1:1"):
        await own(store, "anything")
    with pytest.raises(Misconfigured, match="RECOUP_CHROMA_URL"):
        await own(make_store(tmp_path, url="chroma:8000"), "anything")


async def test_a_folder_that_another_process_has_open_is_refused_with_the_way_out(tmp_path: Path) -> None:
    held = make_store(tmp_path)
    await held.put([make_ticket()])
    code = """
import asyncio, sys
from pathlib import Path
from recoup.errors import TicketsUnavailable
from tests.tickets import make_store, own
store = make_store(Path(sys.argv[1]))
try:
    asyncio.run(own(store, "declined"))
except TicketsUnavailable as exc:
    print(exc)
"""
    said = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "another process has the memory of tickets" in said.stdout
    assert "recoup tickets --api" in said.stdout
    assert "RECOUP_CHROMA_URL" in said.stdout
    await held.close()
    freed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert freed.stdout == ""


async def test_a_search_where_nothing_was_ever_put_in_makes_no_folder(tmp_path: Path) -> None:
    store = make_store(tmp_path / "none")
    assert await own(store, "anything") == []
    assert await store.delete_account(ADA) == 0
    assert (await store.status()).chunks == 0
    assert not (tmp_path / "none").exists()


def _own_scope() -> Scope:
    return Scope.own([ADA])


async def test_an_import_that_dies_loses_nothing_that_the_same_import_does_not_bring_back(open_store: Open) -> None:
    class Full(WordsEmbedder):
        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            return [[*vector, 0.0] for vector in super().embed(texts)]  # Chroma refuses it at the very write

    long = " ".join(f"Sentence number {number} about the zanzibar invoice." for number in range(60))
    store = open_store()
    await store.put([make_ticket(text=long, owner=BO)])
    await store.close()
    dying, moved = open_store(Full()), make_ticket(text=long.replace("zanzibar", "kept"))
    with pytest.raises(TicketsUnavailable):
        await dying.put([moved])
    await dying.close()
    store = open_store()
    assert (await store.put([moved])).written == 1
    assert await own(store, "zanzibar invoice", BO) == []
    [found] = await own(store, "Sentence number 59 kept invoice")
    assert "zanzibar" not in found.row.text

"""LangGraph's checkpoints in PostgreSQL: several savers on one pool, pruning, and threads that no longer fit the graph."""

import os

# Read once, when the serializer is imported: a checkpoint may then hold plain values only, never name a class to construct.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol
from zlib import crc32

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg_pool import AsyncConnectionPool

SAVERS = 4
WAITING_NODE = "branch:to:"


class CompiledGraph(Protocol):
    """What is needed of a compiled graph here: its nodes and where its threads are kept."""

    @property
    def nodes(self) -> Mapping[str, Any]: ...

    @property
    def checkpointer(self) -> Any: ...


class PooledSaver(BaseCheckpointSaver[str]):
    """One checkpointer made of several: AsyncPostgresSaver does one thing at a time behind a lock of its own, so one instance would
    make all decisions of a process wait for each other. A thread always uses the same one.

    Made inside the event loop that uses it. The pool's connections are in autocommit mode with dictionary rows.
    """

    def __init__(self, savers: Sequence[BaseCheckpointSaver[str]]) -> None:
        self._savers = savers
        super().__init__(serde=savers[0].serde)

    @classmethod
    def over(cls, pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]], savers: int = SAVERS) -> "PooledSaver":
        """That many savers on one pool."""
        return cls([AsyncPostgresSaver(pool) for _ in range(savers)])

    def get_next_version(self, current: str | None, channel: None) -> str:
        return self._savers[0].get_next_version(current, channel)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await self._of(config).aget_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        async for found in self._of(config).alist(config, filter=filter, before=before, limit=limit):
            yield found

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> RunnableConfig:
        return await self._of(config).aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        await self._of(config).aput_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await self._savers[0].adelete_thread(thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await self._savers[0].aprune(thread_ids, strategy=strategy)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> "PooledSaver":
        """The same savers, which may also read the classes that the graph's state names; LangGraph asks for it when compiling."""
        return PooledSaver([saver.with_allowlist(extra_allowlist) for saver in self._savers])

    def _of(self, config: RunnableConfig | None) -> BaseCheckpointSaver[str]:
        thread = str((config or {}).get("configurable", {}).get("thread_id", ""))
        return self._savers[crc32(thread.encode()) % len(self._savers)]


async def prune_finished(graph: CompiledGraph, thread_ids: Sequence[str]) -> None:
    """Deletes finished threads: what they decided stands in our own rows."""
    await graph.checkpointer.aprune(thread_ids, strategy="delete")


async def pending_mismatches(graph: CompiledGraph, thread_ids: Iterable[str]) -> list[str]:
    """Those of the interrupted threads that wait in a node which the graph no longer has, or that have no checkpoint at all.

    LangGraph itself says nothing of them: resuming one returns its old state as if all were done.
    """
    saver: BaseCheckpointSaver[Any] = graph.checkpointer
    lost: list[str] = []
    for thread_id in thread_ids:
        found = await saver.aget_tuple({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}})
        if found is None or _waits_elsewhere(found, graph):
            lost.append(thread_id)
    return lost


def _waits_elsewhere(found: CheckpointTuple, graph: CompiledGraph) -> bool:
    channels = found.checkpoint["channel_values"]
    waiting_in = {name.removeprefix(WAITING_NODE) for name in channels if name.startswith(WAITING_NODE)}
    return bool(waiting_in - set(graph.nodes))

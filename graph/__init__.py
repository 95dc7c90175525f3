"""Order of work: the decision graph and the composition root."""

import os

# Read once, when LangGraph's serializer is imported: a checkpoint may then hold plain values only, never name a class to construct.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

"""Draws the graph into docs/graph.md: ``python -m graph.picture``. A test fails while the page is stale."""

from pathlib import Path
from typing import cast

from langgraph.checkpoint.memory import InMemorySaver

from graph.build import build_graph
from graph.deps import GraphDeps

PAGE = Path(__file__).parent.parent / "docs" / "graph.md"
TEXT = """# The graph of one decision

Generated from `graph/build.py` by `python -m graph.picture`; a test fails while this page is stale.

```mermaid
{picture}
```

| Node | What happens in it | Channel it writes |
|---|---|---|
| `load_facts` | reads the case, its account, methods, attempts and earlier actions once, and the policy in force | `facts`, `policy` |
| `orchestrate` | decides who works on it: the plan, or people | `route` |
| `prioritize` | what and when: retry, write, change the service, wait | `priority` |
| `communicate` | fills in the words of the messages, and nothing else | `words` |
| `handle_exception` | the case file, the call script and the queue for people | `exception` |
| `gate` | judges each action: run, ask, deny, or only watch | `verdicts`, `request`, `wake` |
| `human_review` | waits for a person (`interrupt()` and nothing else) | `answer` |
| `recheck` | reads the world again and applies the answer to it | `settled` |
| `finish` | the decision stands; the job commits it | `outcome`, `done` |
| `superseded` | what was shown no longer holds; a new decision starts | `outcome`, `done` |

No node has a side effect. Whatever a decision causes is committed by its job in one transaction afterwards. Node names are pinned by
a test: a renamed node would silently lose the threads that wait in it.
"""


def page() -> str:
    """The whole page as it should stand."""
    # Only the wiring is drawn: no node runs, so nothing is needed of the outside.
    graph = build_graph(cast("GraphDeps", None), InMemorySaver())
    return TEXT.format(picture=graph.get_graph().draw_mermaid().strip())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

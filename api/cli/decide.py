"""``recoup decide --facts FILE``: one decision offline, on a file of facts, with nothing else around it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from graph.offline import offline_deps, read_facts
from recoup.facts import CaseFacts
from recoup.policy import Policy, default_policy_text, parse_policy

File = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--facts", "facts_file", type=File, required=True, help="JSON of a case's facts; docs/examples/facts.json is one.")
@click.option("--policy", "policy_file", type=File, help="TOML of a policy. Default: the policy that a new installation starts with.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole decision as one JSON object.")
def decide(facts_file: Path, policy_file: Path | None, *, as_json: bool) -> None:
    """Make one decision on a file of facts and show it node by node.

    Needs no database and changes nothing. Ends at the question to a person where the gate asks.
    """
    facts = read_facts(facts_file)
    policy = parse_policy(policy_file.read_text(encoding="utf-8") if policy_file else default_policy_text())
    state = asyncio.run(run_offline(facts, policy))
    if as_json:
        click.echo(json.dumps({key: value for key, value in state.items() if key not in {"facts", "policy"}}, ensure_ascii=False))
    else:
        _show(facts, state)


async def run_offline(facts: CaseFacts, policy: Policy) -> dict[str, Any]:
    """The state of the graph at its end, or where it waits for a person."""
    # Loaded here, since LangGraph takes long to import and `recoup --help` should not.
    from langgraph.checkpoint.memory import InMemorySaver

    from graph.build import build_graph
    from graph.state import start_state

    graph = build_graph(offline_deps(facts, policy), InMemorySaver())
    state = await graph.ainvoke(start_state(facts.case.id), {"configurable": {"thread_id": "offline"}}, durability="exit")
    return {key: value for key, value in state.items() if not key.startswith("__")}


def _show(facts: CaseFacts, state: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel
    from rich.tree import Tree

    from api.explain import explain_decision
    from graph.state import RecoveryState, proposals_of, request_of, verdicts_of

    console = Console()
    trace = Tree(f"[bold]Decision on case {escape(facts.case.id)}[/bold]")
    for said in state["trace"]:
        branch = trace.add(f"[cyan]{said['node']}[/cyan]")
        for line in said["lines"]:
            branch.add(escape(line))
    console.print(trace)
    seen = RecoveryState(**state)
    lines = explain_decision(facts, proposals_of(seen), verdicts_of(seen))
    console.print(Panel("\n".join(escape(line) for line in lines), title="In words", title_align="left"))
    request = request_of(seen)
    if request is not None:
        asked = "\n".join(f"{n}. {escape(r.name)}: {escape(r.description)}" for n, r in enumerate(request.action_requests, start=1))
        console.print(Panel(f"{asked}\n\ndigest {request.digest}", title="A person is asked", title_align="left", border_style="yellow"))

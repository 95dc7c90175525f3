"""A model's card as pages: Markdown beside its pictures, and HTML that stands alone."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import assert_never

from evals.html import figure, listed, page, paragraph, table
from evals.training.card import Block, Heading, Listed, Picture, Said, Shown


def markdown(title: str, first: str, blocks: Sequence[Block]) -> str:
    """For a repository or a pull request."""
    return "\n\n".join([f"# {title}", f"**{first}**", *map(_markdown, blocks)]) + "\n"


def html(title: str, first: str, blocks: Sequence[Block], pictures: Mapping[str, bytes]) -> str:
    """For a browser."""
    return page(title, [f"<h1>{escape(title)}</h1>", paragraph(first, "headline"), *(_html(block, pictures) for block in blocks)])


def _markdown(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {text}"
        case Said(text):
            return text
        case Listed(items):
            return "\n".join(f"- {item}" for item in items)
        case Shown(says, heads, rows):
            lines = [heads, tuple("---" for _ in heads), *rows]
            return "\n".join([says, "", *(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)])
        case Picture(name, caption):
            return f"![{caption}]({name}.png)"
        case _:
            assert_never(block)


def _html(block: Block, pictures: Mapping[str, bytes]) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Said(text):
            return paragraph(text)
        case Listed(items):
            return listed(items)
        case Shown(says, heads, rows):
            return table(heads, rows, above=says)
        case Picture(name, caption):
            return figure(name, pictures[name], caption)
        case _:
            assert_never(block)

"""Loads the words (one markdown file a template), hashes them, and fills their slots strictly."""

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from prompts.examples import all_examples
from recoup.actions import MessageArgs
from recoup.digest import digest
from recoup.errors import Malformed, NotFound
from recoup.record import Record

SLOT = re.compile(r"\{([a-z_]+)\}")
# A value is plain text: markup or control characters in it could become something else in the reader's program.
NOT_PLAIN = re.compile(r"[<>\x00-\x08\x0b-\x1f\x7f]")


class Template(Record):
    """One file of words. ``subject`` is a message's subject line or a task's title."""

    name: str
    purpose: str
    subject: str
    body: str

    @property
    def slots(self) -> frozenset[str]:
        """The names in braces, of subject and body."""
        return frozenset(SLOT.findall(self.subject)) | frozenset(SLOT.findall(self.body))


class Words(Record):
    """A filled template."""

    subject: str
    body: str


@lru_cache(maxsize=1)
def templates() -> Mapping[str, Template]:
    """All templates by name; read once."""
    found = [
        parse_template(entry.name.removesuffix(".md"), entry.read_text(encoding="utf-8"))
        for entry in files("prompts").iterdir()
        if entry.name.endswith(".md")
    ]
    return {template.name: template for template in sorted(found, key=lambda t: t.name)}


def load(name: str) -> Template:
    """The template of that name; raises NotFound."""
    try:
        return templates()[name]
    except KeyError:
        raise NotFound(f"there is no template {name!r}; one of {', '.join(templates())}") from None


def template_of(args: MessageArgs) -> Template:
    """The words of a message: its own where it has any, else those of its template; raises NotFound."""
    named = load(args.template)
    return named.model_copy(update={"subject": args.words.subject, "body": args.words.body}) if args.words else named


@lru_cache(maxsize=1)
def prompts_digest() -> str:
    """SHA-256 over all templates and examples: a decision is stamped with the words that stood when it was made."""
    examples = [[name, [example.model_dump() for example in found]] for name, found in all_examples().items()]
    return digest([[template.model_dump() for template in templates().values()], examples])


def render(template: Template, slots: Mapping[str, str]) -> Words:
    """The template with its slots filled. Values that it does not ask for are left out.

    Raises Malformed where a slot has no value, or where a value is not plain text.
    """
    missing = sorted(template.slots - slots.keys())
    if missing:
        raise Malformed(f"template {template.name} needs values for {', '.join(missing)}")
    for name in sorted(template.slots):
        if NOT_PLAIN.search(slots[name]):
            raise Malformed(f"the value of slot {name} of template {template.name} is not plain text")

    # One pass: braces inside a value are never read as a slot.
    def fill(text: str) -> str:
        return SLOT.sub(lambda match: slots[match[1]], text)

    return Words(subject=fill(template.subject), body=fill(template.body))


def render_text(template: Template, slots: Mapping[str, str]) -> str:
    """The same as one text, as a model is shown it."""
    words = render(template, slots)
    return f"{words.subject}\n\n{words.body}"


def parse_template(name: str, text: str) -> Template:
    """From ``---``, lines of ``key: value``, ``---`` and the body; raises Malformed."""
    if not text.startswith("---\n"):
        raise Malformed(f"template {name} has no front matter")
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    return Template.model_validate({"name": name, "body": body.strip() + "\n"} | fields)

"""Who may read and write which topic, from the declaration of the topics; `docs/rights.md` is `page()`.

Write it anew with `python -m pelangi.contracts.rights > docs/rights.md`.
"""

from pelangi.contracts.topics import SERVICES, TOPICS, Topic

FORM = "form"
SUBSCRIBER = "city."
"""Begin of the user name of every city service that was granted the public topics."""

USERS = (*SERVICES, FORM, f"{SUBSCRIBER}*")


def may_read(user: str, topic: Topic) -> bool:
    """Whether this user may read the topic's records."""
    return user in topic.readers or (topic.public and user.startswith(SUBSCRIBER))


def may_write(user: str, topic: Topic) -> bool:
    """Whether this user may write records to the topic."""
    return user == topic.owner or user in topic.writers


def group_of(user: str) -> str:
    """What the names of this user's consumer groups begin with."""
    return f"{user}." if user.startswith(SUBSCRIBER) else user


def transactional_id_of(user: str) -> str | None:
    """The one name under which this user may write transactions."""
    return f"relay-{user}" if user in SERVICES else None


def page() -> str:
    """The table for people, in Markdown."""
    lines = [
        "# Who may read and write what",
        "",
        "Generated from `pelangi/contracts/topics.py` by `python -m pelangi.contracts.rights > docs/rights.md`; do not edit it.",
        "`pelangi topics apply` makes exactly these rights. `tests/wiring/test_rights.py` tries every cell, allowed and refused,",
        "on a real broker. R = may read, W = may write, a dot = neither. Whoever has no user, or another password, gets nothing.",
        "",
        "| topic | " + " | ".join(f"`{user}`" for user in USERS) + " |",
        "|---|" + ":-:|" * len(USERS),
        *(f"| `{topic.name}` | " + " | ".join(_cell(user, topic) for user in USERS) + " |" for topic in TOPICS),
        "| groups | " + " | ".join(f"`{group_of(user.replace('*', 'NAME'))}*`" for user in USERS) + " |",
        "| transactions as | " + " | ".join(f"`{name}`" if (name := transactional_id_of(user)) else "." for user in USERS) + " |",
        "",
        "The administrator may do everything. Nobody else may make, change or delete topics, users or rights.",
        "`city.*`: every user made by `pelangi topics grant NAME`; `city.demo` exists on a development machine only.",
    ]
    return "\n".join(lines) + "\n"


def _cell(user: str, topic: Topic) -> str:
    return ("R" if may_read(user, topic) else "") + ("W" if may_write(user, topic) else "") or "."


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  # the page is the output

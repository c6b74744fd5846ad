"""What the engine is given and what it keeps: flat arrays of whole numbers, and nothing else.

Node 0 is where teams start and end; requests are the nodes 1 to n. A slot is one team on one day. Times are minutes of the
working clock: breaks are cut out of it. No array has room for a name, NIK, sex, religion, status, income or phone.
"""

from collections.abc import MutableSequence, Sequence
from typing import NamedTuple

Row = MutableSequence[int]
"""Whole numbers by index: a list, or a numpy array for the compiled kernel."""


NEVER = (0, -1)


class Problem(NamedTuple):
    """A planning problem, flat: the entry of row i, column j of a table with w columns is at i * w + j.

    nodes: requests and the start, n + 1. slots, days, counters: how many of each.
    travel: minutes between nodes, nodes x nodes. service: minutes on site, by node. penalty: cost of not serving it, by node.
    windows: when service may start, nodes x days x openings, (from, to) in order, the last one repeated; (0, -1) for never.
    allowed: whether a slot may serve it, nodes x slots. cost: of being served by it, nodes x slots, in minutes of travel.
    needs: nodes x counters. stock: slots x counters, what a slot has of each (blanks, visits a day).
    day, opens, closes: by slot. near, nearest: the nearest other requests of each, nodes x nearest.
    """

    nodes: int
    slots: int
    days: int
    counters: int
    nearest: int
    openings: int
    travel: Sequence[int]
    service: Sequence[int]
    penalty: Sequence[int]
    windows: Sequence[int]
    allowed: Sequence[int]
    cost: Sequence[int]
    needs: Sequence[int]
    stock: Sequence[int]
    day: Sequence[int]
    opens: Sequence[int]
    closes: Sequence[int]
    near: Sequence[int]


class Layout(NamedTuple):
    """Where each table begins in the memory of the kernel, and the sizes of the problem. After the problem's own tables:

    route: slots x width, the nodes of each slot in order; size: how many. leaves: when the team leaves each position. latest:
    until when service there may start so that the rest still fits. used: slots x counters. busy: minutes of service and travel,
    by slot. where: the slot of each node, or -1. total: cost of the plan. random: state of the random numbers. best_*: the best
    plan seen. old_*: how the touched slots were before this iteration; touched: their numbers, then those of other candidates.
    slot_mark, node_mark: touched, and removed, in this iteration. seen: by slot, the last `stamp` that was put on it. keys,
    items: to sort.
    """

    nodes: int
    slots: int
    days: int
    counters: int
    nearest: int
    openings: int
    width: int
    travel: int
    service: int
    penalty: int
    windows: int
    allowed: int
    cost: int
    needs: int
    stock: int
    day: int
    opens: int
    closes: int
    near: int
    route: int
    size: int
    leaves: int
    latest: int
    used: int
    busy: int
    where: int
    total: int
    random: int
    stamp: int
    best_route: int
    best_size: int
    best_total: int
    old_route: int
    old_size: int
    touched: int
    slot_mark: int
    node_mark: int
    seen: int
    keys: int
    items: int


def lay_out(given: Problem) -> tuple[list[int], Layout]:
    """A memory with the tables of a problem and an empty plan, and where everything is in it."""
    memory: list[int] = []
    begins: dict[str, int] = {}
    for name, table in given._asdict().items():
        if isinstance(table, int):
            continue
        begins[name] = len(memory)
        memory += table
    width, slots = given.nodes + 1, given.slots
    by_route = dict.fromkeys(("route", "leaves", "latest", "best_route", "old_route"), slots * width)
    by_slot = dict.fromkeys(("size", "busy", "best_size", "old_size", "touched", "slot_mark", "seen"), slots)
    by_node = dict.fromkeys(("where", "node_mark", "keys", "items"), given.nodes)
    single = dict.fromkeys(("total", "random", "stamp", "best_total"), 1)
    for name, length in {**by_route, **by_slot, **by_node, **single, "used": slots * given.counters}.items():
        begins[name] = len(memory)
        memory += [-1 if name == "where" else 0] * length
    sizes = {name: value for name, value in given._asdict().items() if isinstance(value, int)}
    return memory, Layout(**sizes, width=width, **begins)


def problem(
    *,
    travel: Sequence[Sequence[int]],
    service: Sequence[int],
    penalty: Sequence[int],
    windows: Sequence[Sequence[Sequence[tuple[int, int]]]],
    allowed: Sequence[Sequence[bool]],
    cost: Sequence[Sequence[int]] | None = None,
    slots: Sequence[tuple[int, int, int]],
    needs: Sequence[Sequence[int]] = (),
    stock: Sequence[Sequence[int]] = (),
    nearest: int = 100,
) -> Problem:
    """The arrays of a problem, as lists.

    travel: (n + 1) x (n + 1), the start first. service, penalty, windows, allowed, cost, needs: by request, n of each.
    windows: by day any number of (from, to). slots: (day, opens, closes). needs, stock: by request and by slot, one number per
    counter.
    """
    nodes, days = len(service) + 1, 1 + max((day for day, _, _ in slots), default=0)
    counters = len(stock[0]) if stock else 0
    kept = min(nearest, max(nodes - 2, 0))
    most = max((len(pairs) for by_day in windows for pairs in by_day), default=0) or 1
    flat_windows = [0, -1] * (days * most)
    for by_day in windows:
        for day in range(days):
            pairs = (sorted(by_day[day]) if day < len(by_day) else []) or [NEVER]
            flat_windows += [bound for pair in (*pairs, *[pairs[-1]] * (most - len(pairs))) for bound in pair]
    near = [0] * kept
    for i in range(1, nodes):
        others = sorted((travel[i][j] + travel[j][i], j) for j in range(1, nodes) if j != i)
        near += [j for _, j in others[:kept]]
    return Problem(
        nodes=nodes,
        slots=len(slots),
        days=days,
        counters=counters,
        nearest=kept,
        openings=2 * most,
        travel=[minutes for row in travel for minutes in row],
        service=[0, *service],
        penalty=[0, *penalty],
        windows=flat_windows,
        allowed=[0] * len(slots) + [int(may) for row in allowed for may in row],
        cost=[0] * len(slots) + ([c for row in cost for c in row] if cost else [0] * (len(slots) * len(service))),
        needs=[0] * counters + [amount for row in needs for amount in row],
        stock=[amount for row in stock for amount in row],
        day=[day for day, _, _ in slots],
        opens=[opens for _, opens, _ in slots],
        closes=[closes for _, _, closes in slots],
        near=near,
    )

"""Slack induction by string removals (Christiaens & Vanden Berghe 2020, doi 10.1287/trsc.2019.0914) for requests that may be left
out, with simulated annealing. Whole numbers only: numba compiles it, and Python runs the same source.

Each iteration removes strings of neighbouring requests from a few slots, puts requests back where they cost least, in one of
several orders, and keeps the outcome or restores the slots it touched.

All tables lie in one memory `m`, the table `x` from `o.x` on (see `arrays.Layout`): handing arrays from function to function
counts references, which took three quarters of the time.
"""

import math

from services.scheduling.planner.arrays import Layout, Row

MODULUS, FACTOR = 2147483647, 48271
"""Park & Miller's minimal standard generator: fits into 64 bits, so that compiled and interpreted runs draw the same numbers."""
BLINKS = 100
"""One position of so many is overlooked, so that insertion is not always greedy."""
REMOVED, LONGEST = 10, 10
"""Requests removed on average, and the longest string."""
ORDERS = 16
TIES = 64
"""Requests alike in what the order goes by come in any order."""
CLOSE = 40
"""Who was removed is put back into a slot that goes to one of so many nearest requests, that was touched, or that is empty."""
NONE = -1


def draw(m: Row, o: Layout, below: int) -> int:
    """A random number from 0 to below - 1."""
    m[o.random] = m[o.random] * FACTOR % MODULUS
    return m[o.random] % below


def refresh(m: Row, o: Layout, slot: int) -> bool:
    """Times and sums of a slot from its route; whether the route can be driven."""
    size, row, day = m[o.size + slot], slot * o.width, m[o.day + slot]
    route, leaves, latest = o.route + row, o.leaves + row, o.latest + row
    for counter in range(o.counters):
        m[o.used + slot * o.counters + counter] = 0
    m[leaves] = m[o.opens + slot]
    before, busy, feasible = 0, 0, True
    for at in range(1, size + 1):
        node = m[route + at]
        way = m[o.travel + before * o.nodes + node]
        start, window = m[leaves + at - 1] + way, o.windows + (node * o.days + day) * o.openings
        while window < o.windows + (node * o.days + day + 1) * o.openings and start > m[window + 1]:
            window += 2
        if window < o.windows + (node * o.days + day + 1) * o.openings:
            start = max(start, m[window])
        else:
            feasible = False
        m[leaves + at] = start + m[o.service + node]
        busy += way + m[o.service + node]
        for counter in range(o.counters):
            m[o.used + slot * o.counters + counter] += m[o.needs + node * o.counters + counter]
        before = node
    home, closes = m[o.travel + before * o.nodes], m[o.closes + slot]
    m[o.busy + slot] = busy + home
    m[latest + size + 1] = closes
    after = 0
    for at in range(size, 0, -1):
        node = m[route + at]
        by = m[latest + at + 1] - m[o.travel + node * o.nodes + after] - m[o.service + node]
        first, window = o.windows + (node * o.days + day) * o.openings, o.windows + (node * o.days + day + 1) * o.openings - 2
        while window >= first and (by < m[window] or m[window + 1] < m[window]):
            window -= 2
        if window >= first:
            m[latest + at] = min(by, m[window + 1])
        else:
            m[latest + at] = NONE
            feasible = False
        after = node
    return feasible and m[leaves + size] + home <= closes


def carries(m: Row, o: Layout, node: int, slot: int) -> bool:
    """Whether a slot may serve a request, has the minutes at all, and has of every counter what it needs."""
    if m[o.allowed + node * o.slots + slot] == 0:
        return False
    if m[o.busy + slot] + m[o.service + node] > m[o.closes + slot] - m[o.opens + slot]:
        return False
    for counter in range(o.counters):
        at = slot * o.counters + counter
        if m[o.used + at] + m[o.needs + node * o.counters + counter] > m[o.stock + at]:
            return False
    return True


def cheapest(  # noqa: PLR0917 - numba takes arguments by position
    m: Row, o: Layout, node: int, slot: int, below: int, blinks: int
) -> tuple[int, int]:
    """The position in a slot's route where a request costs least, and the cost; (0, below) where none costs less or none fits.

    One position of so many `blinks` is overlooked; none where it is 0.
    """
    size, row, first = m[o.size + slot], slot * o.width, o.windows + (node * o.days + m[o.day + slot]) * o.openings
    route, leaves, latest, nodes = o.route + row, o.leaves + row, o.latest + row, o.nodes
    closing, service, extra = m[first + o.openings - 1], m[o.service + node], m[o.cost + node * o.slots + slot]
    best_at, best, before = 0, below, 0
    for at in range(1, size + 2):
        leaving = m[leaves + at - 1]
        if leaving > closing:
            break
        after = m[route + at] if at <= size else 0
        there = m[o.travel + before * nodes + node]
        onward = m[o.travel + node * nodes + after]
        price = there + onward - m[o.travel + before * nodes + after] + extra
        before = after
        if price >= best:
            continue
        arrives = leaving + there
        if arrives > closing:
            continue
        window = first
        while arrives > m[window + 1]:
            window += 2
        if max(arrives, m[window]) + service + onward > m[latest + at]:
            continue
        if blinks > 0 and draw(m, o, blinks) == 0:
            continue
        best_at, best = at, price
    return best_at, best


def insert(m: Row, o: Layout, node: int, slot: int, at: int) -> None:
    """Put a request at a position of a slot's route."""
    route, size = o.route + slot * o.width, m[o.size + slot]
    for place in range(size + 1, at, -1):
        m[route + place] = m[route + place - 1]
    m[route + at] = node
    m[o.size + slot] = size + 1
    m[o.where + node] = slot
    refresh(m, o, slot)


def remove(m: Row, o: Layout, slot: int, at: int) -> int:
    """Take the request at a position out of a slot's route; what the plan's cost loses by that, its penalty included."""
    route, size, travel = o.route + slot * o.width, m[o.size + slot], o.travel
    node = m[route + at]
    before = m[route + at - 1] if at > 1 else 0
    after = m[route + at + 1] if at < size else 0
    saved = m[travel + before * o.nodes + node] + m[travel + node * o.nodes + after] - m[travel + before * o.nodes + after]
    for place in range(at, size):
        m[route + place] = m[route + place + 1]
    m[o.size + slot] = size - 1
    m[o.where + node] = NONE
    return saved + m[o.cost + node * o.slots + slot] - m[o.penalty + node]


def touch(m: Row, o: Layout, slot: int, count: int) -> int:
    """Remember how a slot was before this iteration, once; how many are remembered now."""
    if m[o.slot_mark + slot] != 0:
        return count
    m[o.slot_mark + slot] = 1
    m[o.touched + count] = slot
    size, row = m[o.size + slot], slot * o.width
    m[o.old_size + slot] = size
    for at in range(row + 1, row + size + 1):
        m[o.old_route + at] = m[o.route + at]
    return count + 1


def ruin(m: Row, o: Layout) -> int:
    """Remove strings of neighbours from slots near a request drawn at random; how many slots were touched."""
    used, served = 0, 0
    for slot in range(o.slots):
        used += 1 if m[o.size + slot] > 0 else 0
        served += m[o.size + slot]
    if used == 0:
        return 0
    longest = max(1, min(LONGEST, served // used))
    strings = 1 + draw(m, o, max(1, 4 * REMOVED // (1 + longest) - 1))
    seed = 1 + draw(m, o, o.nodes - 1)
    count = 0
    for rank in range(-1, o.nearest):
        if count >= strings:
            break
        node = seed if rank < 0 else m[o.near + seed * o.nearest + rank]
        slot = m[o.where + node]
        if slot == NONE or m[o.slot_mark + slot] != 0:
            continue
        count = touch(m, o, slot, count)
        route, size, at = o.route + slot * o.width, m[o.size + slot], 1
        while m[route + at] != node:
            at += 1
        length = 1 + draw(m, o, min(size, longest))
        kept = 0
        if 1 < length < size and draw(m, o, 2) == 0:  # a split string: some in its middle stay
            kept = 1
            while length + kept < size and draw(m, o, 2) == 0:
                kept += 1
        span = length + kept
        lowest = max(1, at - span + 1)
        first = lowest + draw(m, o, min(at, size - span + 1) - lowest + 1)
        skip = first + 1 + draw(m, o, length - 1) if kept > 0 else first + span
        for place in range(first + span - 1, first - 1, -1):
            if skip <= place < skip + kept:
                continue
            m[o.node_mark + m[route + place]] = 1
            m[o.total] -= remove(m, o, slot, place)
        # measured on the roads, the way straight on may be longer than by those who are out now
        while not refresh(m, o, slot) and m[o.size + slot] > 0:
            m[o.node_mark + m[route + m[o.size + slot]]] = 1
            m[o.total] -= remove(m, o, slot, m[o.size + slot])
    return count


def sort(m: Row, o: Layout, count: int) -> None:
    """The items in the order of their keys, the lowest first; Shell's sort."""
    gap = count // 2
    while gap > 0:
        for at in range(gap, count):
            key, item, place = m[o.keys + at], m[o.items + at], at
            while place >= gap and m[o.keys + place - gap] > key:
                m[o.keys + place] = m[o.keys + place - gap]
                m[o.items + place] = m[o.items + place - gap]
                place -= gap
            m[o.keys + place] = key
            m[o.items + place] = item
        gap //= 2


def hours(m: Row, o: Layout, node: int, order: int) -> int:
    """How few hours a request has in all, how early they begin, or how late they end: as a key, by the order."""
    width, first, last = 0, MODULUS, 0
    for window in range(o.windows + node * o.days * o.openings, o.windows + (node + 1) * o.days * o.openings, 2):
        if m[window + 1] >= m[window]:
            width += m[window + 1] - m[window]
            first = min(first, m[window])
            last = max(last, m[window + 1])
    if order == 13:
        return width
    return first if order == 14 else -last


def line_up(m: Row, o: Layout, order: int) -> int:
    """All who are not served, in one of the orders; how many they are."""
    count = 0
    for node in range(1, o.nodes):
        if m[o.where + node] != NONE:
            continue
        if order < 3:
            key = draw(m, o, MODULUS)
        elif order < 6:
            key = -m[o.penalty + node]
        elif order < 11:
            key = -m[o.penalty + node] * 16 // max(m[o.service + node], 1)
        elif order == 11:
            key = -m[o.travel + node]
        elif order == 12:
            key = m[o.travel + node]
        else:
            key = hours(m, o, node, order)
        m[o.keys + count] = key * TIES + draw(m, o, TIES)
        m[o.items + count] = node
        count += 1
    sort(m, o, count)
    return count


def look_around(m: Row, o: Layout, node: int, count: int) -> int:
    """The slots beside the touched ones that a request may go to; how many slots those are together.

    Who was left out before this iteration fits nowhere but into slots that were touched.
    """
    if m[o.node_mark + node] == 0:
        return count
    m[o.stamp] += 1
    stamp, found = m[o.stamp], count
    for turn in range(count):
        m[o.seen + m[o.touched + turn]] = stamp
    for slot in range(o.slots):
        if m[o.size + slot] == 0 and m[o.seen + slot] != stamp:
            m[o.seen + slot] = stamp
            m[o.touched + found] = slot
            found += 1
    for rank in range(min(CLOSE, o.nearest)):
        slot = m[o.where + m[o.near + node * o.nearest + rank]]
        if slot != NONE and m[o.seen + slot] != stamp:
            m[o.seen + slot] = stamp
            m[o.touched + found] = slot
            found += 1
    return found


def recreate(m: Row, o: Layout, count: int) -> int:
    """Put back whoever fits, each where it costs least; how many slots are touched after that."""
    waiting = line_up(m, o, draw(m, o, ORDERS))
    for place in range(waiting):
        node = m[o.items + place]
        penalty = m[o.penalty + node]
        best_slot, best_at, best = NONE, 0, penalty
        candidates = look_around(m, o, node, count)
        for turn in range(candidates):
            slot = m[o.touched + turn]
            if carries(m, o, node, slot):
                at, price = cheapest(m, o, node, slot, best, BLINKS)
                if at > 0:
                    best_slot, best_at, best = slot, at, price
        if best_slot != NONE:
            count = touch(m, o, best_slot, count)
            insert(m, o, node, best_slot, best_at)
            m[o.total] += best - penalty
    return count


def restore(m: Row, o: Layout, count: int) -> None:
    """The touched slots as they were before this iteration."""
    for turn in range(count):
        slot = m[o.touched + turn]
        row = slot * o.width
        for at in range(row + 1, row + m[o.size + slot] + 1):
            m[o.where + m[o.route + at]] = NONE
    for turn in range(count):
        slot = m[o.touched + turn]
        row, size = slot * o.width, m[o.old_size + slot]
        m[o.size + slot] = size
        for at in range(row + 1, row + size + 1):
            m[o.route + at] = m[o.old_route + at]
            m[o.where + m[o.route + at]] = slot
        refresh(m, o, slot)


def keep_best(m: Row, o: Layout) -> None:
    """The plan as it is now is the best so far."""
    m[o.best_total] = m[o.total]
    for slot in range(o.slots):
        row, size = slot * o.width, m[o.size + slot]
        m[o.best_size + slot] = size
        for at in range(row + 1, row + size + 1):
            m[o.best_route + at] = m[o.route + at]


def fill(m: Row, o: Layout) -> None:
    """Insertion alone, those with the highest penalty first: the plan to start from."""
    for place in range(line_up(m, o, 3)):
        node = m[o.items + place]
        penalty = m[o.penalty + node]
        best_slot, best_at, best = NONE, 0, penalty
        for slot in range(o.slots):
            if carries(m, o, node, slot):
                at, price = cheapest(m, o, node, slot, best, 0)
                if at > 0:
                    best_slot, best_at, best = slot, at, price
        if best_slot != NONE:
            insert(m, o, node, best_slot, best_at)
            m[o.total] += best - penalty


def anneal(m: Row, o: Layout, iterations: int, hot: float, cold: float) -> None:
    """So many iterations from a temperature to another, both in minutes of travel; the best plan is kept."""
    heat, cooling = hot, math.pow(cold / hot, 1.0 / max(iterations, 1))
    for _ in range(iterations):
        before = m[o.total]
        count = recreate(m, o, ruin(m, o))
        lucky = (1 + draw(m, o, MODULUS - 1)) / MODULUS
        if m[o.total] < before - heat * math.log(lucky):
            if m[o.total] < m[o.best_total]:
                keep_best(m, o)
        else:
            restore(m, o, count)
            m[o.total] = before
        for turn in range(count):
            m[o.slot_mark + m[o.touched + turn]] = 0
        for node in range(1, o.nodes):
            m[o.node_mark + node] = 0
        heat *= cooling

"""Orders of operations as a graph: real time as edges, and a cycle as the proof that no order is possible.

A node is a number. Nodes 0 to n - 1 are operations; those behind them are points of time, which keep real time linear in
size: whatever was answered comes before a point, and that before whatever was sent later.
"""
import collections

CYCLES_TRIED = 200


def add_real_time(after, times):
    """Adds to `after` (adjacency lists) that what was answered comes before what was sent later.

    `times` has (sent, answered) for each of the first nodes; answered is None where no answer came."""
    moments = [(sent, 0, node) for node, (sent, _) in enumerate(times)]
    moments += [(answered, 1, node) for node, (_, answered) in enumerate(times) if answered is not None]
    point = None
    for _, is_answer, node in sorted(moments):
        if is_answer:
            after.append([])
            new = len(after) - 1
            after[node].append(new)
            if point is not None:
                after[point].append(new)
            point = new
        elif point is not None:
            after[point].append(node)


def find_cycle(after):
    """A cycle as a list of nodes, or None: a short one, if there are many.

    Removes what has no predecessor, again and again; what remains holds a cycle."""
    incoming = [0] * len(after)
    for targets in after:
        for target in targets:
            incoming[target] += 1
    free = [node for node, number in enumerate(incoming) if number == 0]
    removed = 0
    while free:
        node = free.pop()
        removed += 1
        for target in after[node]:
            incoming[target] -= 1
            if incoming[target] == 0:
                free.append(target)
    if removed == len(after):
        return None
    remaining = {node for node, number in enumerate(incoming) if number > 0}
    best = any_cycle(after, remaining)
    for node in best[:CYCLES_TRIED]:
        other = cycle_through(after, remaining, node)
        if len(other) < len(best):
            best = other
    return best


def any_cycle(after, remaining):
    """Every node that remains has a predecessor that remains: walking back must come around."""
    before = {}
    for node in remaining:
        for target in after[node]:
            before.setdefault(target, node)
    node = next(iter(remaining))
    path, seen = [], {}
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = before[node]
    return path[seen[node]:][::-1]


def cycle_through(after, remaining, start):
    """The shortest cycle through `start`, which is on one."""
    came_from, pending = {}, collections.deque([start])
    while pending:
        node = pending.popleft()
        for target in after[node]:
            if target == start:
                path = [node]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if target in remaining and target not in came_from:
                came_from[target] = node
                pending.append(target)
    raise AssertionError("no cycle through node %d" % start)

"""Whole databases at once: SWAPDB, FLUSHDB and MOVE between two databases, among plain writes, in pipelines.

Each connection has two databases of its own and the same few keys in both, on all shards. As it is alone there, it knows
the state after each of its operations: what it reads between them must be just that. After the crash each key must be in a
state from what was acknowledged to what was sent, and an operation of several keys (a sweep is one of all) must
have been done to all of them or to none.
"""
from .load import Connection, Workload

FIRST_DATABASE = 2
CONNECTIONS = 4
KEYS_EACH = 8
DEPTHS = (1, 2, 5, 15, 40)


class Pair:
    """Two databases: what each key has in both, after each operation since the base."""

    def __init__(self, number):
        self.databases = (FIRST_DATABASE + 2 * number, FIRST_DATABASE + 2 * number + 1)
        self.keys = ["sweep:%d:%d" % (number, key) for key in range(KEYS_EACH)]
        self.made = 0
        self.rebase({key: (None, None) for key in self.keys})

    def rebase(self, states):
        # per key: (operation, (left, right)), from that operation on
        self.states = {key: [(0, state)] for key, state in states.items()}
        self.sent, self.acked = 0, 0
        # (operation, keys) of those that concern several keys
        self.joint = []

    def now(self, key):
        return self.states[key][-1][1]

    def side(self, side):
        """What one database has, as MGET of all keys answers."""
        return [self.now(key)[side] for key in self.keys]

    def value(self):
        self.made += 1
        return b"%d:%d" % (self.databases[0], self.made)

    def does(self, changes):
        """One operation, as sent: keys and what they have in both databases then."""
        self.sent += 1
        for key, state in changes.items():
            self.states[key].append((self.sent, state))
        if len(changes) > 1:
            self.joint.append((self.sent, list(changes)))
        return self.sent

    def judge(self, found):
        """Compares with what each key has in both databases; sentences about what is wrong."""
        spans = {key: self.fitting(key, found[key]) for key in self.keys}
        changed = True
        while changed and all(spans.values()):
            changed = any([settle(spans, operation, keys) for operation, keys in self.joint if operation > self.acked])
        return ["%s is %s in databases %s: acknowledged, and later: %s%s" % (
            key, found[key], self.databases, self.later(key),
            "" if self.fitting(key, found[key]) else "; which was never so, or is older")
            for key in self.keys if not spans[key]]

    def fitting(self, key, state):
        """Spans of operations (first, last) after which the key was in this state, none before what is acknowledged."""
        states = self.states[key]
        ends = [operation - 1 for operation, _ in states[1:]] + [self.sent]
        return [(max(first, self.acked), last) for (first, known), last in zip(states, ends)
                if known == state and last >= self.acked]

    def later(self, key):
        states = self.states[key]
        begin = max(at for at, (operation, _) in enumerate(states) if operation <= self.acked)
        return states[begin:begin + 8]


def settle(spans, operation, keys):
    """An operation of several keys: where one key shows that it was done, or not, it was so for all. Whether that said
    anything new."""
    if any(all(first >= operation for first, _ in spans[key]) for key in keys):
        def kept(span):
            return [(max(span[0], operation), span[1])] if span[1] >= operation else []
    elif any(all(last < operation for _, last in spans[key]) for key in keys):
        def kept(span):
            return [(span[0], min(span[1], operation - 1))] if span[0] < operation else []
    else:
        return False
    changed = False
    for key in keys:
        new = [one for span in spans[key] for one in kept(span)]
        changed |= new != spans[key]
        spans[key] = new
    return changed


class Sweeper(Connection):
    """Operations on its two databases, in pipelines."""

    def __init__(self, seed, pair):
        super().__init__(seed)
        self.pair = pair

    def step(self):
        words, expected = [], []
        for _ in range(self.source.choice(DEPTHS)):
            commands, replies = self.draw()
            words += commands
            expected += replies
            expected[-1] = (expected[-1][0], self.pair.sent)
        self.send(words)
        for due, operation in expected:
            reply = self.replies(1)[0]
            if self.problem is None and reply != due:
                self.problem = "an unexpected reply: %r, not %r" % (reply, due)
            if self.problem:
                return
            if operation is not None:
                self.pair.acked = operation
                self.acknowledged += 1

    def draw(self):
        """Commands, and the reply that each must have, with None."""
        side = self.source.randrange(2)
        choice = self.source.random()
        if choice < 0.06:
            commands, replies = self.sweep(side)
        elif choice < 0.2:
            return self.look()
        elif choice < 0.35:
            return self.in_exec(side)
        else:
            commands, replies = self.write(side)
        return [["SELECT", self.pair.databases[side]]] + commands, [(due, None) for due in [b"OK"] + replies]

    def sweep(self, side):
        pair = self.pair
        if self.source.random() < 0.6:
            pair.does({key: pair.now(key)[::-1] for key in pair.keys})
            return [["SWAPDB", *pair.databases]], [b"OK"]
        pair.does({key: self.with_side(key, side, None) for key in pair.keys})
        return [["FLUSHDB", self.source.choice(("ASYNC", "SYNC"))]], [b"OK"]

    def with_side(self, key, side, value):
        state = list(self.pair.now(key))
        state[side] = value
        return tuple(state)

    def write(self, side):
        pair, key = self.pair, self.source.choice(self.pair.keys)
        kind = self.source.choice(("SET", "SET", "MSET", "MSET", "DEL", "MOVE", "MOVE"))
        if kind == "SET":
            value = pair.value()
            pair.does({key: self.with_side(key, side, value)})
            return [["SET", key, value]], [b"OK"]
        if kind == "MSET":
            keys = self.source.sample(pair.keys, 4)
            values = [pair.value() for _ in keys]
            pair.does({key: self.with_side(key, side, value) for key, value in zip(keys, values)})
            return [["MSET", *[word for both in zip(keys, values) for word in both]]], [b"OK"]
        if kind == "DEL":
            keys = self.source.sample(pair.keys, 2)
            due = sum(pair.now(key)[side] is not None for key in keys)
            pair.does({key: self.with_side(key, side, None) for key in keys})
            return [["DEL", *keys]], [due]
        state = pair.now(key)
        moves = state[side] is not None and state[1 - side] is None
        pair.does({key: state[::-1] if moves else state})
        return [["MOVE", key, pair.databases[1 - side]]], [int(moves)]

    def look(self):
        """Both databases in one step; each must be what this connection made of it."""
        commands, due = self.chosen_both(["MGET", *self.pair.keys])
        due[1], due[3] = self.pair.side(0), self.pair.side(1)
        return self.as_exec(commands, due)

    def in_exec(self, side):
        """One value to each of two keys, in both databases; or that, and the databases swapped."""
        pair = self.pair
        one, two = self.source.sample(pair.keys, 2)
        value = pair.value()
        commands, due = self.chosen_both(["MSET", one, value, two, value])
        due[1] = due[3] = b"OK"
        changes = {key: pair.now(key)[::-1] for key in pair.keys} if side else {}
        changes.update({one: (value, value), two: (value, value)})
        if side:
            commands.insert(self.source.choice((0, len(commands))), ["SWAPDB", *pair.databases])
            due.append(b"OK")
        pair.does(changes)
        return self.as_exec(commands, due)

    def chosen_both(self, command):
        left, right = self.pair.databases
        return [["SELECT", left], command, ["SELECT", right], command], [b"OK"] * 4

    def as_exec(self, commands, due):
        replies = [b"OK"] + [b"QUEUED"] * len(commands) + [due]
        return [["MULTI"], *commands, ["EXEC"]], [(reply, None) for reply in replies]


class Sweeps(Workload):
    """See the module's text."""

    name = "sweeps"
    unit = "operations"

    def __init__(self):
        self.pairs = [Pair(number) for number in range(CONNECTIONS)]

    def connections(self, run, seed):
        return [Sweeper("%s/%d" % (seed, index), pair) for index, pair in enumerate(self.pairs)]

    def knowledge(self):
        return self.pairs

    def judge(self, wire):
        problems = []
        for pair in self.pairs:
            sides = []
            for database in pair.databases:
                wire("SELECT", database)
                sides.append(wire("MGET", *pair.keys))
            found = {key: (left, right) for key, left, right in zip(pair.keys, *sides)}
            wrong = pair.judge(found)
            problems += wrong
            if not wrong:
                pair.rebase(found)
        return problems

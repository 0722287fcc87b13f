"""Plain writes and one-hop transactions: SET, INCR, expiries, MSET and DEL of groups over shards, in pipelines.

  - every connection is the only writer of its keys and numbers its writes; `acked` is the last number that was answered,
    `sent` the last that was sent. After the restart a key must hold a number from acked to sent;
  - a counter (INCR) must have a value from acked to sent: more would mean that the log was played twice;
  - a group is four keys on any shards, written by MSET with one number or removed by DEL: after the restart all four
    hold the same number or none is there, and that state is one from acked to sent: never half a transaction;
  - a key with an expiry still has it;
  - a counter that expired and was counted anew holds the new count: an expiry that was not logged would make the log count
    on from the old one, which then is past its moment.
"""
import time

from ..wire import ReplyError
from .load import Connection, Workload

CONNECTIONS = 12
KEYS_EACH = 20
GROUPS_EACH = 4
GROUP_KEYS = 4
EXPIRY_MS = 10 ** 10
RENEWERS, RENEWED_EACH = 3, 6
RENEWED_MS, OLD_COUNT = 5, b"7"
# shorter and longer than the tenth of a second after which keys expire though nobody asks for them
RENEWED_SECONDS = (0.03, 0.03, 0.15)


class Item:
    """Something one connection writes: a key, a counter or a group, as the list of states it went through.

    State number 0 is the one that the last verification found; `acked` and `sent` count from there."""

    def __init__(self, kind, keys):
        self.kind, self.keys = kind, keys
        self.states, self.acked = [0 if kind == "counter" else None], 0

    @property
    def sent(self):
        return len(self.states) - 1

    def next_write(self, source, label):
        """The command of one more write; its state is noted as sent."""
        if self.kind == "counter":
            self.states.append(self.states[-1] + 1)
            return [b"INCR", self.keys[0]]
        value = b"%s:%d:%s" % (label, self.sent + 1, b"x" * source.choice((0, 10, 40, 300, 5000)))
        if self.kind == "group":
            if source.random() < 0.2:
                self.states.append(None)
                return [b"DEL", *self.keys]
            self.states.append(value)
            return [b"MSET", *[word for key in self.keys for word in (key, value)]]
        self.states.append(value)
        if self.kind == "expiring":
            return [b"SET", self.keys[0], value, b"PX", str(EXPIRY_MS).encode()]
        return [b"SET", self.keys[0], value]

    def judge(self, wire):
        """Compares with the server; a sentence when something is wrong, and what was found becomes the base."""
        found = wire("MGET", *self.keys)
        if not isinstance(found, list):
            return "MGET answers %s" % found
        name = self.keys[0].decode()
        if any(value != found[0] for value in found):
            return "group %s is half there: %s" % (name, [value and value[:20] for value in found])
        state = found[0]
        if self.kind == "counter":
            state = int(state or 0)
        if state not in self.states[self.acked:]:
            older = state in self.states[:self.acked]
            return "%s %s: %r is there, %s; acknowledged was %r (number %d), sent up to number %d" % (
                self.kind, name, state if self.kind == "counter" else state and state[:24],
                "an older state" if older else "which was never written",
                str(self.states[self.acked])[:24], self.acked, self.sent)
        if self.kind == "expiring" and state is not None and not 0 < wire("PTTL", self.keys[0]) <= EXPIRY_MS:
            return "%s lost its expiry" % name
        self.states, self.acked = [state], 0
        return None


class Renewed:
    """A counter that expires and begins anew, again and again: what it may hold now."""

    def __init__(self, key):
        self.key, self.may_be = key, {None}

    def judge(self, wire):
        """As `Item.judge`."""
        found = wire("GET", self.key)
        if found not in self.may_be:
            return "counter %s, which had expired before: %r is there, not one of %r" % (
                self.key.decode(), found, sorted(self.may_be, key=str))
        self.may_be = {found, None} if found == OLD_COUNT else {found}
        return None


def items_of(index):
    """What the connection of this number writes."""
    name = b"%d:" % index
    items = [Item("key", [b"key:" + name + b"%d" % number]) for number in range(KEYS_EACH)]
    items += [Item("counter", [b"counter:" + name + b"%d" % number]) for number in range(3)]
    items += [Item("expiring", [b"expiring:" + name + b"%d" % number]) for number in range(3)]
    items += [Item("group", [b"group:" + name + b"%d:%d" % (number, key) for key in range(GROUP_KEYS)])
              for number in range(GROUPS_EACH)]
    return items


class Writer(Connection):
    """Pipelines of writes to its own items."""

    def __init__(self, seed, label, items):
        super().__init__(seed)
        self.label, self.items = label, items

    def step(self):
        pipeline = [self.source.choice(self.items) for _ in range(self.source.choice((1, 1, 5, 20, 60)))]
        self.send([item.next_write(self.source, self.label) for item in pipeline])
        counts = {}
        for item in pipeline:
            counts[item] = counts.get(item, 0) + 1
        base = {item: item.sent - count for item, count in counts.items()}
        for item in pipeline:
            reply = self.wire.reply()
            if isinstance(reply, ReplyError):
                self.problem = "a write was refused: %s" % reply
                return
            base[item] += 1
            item.acked = base[item]
            self.acknowledged += 1


class Renewer(Connection):
    """Lets its counters expire, and counts anew."""

    def __init__(self, seed, renewed):
        super().__init__(seed)
        self.renewed = renewed

    def all_of(self, words, reply, found):
        """Sends a command about each counter, which is replied `reply` and leaves one of `found`."""
        for one in self.renewed:
            one.may_be |= found
        self.send([[words[0], one.key, *words[1:]] for one in self.renewed])
        for one, answer in zip(self.renewed, self.replies(len(self.renewed))):
            if answer != reply:
                self.problem = self.problem or "%s %s is answered %r, not %r" % (
                    words[0].decode(), one.key.decode(), answer, reply)
            one.may_be = set(found)
            self.acknowledged += 1

    def step(self):
        self.all_of([b"SET", OLD_COUNT, b"PX", b"%d" % RENEWED_MS], b"OK", {OLD_COUNT, None})
        time.sleep(self.source.choice(RENEWED_SECONDS))
        self.all_of([b"INCR"], 1, {b"1"})
        self.all_of([b"INCR"], 2, {b"2"})


class Writes(Workload):
    """See the module's text."""

    name = "writes"

    def __init__(self):
        self.items = [items_of(index) for index in range(CONNECTIONS)]
        self.renewed = [[Renewed(b"renewed:%d:%d" % (index, number)) for number in range(RENEWED_EACH)]
                        for index in range(RENEWERS)]

    def connections(self, run, seed):
        writers = [Writer("%s/%d" % (seed, index), b"w%d.%d" % (index, run), items)
                   for index, items in enumerate(self.items)]
        return writers + [Renewer("%s/renewer/%d" % (seed, index), renewed)
                          for index, renewed in enumerate(self.renewed)]

    def knowledge(self):
        return self.items, self.renewed

    def judge(self, wire):
        judged = [item.judge(wire) for items in self.items + self.renewed for item in items]
        return [problem for problem in judged if problem]

"""List-append (Elle's workload) on strings: transactions append unique tokens to keys on all shards, and read them.

Plain APPEND and GET, MGET, MULTI of APPEND and GET, and WATCH, GET, MULTI, APPEND, EXEC, in pipelines of several
transactions. What all connections saw before the kill, and what is there after it, must be strictly serializable
(../serial.py): nothing acknowledged or seen is lost, nothing half, no two readers that disagree.

A key that has grown long gives way to a fresh one. It is judged until then; then it is removed, and must stay away.
"""
import time

from ..serial import ABORTED, DONE, UNKNOWN, Transaction, judge
from ..wire import ReplyError
from .load import Connection, Workload

CONNECTIONS = 12
KEYS = 12
BYTES_MAX = 3000
GONE_WATCHED = 100
DEPTHS = (1, 1, 2, 5, 12, 40)


class Appender(Connection):
    """Transactions, noted with what was sent and what was seen."""

    def __init__(self, seed, index, run, keys):
        super().__init__(seed)
        self.index, self.run_number, self.keys = index, run, keys
        self.tokens, self.number, self.history = 0, 0, []

    def token(self):
        self.tokens += 1
        return b"%d.%d.%d " % (self.run_number, self.index, self.tokens)

    def note(self, sent, operations, outcome=UNKNOWN):
        """Notes a transaction as sent; `operations` are lists, filled by what is answered."""
        one = Transaction(self.index, self.number, sent, None, outcome, operations)
        self.number += 1
        self.history.append(one)
        return one

    def answered(self, one, outcome=DONE):
        one.answered, one.outcome = time.monotonic_ns(), outcome
        self.acknowledged += 1

    def step(self):
        if self.source.random() < 0.2:
            self.optimistic()
        else:
            self.pipeline([self.draw() for _ in range(self.source.choice(DEPTHS))])

    def draw(self):
        """One transaction: whether it is a MULTI, and its operations."""
        choice = self.source.random()
        if choice < 0.4:
            return "bare", self.drawn(1)
        if choice < 0.55:
            return "mget", [["read", key, None] for key in self.source.sample(self.keys, self.source.choice((2, 4, KEYS)))]
        return "multi", self.drawn(self.source.choice((1, 2, 3, 4, 6)))

    def drawn(self, count):
        operations = []
        for _ in range(count):
            key = self.source.choice(self.keys)
            if self.source.random() < 0.5:
                operations.append(["append", key, self.token(), None])
            else:
                operations.append(["read", key, None])
        return operations

    def pipeline(self, drawn):
        """Sends all, then reads all: a bare command, an MGET, or MULTI, commands, EXEC."""
        words = []
        for kind, operations in drawn:
            if kind == "mget":
                words.append(["MGET"] + [key for _, key, _ in operations])
            elif kind == "bare":
                words += commands(operations)
            else:
                words += [["MULTI"], *commands(operations), ["EXEC"]]
        sent = time.monotonic_ns()
        pending = [(kind, self.note(sent, operations)) for kind, operations in drawn]
        self.send(words)
        for kind, one in pending:
            if kind == "multi":
                self.replies(1 + len(one.operations))
            reply = self.replies(1)[0]
            if self.problem:
                return
            self.fill(one, reply if kind != "bare" else [reply])

    def fill(self, one, replies):
        """What was answered goes into the operations."""
        if not isinstance(replies, list) or len(replies) != len(one.operations):
            self.problem = "%s was answered %r" % (one, replies)
            return
        for operation, reply in zip(one.operations, replies):
            if isinstance(reply, ReplyError):
                self.problem = "refused: %s" % reply
                return
            operation[-1] = (reply or b"") if operation[0] == "read" else reply
        self.answered(one)

    def optimistic(self):
        """WATCH and GET some keys; then append to some, read some more. When that is aborted, the GETs stand alone."""
        watched = self.source.sample(self.keys, self.source.choice((1, 1, 2, 3)))
        reads = [["read", key, None] for key in watched]
        begin = time.monotonic_ns()
        alone = [self.note(begin, [read]) for read in reads]
        self.send([["WATCH", *watched], *commands(reads)])
        self.replies(1)
        for one in alone:
            self.fill(one, self.replies(1))
        if self.problem:
            return
        rest = self.drawn(self.source.choice((1, 2, 3)))
        rest.append(["append", self.source.choice(watched), self.token(), None])
        one = self.note(begin, rest)
        self.send([["MULTI"], *commands(rest), ["EXEC"]])
        self.replies(1 + len(rest))
        reply = self.replies(1)[0]
        if self.problem:
            return
        if reply is None:
            self.answered(one, ABORTED)
            return
        self.fill(one, reply)
        # watched until EXEC, so they are as if read there: one transaction
        one.operations = reads + rest
        self.history[-1 - len(alone):] = [one]


def commands(operations):
    """The commands of operations that are not yet answered."""
    return [["APPEND", key, rest[0]] if kind == "append" else ["GET", key] for kind, key, *rest in operations]


class Lists(Workload):
    """See the module's text."""

    name = "lists"
    unit = "transactions"

    def __init__(self):
        self.made = 0
        self.keys = [self.fresh() for _ in range(KEYS)]
        self.opening = {key: b"" for key in self.keys}
        self.gone, self.playing = [], []

    def fresh(self):
        self.made += 1
        return "list:%d" % self.made

    def connections(self, run, seed):
        self.playing = [Appender("%s/%d" % (seed, index), index, run, self.keys) for index in range(CONNECTIONS)]
        return self.playing

    def history(self):
        return [one for connection in self.playing for one in connection.history]

    def knowledge(self):
        return self.opening, self.history()

    def judge(self, wire):
        found = wire("MGET", *self.keys)
        final = {key: value or b"" for key, value in zip(self.keys, found)}
        problems = judge(self.history(), self.opening, final)
        if self.gone and wire("EXISTS", *self.gone) != 0:
            problems.append("keys that were removed are there again, of: %s" % self.gone)
        self.playing, self.opening = [], final
        self.renew(wire)
        return problems

    def renew(self, wire):
        """Fresh keys for those that are long."""
        long = [key for key in self.keys if len(self.opening[key]) > BYTES_MAX]
        if not long:
            return
        wire("DEL", *long)
        self.gone = (self.gone + long)[-GONE_WATCHED:]
        self.keys = [self.fresh() if key in long else key for key in self.keys]
        self.opening = {key: self.opening.get(key, b"") for key in self.keys}

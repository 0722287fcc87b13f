"""Bank transfers over all shards, by every means there is; not a coin may be made or lost, and no transfer half done.

A client moves money between accounts that all clients share:

    directly      MULTI, DECRBY and INCRBY of two or more accounts, EXEC; also of accounts with one hash tag
    optimistic    WATCH and GET two accounts; MULTI, SET both, EXEC: somebody else's change must abort it
    by receipt    an account pays into a receipt (in EXEC; two receipts at once by MSETNX), the receipt travels between
                  keys on other shards (RENAME, RENAMENX, alone and in EXEC; COPY and DEL in EXEC), and is paid out again
    not at all    MSETNX, RENAMENX and COPY that find their target there: nothing may change
    copies        COPY of a receipt to a key that is no money: it must not be there without what it was copied from

Each EXEC also numbers itself in its client's *book*, a key on yet another shard. Readers take snapshots of all keys in one
step (MGET, or an EXEC of GET and MGET). A snapshot's books say exactly which transfers it must hold (books.py), so
every balance is judged, not only the sum; and so is what is there after the crash, which must have everything that was
acknowledged, or seen in a snapshot.
"""
from .books import Books, Judge, Receipt, receipt_value
from .load import Connection, Workload

CLIENTS = 9
READERS = 3
ACCOUNTS = ["account:%d" % number for number in range(16)] + ["account:%d:{tag}" % number for number in range(4)]
OPENING = 1000
RECEIPTS_EACH = 3
PLACES = 4
DEPTHS = (1, 1, 3, 8, 20)


class Client(Connection):
    """Transfers, in pipelines; `books` remembers all of them."""

    def __init__(self, seed, books):
        super().__init__(seed)
        self.books = books

    def step(self):
        if self.source.random() < 0.25:
            self.optimistic()
            return
        words, expected = [], []
        for _ in range(self.source.choice(DEPTHS)):
            more, replies = self.draw()
            words += more
            expected += replies
        self.send(words)
        for check, answered in expected:
            reply = self.replies(1)[0]
            if self.problem is None and check is not None and not check(reply):
                self.problem = "an unexpected reply: %r" % (reply,)
            if self.problem:
                return
            if answered:
                answered()
                self.acknowledged += 1

    def draw(self):
        """Commands, and for each reply how to check it and what to call then."""
        receipt = self.source.choice(self.books.receipts)
        if self.source.random() < 0.3:
            return self.direct()
        if receipt.place is None:
            return self.issue(receipt)
        return self.source.choice((self.travel, self.travel, self.travel_in_exec, self.copy, self.refused, self.cash))(receipt)

    def exec(self, commands, changes, moves=(), more=()):
        """An attempt: `commands` in MULTI, with the number in the book somewhere among them.

        `moves` are (receipt, place, value); `more` checks the replies of EXEC."""
        number, answered = self.books.attempt(changes)
        steps = [answered] + [receipt.moves(place, value, number) for receipt, place, value in moves]
        commands = list(commands)
        at = self.source.randrange(len(commands) + 1)
        commands.insert(at, ["SET", self.books.book, number])

        def check(reply):
            if not isinstance(reply, list) or len(reply) != len(commands):
                return False
            rest = reply[:at] + reply[at + 1:]
            return reply[at] == b"OK" and all(rest[index] == due for index, due in more)

        def done():
            for step in steps:
                step()
        queued = [(None, None)] * (1 + len(commands))
        return [["MULTI"], *commands, ["EXEC"]], queued + [(check, done)]

    def direct(self):
        count = self.source.choice((2, 2, 3, 5))
        pool = ACCOUNTS[-4:] if count < 5 and self.source.random() < 0.2 else ACCOUNTS
        payer, *payees = self.source.sample(range(len(pool)), min(count, len(pool)))
        shift = len(ACCOUNTS) - len(pool)
        amounts = {payee + shift: self.source.randrange(1, 50) for payee in payees}
        commands = [["INCRBY", ACCOUNTS[payee], amount] for payee, amount in amounts.items()]
        commands.append(["DECRBY", ACCOUNTS[payer + shift], sum(amounts.values())])
        self.source.shuffle(commands)
        return self.exec(commands, {**amounts, payer + shift: -sum(amounts.values())})

    def issue(self, receipt):
        """An account pays into a receipt, or into two."""
        free = [other for other in self.books.receipts if other.place is None and other is not receipt]
        receipts = [receipt] + (free[:1] if self.source.random() < 0.5 else [])
        payer, number = self.source.randrange(len(ACCOUNTS)), self.books.last + 1
        amounts = [self.source.randrange(1, 50) for _ in receipts]
        moves = [(one, self.source.choice(one.places), receipt_value(amount, number, self.source.choice((0, 0, 0, 50, 1000))))
                 for one, amount in zip(receipts, amounts)]
        pairs = [word for _, place, value in moves for word in (place, value)]
        commands = [["DECRBY", ACCOUNTS[payer], sum(amounts)], ["MSETNX", *pairs]]
        if len(moves) == 1 and self.source.random() < 0.5:
            commands[1] = ["SET", *pairs, "NX"]
        due = 1 if commands[1][0] == "MSETNX" else b"OK"
        return self.exec(commands, {payer: -sum(amounts)}, moves, [(1, due)])

    def cash(self, receipt):
        payee, amount = self.source.randrange(len(ACCOUNTS)), int(receipt.value.split(b":")[0])
        commands = [["INCRBY", ACCOUNTS[payee], amount], [self.source.choice(("DEL", "UNLINK", "GETDEL")), receipt.place]]
        due = receipt.value if commands[1][0] == "GETDEL" else 1
        return self.exec(commands, {payee: amount}, [(receipt, None, None)], [(1, due)])

    def elsewhere(self, receipt):
        return self.source.choice([place for place in receipt.places if place != receipt.place])

    def travel(self, receipt):
        """RENAME alone: no attempt."""
        place = self.elsewhere(receipt)
        name, due = self.source.choice((("RENAME", b"OK"), ("RENAMENX", 1)))
        words = [name, receipt.place, place]
        answered = receipt.moves(place, receipt.value, None)
        return [words], [(lambda reply: reply == due, answered)]

    def travel_in_exec(self, receipt):
        """To another place, within a transfer between accounts."""
        place = self.elsewhere(receipt)
        one, two = self.source.sample(range(len(ACCOUNTS)), 2)
        commands = [["INCRBY", ACCOUNTS[one], 7]]
        if self.source.random() < 0.5:
            commands += [["COPY", receipt.place, place], ["DEL", receipt.place]]
        else:
            commands += [["RENAMENX", receipt.place, place]]
        commands.append(["DECRBY", ACCOUNTS[two], 7])
        return self.exec(commands, {one: 7, two: -7}, [(receipt, place, receipt.value)], [(1, 1)])

    def copy(self, receipt):
        words = ["COPY", receipt.place, receipt.copy, "REPLACE"]
        answered = receipt.is_copied()
        return [words], [(lambda reply: reply == 1, answered)]

    def refused(self, receipt):
        """What finds its target there must answer 0 and change nothing."""
        other = self.elsewhere(receipt)
        commands = [["MSETNX", other, b"0:0:", receipt.place, b"0:0:"]]
        if receipt.copies[-1] is not None:
            commands += [["COPY", receipt.place, receipt.copy], ["RENAMENX", receipt.place, receipt.copy]]
        return [self.source.choice(commands)], [(lambda reply: reply == 0, None)]

    def optimistic(self):
        """Balances are read, and written anew: right only if nobody comes between."""
        one, two = self.source.sample(range(len(ACCOUNTS)), 2)
        names, amount = [ACCOUNTS[one], ACCOUNTS[two]], self.source.randrange(1, 50)
        self.send([["WATCH", *names], *(["GET", name] for name in names)])
        _, *balances = self.replies(3)
        if self.problem:
            return
        words, _ = self.exec([["SET", names[0], int(balances[0]) - amount], ["SET", names[1], int(balances[1]) + amount]],
                             {one: -amount, two: amount})
        number = self.books.last
        self.send(words)
        reply = self.replies(len(words))[-1]
        if self.problem:
            return
        self.acknowledged += 1
        if reply is None:
            self.books.aborted(number)
        elif reply == [b"OK"] * 3:
            self.books.acked = number
        else:
            self.problem = "EXEC was answered %r" % (reply,)


class Reader(Connection):
    """Snapshots of all keys in one step."""

    def __init__(self, seed, keys):
        super().__init__(seed)
        self.keys, self.snapshots = keys, []

    def step(self):
        choice = self.source.random()
        if choice < 0.6:
            self.send([["MGET", *self.keys]])
            self.note(self.replies(1)[0])
        elif choice < 0.8:
            cut = self.source.randrange(1, len(self.keys))
            self.send([["MULTI"], ["MGET", *self.keys[:cut]], ["MGET", *self.keys[cut:]], ["EXEC"]])
            halves = self.replies(4)[-1]
            self.note(halves if self.problem else halves[0] + halves[1])
        else:
            self.send([["MULTI"], *(["GET", key] for key in self.keys), ["EXEC"]])
            self.note(self.replies(len(self.keys) + 2)[-1])

    def note(self, values):
        if self.problem is None:
            self.snapshots.append(dict(zip(self.keys, values)))
            self.acknowledged += 1


class Bank(Workload):
    """See the module's text."""

    name = "bank"
    unit = "transfers and snapshots"

    def __init__(self):
        self.books = []
        for client in range(CLIENTS):
            receipts = []
            for number in range(RECEIPTS_EACH):
                name = "%d:%d" % (client, number)
                places = ["receipt:%s:%d" % (name, place) for place in range(PLACES)]
                receipts.append(Receipt(places, "copy:%s" % name))
            self.books.append(Books("book:%d" % client, receipts))
        self.keys = ACCOUNTS + [key for one in self.books for key in one.keys()]
        self.opening, self.readers = None, []

    def prepare(self, wire):
        """Every account gets its money."""
        pairs = [word for account in ACCOUNTS for word in (account, OPENING)]
        if wire("MSET", *pairs) != b"OK":
            raise RuntimeError("the accounts could not be opened")
        self.opening = [OPENING] * len(ACCOUNTS)

    def connections(self, run, seed):
        clients = [Client("%s/%d" % (seed, index), one) for index, one in enumerate(self.books)]
        self.readers = [Reader("%s/reader/%d" % (seed, index), self.keys) for index in range(READERS)]
        return clients + self.readers

    def knowledge(self):
        return self.opening, self.books, [reader.snapshots for reader in self.readers]

    def judge(self, wire):
        if self.opening is None:
            return []
        judge = Judge(ACCOUNTS, self.opening, OPENING * len(ACCOUNTS), self.books)
        problems = []
        for reader in self.readers:
            found = (judge.judge(snapshot) for snapshot in reader.snapshots)
            problems += ["a snapshot before the crash: " + problem for problem in found if problem]
        found = dict(zip(self.keys, wire("MGET", *self.keys)))
        problem = judge.judge(found, last=True)
        if problem:
            problems.append("after the crash: " + problem)
        else:
            self.opening = [int(found[account]) for account in ACCOUNTS]
            for one in self.books:
                one.rebase(found)
        self.readers = []
        return problems

"""What the bank's clients know of what they did, and the judge of a snapshot: see bank.py.

A snapshot is the value of every key at one moment: accounts, and for each client its book, receipts and copies. A client's
*attempts* are transactions (EXEC) that also set its book to the attempt's number. So the books of a snapshot say
which attempts it must hold, all of each, and nothing of any other one: every balance follows from them.
"""


class Receipt:
    """Money on its way between accounts: a key that exists at one of several places, or not at all.

    `states` are (place or None, value or None, number of the attempt or None): a bare RENAME is no attempt, and may have
    taken effect or not as long as nobody answered. State 0 is the base."""

    def __init__(self, places, copy):
        self.places, self.copy = places, copy
        self.states, self.acked, self.seen = [(None, None, None)], 0, 0
        # what the key `copy` was: values; a value names the attempt that made it
        self.copies, self.copies_acked, self.copies_seen = [None], 0, 0
        # made by `prepare`: a state, or a copy, and where it is in the lists
        self.index, self.copies_index = {}, {}

    @property
    def place(self):
        return self.states[-1][0]

    @property
    def value(self):
        return self.states[-1][1]

    def moves(self, place, value, number):
        """A state more, as sent; returns what to call when it is answered."""
        self.states.append((place, value, number))
        index = len(self.states) - 1

        def answered():
            self.acked = index
        return answered

    def is_copied(self):
        self.copies.append(self.value)
        index = len(self.copies) - 1

        def answered():
            self.copies_acked = index
        return answered

    def keys(self):
        return [*self.places, self.copy]

    def prepare(self):
        """Once all is known: where each state stands, and between which numbers of the book (from its last attempt to
        its next one)."""
        low, lows, high, highs = 0, [], float("inf"), []
        for _, _, number in self.states:
            low = number or low
            lows.append(low)
        for _, _, number in reversed(self.states):
            highs.append(high)
            high = number or high
        self.index, self.copies_index = {}, {}
        for at, (state, low, high) in enumerate(zip(self.states, lows, reversed(highs))):
            self.index.setdefault(state[:2], []).append((at, low, high))
        for at, value in enumerate(self.copies):
            self.copies_index.setdefault(value, []).append(at)

    def judge(self, found, book, last):
        """Compares with a snapshot in which the client's book says `book`; `last`: nothing comes after it."""
        there = [(place, found[place]) for place in self.places if found[place] is not None]
        if len(there) > 1:
            return "a receipt exists %d times: %s" % (len(there), shown(there))
        state = there[0] if there else (None, None)
        floor = max(self.acked, self.seen) if last else 0
        fitting = [at for at, low, high in self.index.get(state, ()) if low <= book < high and at >= floor]
        if not fitting:
            known = self.states[max(0, self.acked - 1):]
            return "receipt %s is %s, but its book says %d: from one before what was acknowledged: %s; seen: %s" % (
                self.places[0], shown([state]), book, shown(known[:6]), shown([self.states[self.seen]]))
        self.seen = max(self.seen, fitting[0])
        return self.judge_copy(found[self.copy], book, last)

    def judge_copy(self, value, book, last):
        floor = max(self.copies_acked, self.copies_seen) if last else 0
        fitting = [at for at in self.copies_index.get(value, ()) if at >= floor]
        if not fitting:
            return "copy %s is %s, not one of %s" % (self.copy, shown([value]), shown(self.copies[floor:][:6]))
        if value is not None and number_in(value) > book:
            return "copy %s is of attempt %d, but its book says %d" % (self.copy, number_in(value), book)
        self.copies_seen = max(self.copies_seen, fitting[0])
        return None

    def rebase(self, found):
        state = next(((place, found[place], None) for place in self.places if found[place] is not None), (None, None, None))
        self.states, self.acked, self.seen = [state], 0, 0
        self.copies, self.copies_acked, self.copies_seen = [found[self.copy]], 0, 0


class Books:
    """One client's attempts since the last verification, and its receipts."""

    def __init__(self, book, receipts):
        self.book, self.receipts = book, receipts
        # attempt number first + i is attempts[i]: changes of accounts, or None for one that was aborted
        self.base, self.first, self.attempts = 0, 1, []
        self.acked, self.seen = 0, 0
        self.sums = None

    @property
    def last(self):
        return self.first + len(self.attempts) - 1

    def attempt(self, changes):
        """One attempt more, as sent: its number, and what to call when it is answered."""
        self.attempts.append(changes)
        number = self.last

        def answered():
            self.acked = number
        return number, answered

    def aborted(self, number):
        self.attempts[number - self.first] = None

    def keys(self):
        return [self.book] + [key for receipt in self.receipts for key in receipt.keys()]

    def prepare(self, accounts):
        """Once all is known: what all attempts up to each one did to the accounts, as rows."""
        for receipt in self.receipts:
            receipt.prepare()
        row = [0] * accounts
        self.sums = [row]
        for changes in self.attempts:
            if changes:
                row = list(row)
                for account, amount in changes.items():
                    row[account] += amount
            self.sums.append(row)

    def judge(self, found, last):
        """Compares a snapshot with what this client sent; a sentence, or None."""
        book = int(found[self.book] or 0)
        if book != self.base and not self.first <= book <= self.last:
            return "book %s is %d, which was never written: base %d, sent %d to %d" % (
                self.book, book, self.base, self.first, self.last)
        if book != self.base and self.attempts[book - self.first] is None:
            return "book %s is %d, which was aborted" % (self.book, book)
        floor = max(self.acked, self.seen, self.base)
        if last and book < floor:
            return "lost: book %s is %d, but %d was %s" % (
                self.book, book, floor, "acknowledged" if floor == self.acked else "seen")
        self.seen = max(self.seen, book)
        wrong = [receipt.judge(found, book, last) for receipt in self.receipts]
        return next((one for one in wrong if one), None)

    def changes(self, book):
        """What the attempts up to `book` did to the accounts."""
        return self.sums[0 if book == self.base else book - self.first + 1]

    def rebase(self, found):
        self.base, self.first, self.attempts = int(found[self.book] or 0), self.last + 1, []
        self.acked, self.seen = 0, 0
        for receipt in self.receipts:
            receipt.rebase(found)


class Judge:
    """Judges snapshots: `opening` has the balances of the base, `total` is all the money there is."""

    def __init__(self, accounts, opening, total, books):
        self.accounts, self.opening, self.total, self.books = accounts, opening, total, books
        for one in books:
            one.prepare(len(accounts))

    def judge(self, found, last=False):
        """A sentence about what is wrong with a snapshot (key -> value), or None."""
        if any(found[account] is None for account in self.accounts):
            return "accounts are missing: %s" % [account for account in self.accounts if found[account] is None]
        balances = [int(found[account]) for account in self.accounts]
        receipts = [receipt for one in self.books for receipt in one.receipts]
        under_way = sum(amount_in(found[place]) for receipt in receipts for place in receipt.places if found[place])
        wrong = next((problem for problem in (one.judge(found, last) for one in self.books) if problem), None)
        if sum(balances) + under_way != self.total:
            return "the sum is %d in accounts and %d under way, not %d; %s" % (
                sum(balances), under_way, self.total, wrong or self.differences(found, balances))
        return wrong or self.differences(found, balances)

    def differences(self, found, balances):
        """Balances that do not follow from the books."""
        rows = [self.opening] + [one.changes(int(found[one.book] or 0)) for one in self.books]
        wrong = ["%s is %d instead of %d" % (account, balance, due)
                 for account, balance, due in zip(self.accounts, balances, map(sum, zip(*rows))) if balance != due]
        return "balances do not follow from the books: " + ", ".join(wrong) if wrong else None


def receipt_value(amount, number, padding):
    """The value of a receipt: how much, which attempt made it, and some bytes to carry."""
    return b"%d:%d:%s" % (amount, number, b"x" * padding)


def amount_in(value):
    return int(value.split(b":")[0])


def number_in(value):
    return int(value.split(b":")[1])


def shown(states):
    """Values cut short, for a sentence."""
    def short(word):
        return word[:24].decode(errors="replace") if isinstance(word, bytes) else word
    return [tuple(map(short, state)) if isinstance(state, tuple) else short(state) for state in states]

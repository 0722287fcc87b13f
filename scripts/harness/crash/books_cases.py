"""Tries the judge of the bank: snapshots with a known fault, and legal ones.

One client, two accounts of 100, one receipt between the places p and q. Its attempts: 1 pays 10 from a to b; 2 pays 5 from
a into p; then RENAME p q and COPY q copy, alone; 3 was aborted; 4 pays the receipt out to b. What is acknowledged differs."""
from .books import Books, Judge, Receipt, receipt_value

VALUE = receipt_value(5, 2, 0)


def story(acknowledged):
    """The books after all was sent, of which the first so many steps were answered (of five)."""
    receipt = Receipt(["p", "q"], "copy")
    books, steps = Books("book", [receipt]), []
    steps.append([books.attempt({0: -10, 1: 10})[1]])
    number, answered = books.attempt({0: -5})
    steps.append([answered, receipt.moves("p", VALUE, number)])
    steps.append([receipt.moves("q", VALUE, None)])
    steps.append([receipt.is_copied()])
    number, _ = books.attempt({0: -1, 1: 1})
    books.aborted(number)  # nothing more was sent before that was known
    number, answered = books.attempt({1: 5})
    steps.append([answered, receipt.moves(None, None, number)])
    for step in steps[:acknowledged]:
        for call in step:
            call()
    return books


def snapshot(book, a, b, p=None, q=None, copy=None):
    known = {"book": book, "a": a, "b": b, "p": p, "q": q, "copy": copy}
    return {key: b"%d" % value if isinstance(value, int) else value for key, value in known.items()}


BEGIN = snapshot(None, 100, 100)
PAID = snapshot(1, 90, 110)
ISSUED = snapshot(2, 85, 110, p=VALUE)
MOVED = snapshot(2, 85, 110, q=VALUE)
COPIED = snapshot(2, 85, 110, q=VALUE, copy=VALUE)
CASHED = snapshot(4, 85, 115, copy=VALUE)

# name, steps that were answered, snapshots seen before the crash, what is there after it, a word of the verdict
CASES = [
    ("nothing was answered, nothing is there", 0, [], BEGIN, None),
    ("nothing was answered, all is there", 0, [], CASHED, None),
    ("what was answered is there", 2, [], ISSUED, None),
    ("a step more than was answered", 2, [BEGIN, PAID, ISSUED], MOVED, None),
    ("all was answered", 5, [BEGIN, ISSUED, COPIED], CASHED, None),
    ("an acknowledged transfer is gone", 1, [], BEGIN, "lost"),
    ("an acknowledged receipt is gone, and its attempt", 2, [], PAID, "lost"),
    ("an acknowledged RENAME is gone", 3, [], ISSUED, "receipt p"),
    ("an acknowledged copy is gone", 4, [], MOVED, "copy"),
    ("a transfer that was seen is gone", 0, [PAID], BEGIN, "lost"),
    ("a RENAME that was seen is gone", 2, [MOVED], ISSUED, "receipt p"),
    ("a copy that was seen is gone", 2, [COPIED], MOVED, "copy"),
    ("half a transfer: one account only", 0, [], snapshot(1, 90, 100), "the sum"),
    ("half a transfer: the book only", 0, [], snapshot(1, 100, 100), "do not follow"),
    ("a transfer without its book", 0, [], snapshot(None, 90, 110), "do not follow"),
    ("a transfer of another amount", 1, [], snapshot(1, 89, 111), "do not follow"),
    ("a transfer done twice", 1, [], snapshot(1, 80, 120), "do not follow"),
    ("an account is gone", 1, [], snapshot(1, None, 110), "missing"),
    ("the receipt exists twice", 2, [], snapshot(2, 85, 110, p=VALUE, q=VALUE), "2 times"),
    ("the receipt is nowhere", 2, [], snapshot(2, 85, 110), "the sum"),
    ("the receipt is there before it was paid for", 1, [], snapshot(1, 90, 110, p=VALUE), "the sum"),
    ("the receipt of another amount", 2, [], snapshot(2, 85, 110, p=receipt_value(6, 2, 0)), "the sum"),
    ("the receipt was paid out, and is still there", 2, [], snapshot(4, 85, 115, q=VALUE), "the sum"),
    ("a copy of what is not there", 1, [], snapshot(1, 90, 110, copy=VALUE), "of attempt 2"),
    ("an aborted attempt took effect", 4, [], snapshot(3, 84, 111, q=VALUE, copy=VALUE), "aborted"),
    ("a book of nobody", 1, [], snapshot(7, 90, 110), "never written"),
    ("half a transfer in a snapshot", 5, [snapshot(1, 90, 100)], CASHED, "the sum"),
    ("half a RENAME in a snapshot", 5, [snapshot(2, 85, 110)], CASHED, "the sum"),
]


def try_the_judge(score):
    """Adds one test for each case."""
    for name, acknowledged, seen, found, word in CASES:
        judge = Judge(["a", "b"], [100, 100], 200, [story(acknowledged)])
        verdicts = [judge.judge(one) for one in seen] + [judge.judge(found, last=True)]
        wrong = [verdict for verdict in verdicts if verdict]
        good = not wrong if word is None else any(word in one for one in wrong)
        score.add(good, "judge of the bank: %s%s" % (name, "".join("\n        " + one for one in wrong)), quiet=True)

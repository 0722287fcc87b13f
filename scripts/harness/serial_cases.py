"""Tries the checker of list-append histories: histories of a few transactions with a known fault, and legal ones.

Each case is the transactions, what is there at the end, and a word that the verdict must hold (None: it is legal)."""
from .serial import ABORTED, DONE, UNKNOWN, Transaction, judge


def append(key, token, length=None):
    return ("append", key, token + b" ", length)


def read(key, value):
    return ("read", key, value)


def done(connection, number, sent, answered, *operations):
    return Transaction(connection, number, sent, answered, DONE, list(operations))


def aborted(connection, number, sent, answered, *operations):
    return Transaction(connection, number, sent, answered, ABORTED, list(operations))


def unknown(connection, number, sent, *operations):
    return Transaction(connection, number, sent, None, UNKNOWN, list(operations))


def at_once(*lists):
    """One transaction a connection, all of them at the same time: nothing but what they saw orders them."""
    return [done(connection, 0, 0, 10, *operations) for connection, operations in enumerate(lists)]


LEGAL = [
    ("one after the other",
     [done(0, 0, 0, 1, append("x", b"1", 2), append("y", b"1", 2)), done(1, 0, 2, 3, read("x", b"1 "), read("y", b"1 ")),
      done(0, 1, 4, 5, append("x", b"2", 4))], {"x": b"1 2 ", "y": b"1 "}),
    ("side by side",
     at_once([append("x", b"1"), read("y", b"2 ")], [append("y", b"2"), read("x", b"")],
             [read("x", b"1 "), read("y", b"2 ")]), {"x": b"1 ", "y": b"2 "}),
    ("unanswered and there", [unknown(0, 0, 0, append("x", b"1"), append("y", b"1")),
                              done(1, 0, 1, 2, read("x", b"1 "))], {"x": b"1 ", "y": b"1 "}),
    ("unanswered and not there", [unknown(0, 0, 0, append("x", b"1"), append("y", b"1"))], {"x": b"", "y": b""}),
    ("a later one there, an earlier one not, both unanswered",
     [unknown(0, 0, 0, append("x", b"1")), unknown(0, 1, 0, append("y", b"2"))], {"x": b"", "y": b"2 "}),
    ("aborted and not there", [aborted(0, 0, 0, 1, append("x", b"1"))], {"x": b""}),
    ("its own appends are seen within", [done(0, 0, 0, 1, read("x", b""), append("x", b"1"), append("x", b"2"),
                                              read("x", b"1 2 "))], {"x": b"1 2 "}),
]

FAULTS = [
    ("a dropped append", [done(0, 0, 0, 1, append("x", b"1")), done(0, 1, 2, 3, append("x", b"2"))],
     {"x": b"2 "}, "lost"),
    ("a dropped append at the end", [done(0, 0, 0, 1, append("x", b"1")), done(0, 1, 2, 3, append("x", b"2"))],
     {"x": b"1 "}, "lost"),
    ("an unacknowledged append that was seen, and is gone",
     [unknown(0, 0, 0, append("x", b"1")), done(1, 0, 0, 1, read("x", b"1 "))], {"x": b""}, "lost"),
    ("an append that is there twice", [done(0, 0, 0, 1, append("x", b"1"))], {"x": b"1 1 "}, "twice"),
    ("a reordered append", [done(0, 0, 0, 1, append("x", b"1", 2)), done(1, 0, 0, 1, append("x", b"2", 4))],
     {"x": b"2 1 "}, "not where it stands"),
    ("a reordered append of one session, seen by nobody",
     [done(0, 0, 0, 9, append("x", b"1")), done(0, 1, 0, 9, append("x", b"2"))], {"x": b"2 1 "}, "G0-session"),
    ("another order before the crash than after it",
     at_once([append("x", b"1")], [append("x", b"2")], [read("x", b"1 2 ")]), {"x": b"2 1 "}, "another order"),
    ("two readers that saw different orders",
     at_once([append("x", b"1")], [append("x", b"2")], [read("x", b"1 2 ")], [read("x", b"2 ")]),
     {"x": b"1 2 "}, "another order"),
    ("a token of nobody", [done(0, 0, 0, 1, append("x", b"1"))], {"x": b"1 7 "}, "nobody"),
    ("half a token", [done(0, 0, 0, 1, append("x", b"1"))], {"x": b"1 2"}, "within a token"),
    ("half a transaction after the crash", [unknown(0, 0, 0, append("x", b"1"), append("y", b"1"))],
     {"x": b"1 ", "y": b""}, "half a transaction"),
    ("an aborted transaction that is there", [aborted(0, 0, 0, 1, append("x", b"1"))], {"x": b"1 "}, "G1a"),
    ("what was there before the load is gone", [], {"z": b""}, "was there before"),
    ("writes that came between each other",
     at_once([append("x", b"1"), append("y", b"1")], [append("x", b"2"), append("y", b"2")]),
     {"x": b"1 2 ", "y": b"2 1 "}, "G0"),
    ("each saw the other's write",
     at_once([append("x", b"1"), read("y", b"2 ")], [append("y", b"2"), read("x", b"1 ")]),
     {"x": b"1 ", "y": b"2 "}, "G1c"),
    ("half a transaction was seen: a torn write",
     at_once([append("x", b"1"), append("y", b"1")], [read("x", b"1 "), read("y", b"")]),
     {"x": b"1 ", "y": b"1 "}, "G-single"),
    ("an intermediate state was seen", at_once([append("x", b"1"), append("x", b"2")], [read("x", b"1 ")]),
     {"x": b"1 2 "}, "G-single"),
    ("a lost update: read, then written over what came between",
     at_once([read("x", b""), append("y", b"1")], [append("x", b"2"), read("y", b"1 ")],
             [read("x", b"2 "), read("y", b"")]), {"x": b"2 ", "y": b"1 "}, "G-single"),
    ("write skew", at_once([read("x", b""), append("y", b"1")], [read("y", b""), append("x", b"2")]),
     {"x": b"2 ", "y": b"1 "}, "G2"),
    ("two readers that disagree",
     at_once([append("x", b"1")], [append("y", b"2")], [read("x", b"1 "), read("y", b"")],
             [read("x", b""), read("y", b"2 ")]), {"x": b"1 ", "y": b"2 "}, "G2"),
    ("a stale read", [done(0, 0, 0, 1, append("x", b"1")), done(1, 0, 2, 3, read("x", b""))],
     {"x": b"1 "}, "G-single-time"),
    ("a read from the future", [done(1, 0, 0, 1, read("x", b"1 ")), done(0, 0, 2, 3, append("x", b"1"))],
     {"x": b"1 "}, "G1c-time"),
    ("a session that does not see its own write",
     [done(0, 0, 0, 9, append("x", b"1")), done(0, 1, 0, 9, read("x", b""))], {"x": b"1 "}, "G-single-session"),
    ("not one step: another came between two reads",
     at_once([read("x", b""), read("x", b"1 ")], [append("x", b"1")]), {"x": b"1 "}, "not one step"),
    ("an append of one's own is not seen", [done(0, 0, 0, 1, append("x", b"1"), read("x", b""))],
     {"x": b"1 "}, "not one step"),
    ("another came between read and append: a watch that did not see it",
     at_once([read("x", b""), append("x", b"1")], [append("x", b"2")]), {"x": b"2 1 "}, "came between"),
]


def try_the_checker(score):
    """Adds one test for each case."""
    for name, history, final in LEGAL:
        found = judge(history, {}, final)
        score.add(not found, "checker, legal: %s%s" % (name, "".join("\n        " + one for one in found)), quiet=True)
    for name, history, final, word in FAULTS:
        found = judge(history, {"z": b"0 "} if "z" in final else {}, final)
        score.add(any(word in one for one in found), "checker, a fault: %s%s" % (
            name, "".join("\n        " + one for one in found)), quiet=True)

"""Tries the judge of sweeps: what is there after a crash, with a known fault or none.

Keys x and y in databases 2 and 3. Operations: 1 SET x a; 2 MSET x b y b; 3 SWAPDB; 4 SET y c; 5 FLUSHDB of database 2."""
from .sweeps import Pair


def story(acknowledged):
    pair = Pair(0)
    pair.keys = ["x", "y"]
    pair.rebase({"x": (None, None), "y": (None, None)})
    pair.does({"x": (b"a", None)})
    pair.does({"x": (b"b", None), "y": (b"b", None)})
    pair.does({"x": (None, b"b"), "y": (None, b"b")})
    pair.does({"y": (b"c", b"b")})
    pair.does({"x": (None, b"b"), "y": (None, b"b")})
    pair.acked = acknowledged
    return pair


# name, operations that were answered, x and y after the crash, is it legal
CASES = [
    ("nothing", 0, (None, None), (None, None), True),
    ("all that was answered", 2, (b"b", None), (b"b", None), True),
    ("one more on one shard than on the other", 3, (None, b"b"), (b"c", b"b"), True),
    ("all", 5, (None, b"b"), (None, b"b"), True),
    ("an acknowledged write is gone", 1, (None, None), (None, None), False),
    ("an acknowledged sweep is gone", 3, (b"b", None), (b"b", None), False),
    ("half of an MSET", 1, (b"b", None), (None, None), False),
    ("half of a sweep", 2, (None, b"b"), (b"b", None), False),
    ("a write behind a sweep that was not done", 2, (b"b", None), (b"c", b"b"), False),
    ("a swap that was done twice", 3, (b"b", None), (None, b"b"), False),
    ("a value of nobody", 0, (b"z", None), (None, None), False),
]


def try_the_judge(score):
    """Adds one test for each case."""
    for name, acknowledged, one, two, legal in CASES:
        wrong = story(acknowledged).judge({"x": one, "y": two})
        score.add((not wrong) == legal, "judge of sweeps: %s%s" % (
            name, "".join("\n        " + problem for problem in wrong)), quiet=True)

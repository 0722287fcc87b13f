"""Judges list-append histories: is there one order of all transactions that explains every reply, and agrees with time?

The workload is Elle's: a transaction appends unique tokens to lists and reads lists. Here a list is a string whose
tokens each end with a blank (APPEND, GET). As every token is unique, a list tells in which order its tokens came, so the
order of all writes to a key, and between which two of them a read stood, are known and need not be guessed. Then strict
serializability is the question whether a graph over the transactions has a cycle:

    ww   the next token of a list comes after the one before it
    wr   who read a list comes after who appended the last token that was read
    rw   who appended the next token comes after who did not see it yet
    session     a connection's transactions come in the order in which it sent them
    time        what was answered comes before what was sent later

The last word has `final`, read when all is over (after the crash and the recovery): every read must be a beginning of
it, everything that was acknowledged or seen must be in it, exactly once, and of each transaction all or nothing.

What a finding is called is Adya's: G0 (a cycle of ww), G1a (what was aborted is seen), G1c (ww and wr), G-single (one
rw), G2 (more of them); `-session` or `-time` is added where the cycle needs those, too.
"""
from .order import add_real_time, find_cycle

PROBLEMS_MAX = 10
DONE, ABORTED, UNKNOWN = "done", "aborted", "unknown"


class Transaction:
    """What one transaction did. `outcome` is DONE, ABORTED (it was answered so), or UNKNOWN (no answer came).

    `operations` are ("append", key, token, length that was answered or None) and ("read", key, value or None), in order;
    `sent` and `answered` are times, `answered` is None where the outcome is UNKNOWN."""

    __slots__ = ("connection", "number", "sent", "answered", "outcome", "operations")

    def __init__(self, connection, number, sent, answered, outcome, operations):
        self.connection, self.number = connection, number
        self.sent, self.answered, self.outcome = sent, answered, outcome
        self.operations = operations

    def appends(self):
        return [operation for operation in self.operations if operation[0] == "append"]

    def __str__(self):
        words = []
        for kind, key, value, *_ in self.operations:
            shown = value if value is None or len(value) < 40 else b"..." + value[-36:]
            words.append("%s %s %s" % (kind, key, shown if shown is None else shown.decode(errors="replace").strip()))
        return "connection %d, transaction %d, %s, sent %s, answered %s: %s" % (
            self.connection, self.number, self.outcome, self.sent, self.answered, "; ".join(words))


class Versions:
    """The states that one key went through: version 0 is what it was when the history began, each token makes one."""

    def __init__(self, key, opening, final):
        self.key, self.final = key, final
        self.problem = None
        self.tokens, self.ends = [], {len(opening): 0}
        if not final.startswith(opening):
            self.problem = "%s: what was there before is not: %r became %r" % (key, opening[-40:], final[-40:])
            return
        if final and not final.endswith(b" "):
            self.problem = "%s ends within a token: %r" % (key, final[-40:])
            return
        at = len(opening)
        for token in final[at:].split(b" ")[:-1]:
            at += len(token) + 1
            self.tokens.append(token + b" ")
            self.ends[at] = len(self.tokens)
        if len(set(self.tokens)) != len(self.tokens):
            twice = next(token for token in self.tokens if self.tokens.count(token) > 1)
            self.problem = "%s has %s twice" % (key, twice.decode(errors="replace"))

    def version_of(self, value):
        """The version that a read saw, and None; or None, and what is wrong with it."""
        version = self.ends.get(len(value))
        if version is not None and self.final.startswith(value):
            return version, None
        if value.startswith(self.final):
            return None, "%s: lost: %r was seen behind what is there" % (self.key, value[len(self.final):][:60])
        if self.final.startswith(value):
            return None, "%s: half a token, or less than it began with, was seen: %r" % (self.key, value[-40:])
        at = next((at for at, (one, two) in enumerate(zip(value, self.final)) if one != two), len(self.final))
        return None, "%s: another order was seen: %r where %r is" % (
            self.key, value[max(0, at - 20):at + 20], self.final[max(0, at - 20):at + 20])


def judge(history, opening, final):
    """Sentences about what is wrong with a list of transactions; none when there is an order that explains it.

    `opening` and `final` have each key's value before the first transaction and after the last."""
    versions = {key: Versions(key, opening.get(key, b""), value) for key, value in final.items()}
    problems = [one.problem for one in versions.values() if one.problem]
    if problems:
        return problems[:PROBLEMS_MAX]
    problems, appenders = appends_are_there(history, versions)
    if problems:
        return problems[:PROBLEMS_MAX]
    known = [one for one in history if one.outcome == DONE or one.outcome == UNKNOWN and one.appends()
             and has_token(one, appenders)]
    steps, problems = positions(known, versions, appenders)
    if problems:
        return problems[:PROBLEMS_MAX]
    cycle = cycle_of(known, steps, versions, appenders)
    return [cycle] if cycle else []


def has_token(one, appenders):
    _, key, token, _ = one.appends()[0]
    return (key, token) in appenders


def appends_are_there(history, versions):
    """Every acknowledged append once, all or nothing of each transaction, nothing that nobody wrote.

    Returns problems, and (key, token) -> (version, transaction) of the tokens that are there."""
    problems, appenders = [], {}
    place = {(key, token): number for key, one in versions.items() for number, token in enumerate(one.tokens, 1)}
    for one in history:
        appends = one.appends()
        if not appends:
            continue
        there = [operation for operation in appends if (operation[1], operation[2]) in place]
        if one.outcome == ABORTED and there:
            problems.append("G1a: what was aborted is there: %s" % one)
        elif one.outcome == DONE and len(there) < len(appends):
            problems.append("lost: %d of %d acknowledged appends are not there: %s" % (
                len(appends) - len(there), len(appends), one))
        elif 0 < len(there) < len(appends):
            problems.append("half a transaction is there: %s of: %s" % (
                ", ".join("%s %s" % (key, token.decode().strip()) for _, key, token, _ in there), one))
        for operation in there:
            _, key, token, length = operation
            version = place.pop((key, token), None)
            if version is None:
                problems.append("%s %r was appended by two: %s" % (key, token, one))
                continue
            appenders[key, token] = (version, one)
            if length is not None and versions[key].ends.get(length) != version:
                problems.append("%s: APPEND %r was answered %d, which is not where it stands: %s" % (
                    key, token, length, one))
    for key, token in list(place)[:PROBLEMS_MAX]:
        problems.append("%s: nobody appended %r" % (key, token))
    return problems, appenders


def positions(known, versions, appenders):
    """For each transaction, its operations as (kind, key, version), and what contradicts itself within one."""
    steps, problems = [], []
    for one in known:
        here, mine = {}, []
        for operation in one.operations:
            kind, key, value = operation[:3]
            if kind == "append":
                version = appenders[key, value][0]
                if key in here and version != here[key] + 1:
                    problems.append("%s: others came between: version %d, then appended %d: %s" % (
                        key, here[key], version, one))
            elif value is None:
                continue
            else:
                version, problem = versions[key].version_of(value)
                if problem:
                    problems.append("%s: %s" % (problem, one))
                    continue
                if key in here and version != here[key]:
                    problems.append("%s: not one step: version %d, then read %d: %s" % (key, here[key], version, one))
            here[key] = version
            mine.append((kind, key, version))
        steps.append(mine)
    return steps, problems


def cycle_of(known, steps, versions, appenders):
    """A sentence about a cycle, or None."""
    number_of = {id(one): number for number, one in enumerate(known)}
    writer = {}
    for (key, _), (version, one) in appenders.items():
        writer[key, version] = number_of[id(one)]
    after, labels = [[] for _ in known], {}

    def edge(one, other, label):
        if one != other and (one, other) not in labels:
            labels[one, other] = label
            after[one].append(other)

    for key, one in versions.items():
        for version in range(2, len(one.tokens) + 1):
            edge(writer[key, version - 1], writer[key, version], "ww " + key)
    for kinds in ("wr", "rw"):
        for number, mine in enumerate(steps):
            for kind, key, version in mine:
                if kind != "read":
                    continue
                if kinds == "wr" and version > 0:
                    edge(writer[key, version], number, "wr " + key)
                if kinds == "rw" and (key, version + 1) in writer:
                    edge(number, writer[key, version + 1], "rw " + key)
    last = {}
    for number in sorted(range(len(known)), key=lambda at: (known[at].connection, known[at].number)):
        connection = known[number].connection
        if connection in last:
            edge(last[connection], number, "session")
        last[connection] = number
    add_real_time(after, [(one.sent, one.answered) for one in known])
    cycle = find_cycle(after)
    return cycle and describe(cycle, known, labels)


def describe(cycle, known, labels):
    """Names the cycle and tells it: who comes after whom, and why."""
    nodes = [node for node in cycle if node < len(known)]
    why = [labels.get((node, nodes[(at + 1) % len(nodes)]), "time") for at, node in enumerate(nodes)]
    kinds = [label.split()[0] for label in why]
    anti = kinds.count("rw")
    name = "G-single" if anti == 1 else "G2" if anti > 1 else "G1c" if "wr" in kinds else "G0"
    name += "-time" if "time" in kinds else "-session" if "session" in kinds else ""
    lines = ["%s: no order of these transactions is possible:" % name]
    for node, label in list(zip(nodes, why))[:12]:
        lines.append("  %s\n          which comes before, by %s," % (known[node], label))
    return "\n        ".join(lines)

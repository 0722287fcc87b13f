"""The frame of a workload: connections that send until the server is gone, and a judge for what is there afterwards.

A `Workload` lives as long as the data directory. In a run it is played or rests; after every restart it judges, and what
it finds is the base of the next run: so a loss that shows late is found, too.
"""
import random
import threading

from ..wire import Closed, ReplyError, Wire, encode


class Connection(threading.Thread):
    """One connection: `step()` again and again, until the server is gone or something is wrong."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.source = random.Random(seed)
        self.acknowledged, self.problem, self.port, self.wire = 0, None, 0, None

    def step(self):
        """Sends something, and reads all its replies."""
        raise NotImplementedError

    def run(self):
        try:
            self.wire = Wire(self.port, timeout=10)
        except OSError:
            return  # killed before it was connected
        try:
            while self.problem is None:
                self.step()
        except (Closed, OSError):
            pass  # the kill
        finally:
            self.wire.close()

    def send(self, commands):
        self.wire.send_bytes(b"".join(encode(words) for words in commands))

    def replies(self, count):
        """So many replies; an error among them is a problem, and counts as one."""
        found = [self.wire.reply() for _ in range(count)]
        for reply in found:
            if isinstance(reply, ReplyError):
                self.problem = "refused: %s" % reply
        return found


class Workload:
    """Base of the workloads."""

    name = ""
    unit = "writes"

    def prepare(self, wire):
        """Once, before the first run in which it is played."""

    def connections(self, run, seed):
        """Threads for one run, not started."""
        raise NotImplementedError

    def knowledge(self):
        """What a failure leaves to be looked at: plain data that can be pickled."""
        raise NotImplementedError

    def judge(self, wire):
        """Compares what is there with what is known; sentences about what is wrong. What was found becomes the base."""
        raise NotImplementedError

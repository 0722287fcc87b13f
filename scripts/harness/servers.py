"""Starting and ending servers: Bobbin as built here, and the reference servers that scripts/oracle brought.

A server lives in a folder and on a port of its own, is known by its process id, and is ended by it: other servers on
the machine are never touched. `Server("bobbin", port, shards=2)` and `Server("redis-7.0", port)` behave alike.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from .wire import Closed, ReplyError, Wire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ORACLE = os.environ.get("BOBBIN_ORACLE", os.path.expanduser("~/.cache/bobbin-oracle"))
REFERENCES = ("redis-7.0", "redis-8", "valkey-9")


def bobbin_binary():
    """The server under test: $BOBBIN, or the release build of this workspace."""
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    return os.environ.get("BOBBIN", os.path.join(target, "release", "bobbin"))


def free_port(base=0):
    """A port that nobody listens on now: the first from `base`, or any when base is 0."""
    for port in range(base, base + 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise OSError("no free port from %d" % base)


class Server:
    """One server process. `kind` is "bobbin" or a name of REFERENCES; `options` are further directives (name, value),
    given on the command line or, with `as_file`, in a configuration file, which CONFIG REWRITE needs."""

    def __init__(self, kind, port=0, shards=None, options=(), folder=None, as_file=False):
        self.kind, self.shards, self.options, self.as_file = kind, shards, list(options), as_file
        self.port = port or free_port()
        self.owns_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="bobbin-judge.")
        self.process = None
        # False: the process inherits what signals this one ignores
        self.restores_signals = True

    @property
    def pid(self):
        return self.process.pid

    @property
    def log_path(self):
        return os.path.join(self.folder, "log")

    def command(self):
        words = [bobbin_binary() if self.kind == "bobbin" else os.path.join(ORACLE, "bin", self.kind)]
        if self.as_file:
            path = os.path.join(self.folder, "server.conf")
            with open(path, "w", encoding="utf-8") as out:
                out.writelines("%s %s\n" % option for option in self.options)
            words.append(path)
        if self.kind == "bobbin" and self.shards:
            words += ["--shards", str(self.shards)]
        words += ["--save", "", "--port", str(self.port), "--dir", self.folder]
        for name, value in () if self.as_file else self.options:
            words += ["--" + name, value]
        return words

    def launch(self):
        """Starts it, and waits for nothing."""
        with open(self.log_path, "ab") as log:
            try:
                self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                start_new_session=True, restore_signals=self.restores_signals)
            except FileNotFoundError as error:
                raise RuntimeError("%s is not built or brought: %s" % (self.kind, error)) from None

    def start(self, seconds=30.0):
        """Starts it and waits until it answers PING; raises RuntimeError with the end of its log when it does not."""
        self.launch()
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                wire = Wire(self.port, timeout=5.0)
                answer = wire("PING")
                wire.close()
                if answer == b"PONG" or (isinstance(answer, ReplyError) and str(answer).startswith("NOAUTH")):
                    return self
            except (OSError, Closed):
                pass
            time.sleep(0.005)
        status = self.process.poll()
        tail = self.log_tail()
        self.kill()
        raise RuntimeError("%s did not start (%s):\n%s" % (
            self.kind, "no answer" if status is None else "exit status %s" % status, tail))

    def log_tail(self, lines=15):
        try:
            with open(self.log_path, errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""

    def wire(self, timeout=10.0):
        return Wire(self.port, timeout=timeout)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and waits until the process is gone."""
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def terminate(self, seconds=20.0):
        """SIGTERM; returns the exit status, or None when it had to be killed."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def close(self):
        """Kills it and removes its folder, if the folder was made here."""
        self.kill()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


class Score:
    """Counts of a judge; `end()` prints the summary line that scripts/test adds up, and is the exit status."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, good, text="", quiet=False):
        if good:
            self.passed += 1
        else:
            self.failed += 1
        if text and not (good and quiet):
            print("%s  %s" % ("ok    " if good else "FAILED", text), flush=True)
        return good

    def end(self):
        print("%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped), flush=True)
        sys.exit(1 if self.failed else 0)

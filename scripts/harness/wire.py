"""A small RESP client that keeps the bytes: judges compare what was sent over the wire, not what it was parsed into.

`Wire` is a blocking connection. `raw()` reads one complete reply and returns its bytes exactly as they came; `reply()`
parses it: simple strings and bulks to bytes, integers to int, errors to `ReplyError`, nulls to None, arrays, sets and
pushes to lists, maps to lists of pairs, doubles to float, booleans to bool.
"""
import socket


class ReplyError(Exception):
    """An error reply; str() is its text without the leading dash."""


class Closed(OSError):
    """The server closed the connection, or answered nothing before the timeout."""


def encode(arguments):
    """One command as a RESP array of bulk strings; arguments are bytes, str or int."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        if not isinstance(argument, bytes):
            argument = str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
    return b"".join(parts)


class Wire:
    """One connection. `timeout` seconds bound every wait for bytes."""

    def __init__(self, port, host="127.0.0.1", timeout=10.0):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.start = 0

    def close(self):
        self.socket.close()

    def send(self, *arguments):
        self.socket.sendall(encode(arguments))

    def send_bytes(self, data):
        self.socket.sendall(data)

    def __call__(self, *arguments):
        """Sends one command and returns its parsed reply; an error reply is returned, not raised."""
        self.send(*arguments)
        return self.reply()

    def _more(self):
        try:
            data = self.socket.recv(1 << 16)
        except socket.timeout:
            raise Closed("no reply before the timeout") from None
        except OSError as error:
            raise Closed(str(error)) from None
        if not data:
            raise Closed("connection closed by the server")
        if self.start > 1 << 20:
            del self.buffer[:self.start]
            self.start = 0
        self.buffer += data

    def _line(self):
        position = self.start
        while True:
            end = self.buffer.find(b"\r\n", position)
            if end >= 0:
                line = bytes(self.buffer[self.start:end + 2])
                self.start = end + 2
                return line
            position = max(self.start, len(self.buffer) - 1)
            before = self.start
            self._more()
            position -= before - self.start

    def _exactly(self, count):
        while len(self.buffer) - self.start < count:
            self._more()
        data = bytes(self.buffer[self.start:self.start + count])
        self.start += count
        return data

    def raw(self):
        """One reply, as the bytes it consists of."""
        parts, pending = [], 1
        while pending:
            line = self._line()
            parts.append(line)
            pending -= 1
            kind, rest = line[:1], line[1:-2]
            if kind in b"$=!" and int(rest) >= 0:
                parts.append(self._exactly(int(rest) + 2))
            elif kind in b"*~>" and int(rest) > 0:
                pending += int(rest)
            elif kind == b"%":
                pending += 2 * int(rest)
            elif kind == b"|":
                pending += 2 * int(rest) + 1
        return b"".join(parts)

    def reply(self):
        """One reply, parsed."""
        line = self._line()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest.decode("latin-1"))
        if kind == b":":
            return int(rest)
        if kind == b"_":
            return None
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"(":
            return int(rest)
        if kind in b"$=!":
            if int(rest) < 0:
                return None
            data = self._exactly(int(rest) + 2)[:-2]
            return ReplyError(data.decode("latin-1")) if kind == b"!" else data
        if kind in b"*~>":
            return None if int(rest) < 0 else [self.reply() for _ in range(int(rest))]
        if kind == b"%":
            return [(self.reply(), self.reply()) for _ in range(int(rest))]
        if kind == b"|":
            for _ in range(2 * int(rest)):
                self.reply()
            return self.reply()
        raise Closed("not a reply: %r" % line)

    def drain(self, quiet_seconds=0.2):
        """Whatever comes until the connection closes or is quiet; for input that breaks the protocol."""
        data = bytes(self.buffer[self.start:])
        self.start = len(self.buffer)
        self.socket.settimeout(quiet_seconds)
        closed = False
        try:
            while True:
                piece = self.socket.recv(1 << 16)
                if not piece:
                    closed = True
                    break
                data += piece
        except socket.timeout:
            pass
        except OSError:
            closed = True
        return data, closed

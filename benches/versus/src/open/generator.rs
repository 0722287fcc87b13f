//! Sends requests when they are due and takes the time until they are answered.
//!
//! One thread, one epoll, sockets that never block. How it waits for the next moment decides what
//! is measured. On a CPU of its own it watches the clock and the sockets without a pause: neither a
//! timer nor a wake-up of its own thread is part of any latency, and the server, on another CPU,
//! does not notice. Where it shares CPUs with the server, watching would take half of what the
//! server has, so it sleeps until a reply or a timer (a timerfd, which knows no slack) wakes it, as
//! a client does; it does not watch the clock for the last microseconds either, since on a virtual
//! machine a timer is late by more than these. What it is late by is reported.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::failure::Failure;
use crate::open::schedule::{Request, Schedule, Verb, percentile};
use crate::server::Server;
use crate::wire::encode;

/// How the generator waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// It does not: it watches.
    Watch,
    /// Asleep.
    Sleep,
}

/// One turn of load.
pub(super) struct OpenLoad {
    pub(super) connections: usize,
    pub(super) per_second: u32,
    pub(super) duration_ms: u64,
    pub(super) keys: u64,
    pub(super) value_bytes: usize,
    pub(super) seed: u64,
    pub(super) pause: Pause,
}

/// What a turn gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Latency from the moment a request was due until its reply was read.
    pub(super) p50_us: f64,
    pub(super) p90_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    /// How much later than due requests were sent.
    pub(super) late_p50_us: f64,
    pub(super) late_p99_us: f64,
    /// Microseconds of server CPU per request.
    pub(super) cpu_us: f64,
}

impl Outcome {
    /// Names and values, as the report takes them.
    pub(super) fn columns(&self) -> [(&'static str, f64); 7] {
        [
            ("p50_us", self.p50_us),
            ("p90_us", self.p90_us),
            ("p99_us", self.p99_us),
            ("p99.9_us", self.p999_us),
            ("cpu_us_per_request", self.cpu_us),
            ("late_p50_us", self.late_p50_us),
            ("late_p99_us", self.late_p99_us),
        ]
    }
}

/// The timer's place among the events; connections have their indices.
const TIMER: u64 = u64::MAX;

/// How long replies may take after the last request was sent.
const REPLIES_MS_MAX: u64 = 5_000;

impl OpenLoad {
    /// Sends all of it to `server` and accounts for it.
    pub(super) fn turn(&self, server: &Server) -> Result<Outcome, Failure> {
        let mut generator = Generator::connect(self, server.port())?;
        let before = server.cpu()?;
        generator.run(self)?;
        let spent_ns = server.cpu()?.ran_ns - before.ran_ns;
        let Generator { mut latencies_ns, mut lates_ns, .. } = generator;
        latencies_ns.sort_unstable();
        lates_ns.sort_unstable();
        let latency_us = |percent| percentile(&latencies_ns, percent) / 1e3;
        let late_us = |percent| percentile(&lates_ns, percent) / 1e3;
        Ok(Outcome {
            p50_us: latency_us(50.0),
            p90_us: latency_us(90.0),
            p99_us: latency_us(99.0),
            p999_us: latency_us(99.9),
            late_p50_us: late_us(50.0),
            late_p99_us: late_us(99.0),
            cpu_us: spent_ns as f64 / 1e3 / latencies_ns.len() as f64,
        })
    }
}

struct Generator {
    epoll: Epoll,
    timer: TimerFd,
    connections: Vec<Connection>,
    start: Instant,
    value: String,
    get_reply: Vec<u8>,
    pause: Pause,
    /// Requests that are not answered.
    under_way: usize,
    latencies_ns: Vec<u64>,
    lates_ns: Vec<u64>,
}

struct Connection {
    stream: TcpStream,
    /// When its unanswered requests were due, and what they are; in order.
    asked: VecDeque<(u64, Verb)>,
    /// What came and is not a whole reply yet.
    unread: Vec<u8>,
}

impl Generator {
    fn connect(load: &OpenLoad, port: u16) -> Result<Self, Failure> {
        let failed = |why: nix::Error| Failure::new("epoll", why);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK).map_err(failed)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER)).map_err(failed)?;
        let connections = (0..load.connections)
            .map(|_| Connection::open(port).map_err(|why| Failure::new("connect", why)))
            .collect::<Result<Vec<_>, _>>()?;
        for (index, connection) in connections.iter().enumerate() {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
            epoll.add(&connection.stream, event).map_err(failed)?;
        }
        let expected = (load.duration_ms * u64::from(load.per_second) / 1000) as usize;
        let get_reply = format!("${}\r\n", load.value_bytes).into_bytes();
        Ok(Self {
            epoll,
            timer,
            connections,
            start: Instant::now(),
            value: "v".repeat(load.value_bytes),
            get_reply,
            pause: load.pause,
            under_way: 0,
            latencies_ns: Vec::with_capacity(expected * 2),
            lates_ns: Vec::with_capacity(expected * 2),
        })
    }

    fn run(&mut self, load: &OpenLoad) -> Result<(), Failure> {
        let mut schedule = Schedule::new(load.seed, load.per_second, load.connections, load.keys);
        let end_ns = load.duration_ms * 1_000_000;
        self.start = Instant::now();
        let mut request = schedule.next();
        while request.due_ns < end_ns {
            let now_ns = self.now_ns();
            if now_ns >= request.due_ns {
                self.lates_ns.push(now_ns - request.due_ns);
                self.send(&request)?;
                request = schedule.next();
                continue;
            }
            self.wait(request.due_ns - now_ns)?;
        }
        while self.under_way > 0 {
            if self.now_ns() > end_ns + REPLIES_MS_MAX * 1_000_000 {
                let sentence = format!("{} requests were not answered", self.under_way);
                return Err(Failure::new("load", sentence));
            }
            self.wait(1_000_000)?;
        }
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn send(&mut self, request: &Request) -> Result<(), Failure> {
        let key = format!("key:{:012}", request.key);
        let bytes = match request.verb {
            Verb::Get => encode(&["GET", &key]),
            Verb::Set => encode(&["SET", &key, &self.value]),
        };
        let connection = &mut self.connections[request.connection];
        // A socket takes megabytes before it takes no more: that many requests are not under way.
        connection.stream.write_all(&bytes).map_err(|why| Failure::new("send", why))?;
        connection.asked.push_back((request.due_ns, request.verb));
        self.under_way += 1;
        Ok(())
    }

    /// Takes the replies that are there, or that come within this time.
    fn wait(&mut self, longest_ns: u64) -> Result<(), Failure> {
        let failed = |why: nix::Error| Failure::new("epoll", why);
        let timeout_ms = match self.pause {
            Pause::Watch => 0,
            Pause::Sleep => {
                let after = TimeSpec::from_duration(std::time::Duration::from_nanos(longest_ns));
                let once = Expiration::OneShot(after);
                self.timer.set(once, TimerSetTimeFlags::empty()).map_err(failed)?;
                -1
            }
        };
        let mut events = [EpollEvent::empty(); 128];
        let count = match self.epoll.wait(&mut events, timeout_ms) {
            Ok(count) => count,
            Err(nix::Error::EINTR) => 0,
            Err(why) => return Err(failed(why)),
        };
        // A timer that went off is ready until it is set again, which the next wait does.
        for event in events[..count].iter().filter(|event| event.data() != TIMER) {
            self.read(event.data() as usize)?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<(), Failure> {
        let connection = &mut self.connections[index];
        let mut bytes = [0; 4096];
        let count = match connection.stream.read(&mut bytes) {
            Ok(0) => return Err(Failure::new("read", "the server closed the connection")),
            Ok(count) => count,
            Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(why) => return Err(Failure::new("read", why)),
        };
        connection.unread.extend_from_slice(&bytes[..count]);
        let now_ns = self.start.elapsed().as_nanos() as u64;
        let connection = &mut self.connections[index];
        let value_bytes = self.value.len();
        while let Some(&(due_ns, verb)) = connection.asked.front() {
            let (begin, length): (&[u8], usize) = match verb {
                Verb::Get => (&self.get_reply, self.get_reply.len() + value_bytes + 2),
                Verb::Set => (b"+OK\r\n", 5),
            };
            let there = connection.unread.len().min(begin.len());
            if connection.unread[..there] != begin[..there] {
                let reply = String::from_utf8_lossy(&connection.unread).into_owned();
                return Err(Failure::new("unexpected reply", reply));
            }
            if connection.unread.len() < length {
                break;
            }
            connection.unread.drain(..length);
            connection.asked.pop_front();
            self.under_way -= 1;
            self.latencies_ns.push(now_ns - due_ns);
        }
        Ok(())
    }
}

impl Connection {
    fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, asked: VecDeque::new(), unread: Vec::new() })
    }
}

//! The `bobbin` binary: arguments, configuration, signals. Everything else is `server`.

#![forbid(unsafe_code)]

mod args;
mod boot;
mod signals;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match args::read() {
        args::Asked::Serve(invocation) => boot::serve(&invocation),
        args::Asked::CheckSystem => boot::check_system(),
        args::Asked::Answered(code) => code,
    }
}

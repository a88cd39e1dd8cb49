//! How long a function takes from the start of its process to its first question for an event:
//! `start <times> <binary>` prints each in microseconds, in JSON. Its environment is this program's own.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What is asked for first.
const FIRST_POLL: &[u8] = b"GET /2018-06-01/runtime/invocation/next ";

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "usage: start <times> <binary>";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [times, binary] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut command = Command::new(binary);
    command
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut measured = Vec::new();
    for _ in 0..times.parse()? {
        let started = Instant::now();
        let mut process = command.spawn()?;
        // A process that ends without asking would leave this waiting: `bench.py` has a limit of its own.
        let (mut connection, _) = listener.accept()?;
        let mut asked = [0; FIRST_POLL.len()];
        connection.read_exact(&mut asked)?;
        measured.push(u64::try_from(started.elapsed().as_micros())?);
        process.kill()?;
        process.wait()?;
        if asked != FIRST_POLL {
            return Err("its first question was another".into());
        }
    }
    writeln!(std::io::stdout(), "{measured:?}")?;
    Ok(())
}

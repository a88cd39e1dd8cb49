//! What a row costs before anything is asked of the world: read, mapped, checked, fingerprinted; beside the `csv`
//! crate, which only splits it.
//!
//! `rows time <file> <repetitions>` prints the least CPU time of either, in JSON. `rows scan <file>` and
//! `rows split <file>` do it once, for a tool that counts instructions.

use bench::people;
use csv::{ByteRecord, ReaderBuilder};
use mapping::scan::Scanner;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::error::Error;
use std::hint::black_box;
use std::io::Write;

/// As S3's bytes arrive, about.
const CHUNK: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "usage: rows scan|split <file> | rows time <file> <repetitions>";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path, rest @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let file = std::fs::read(path)?;
    match (&what[..], rest) {
        ("scan", []) => _ = scan(&file)?,
        ("split", []) => _ = split(&file)?,
        ("time", [repetitions]) => {
            let (mut scanned, mut splitted) = (f64::INFINITY, f64::INFINITY);
            let mut rows = 0;
            // By turns, so that a noisy neighbour disturbs both.
            for _ in 0..repetitions.parse()? {
                let before = cpu_nanoseconds()?;
                rows = scan(&file)?;
                let between = cpu_nanoseconds()?;
                split(&file)?;
                scanned = scanned.min(between - before);
                splitted = splitted.min(cpu_nanoseconds()? - between);
            }
            let per_row = |nanoseconds: f64| nanoseconds / rows as f64;
            let measured = serde_json::json!({
                "rows": rows,
                "bytes_a_row": file.len() as f64 / rows as f64,
                "scan_ns": per_row(scanned),
                "split_ns": per_row(splitted),
            });
            writeln!(std::io::stdout(), "{measured}")?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

/// Everything that a row goes through before it is joined with the portal's people. How many rows there were.
fn scan(file: &[u8]) -> Result<usize, Box<dyn Error>> {
    let mapping = people::mapping().map_err(|problems| format!("{problems:?}"))?;
    let mut scanner = Scanner::new(&mapping);
    for chunk in file.chunks(CHUNK) {
        let pushed = scanner.push(chunk);
        pushed.map_err(|problems| format!("{problems:?}"))?;
    }
    let scan = scanner.finish();
    let scan = black_box(scan.map_err(|problems| format!("{problems:?}"))?);
    if scan.not_accepted > 0 {
        return Err("rows were not accepted: that is not what is to be measured".into());
    }
    Ok(scan.rows.len())
}

/// The least that can be done with a row by the same library.
fn split(file: &[u8]) -> Result<usize, Box<dyn Error>> {
    let mut reader = ReaderBuilder::new()
        .buffer_capacity(CHUNK)
        .from_reader(file);
    let mut record = ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record)? {
        black_box(&record);
        rows += 1;
    }
    Ok(rows)
}

fn cpu_nanoseconds() -> Result<f64, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let microseconds = usage.user_time() + usage.system_time();
    Ok(microseconds.num_microseconds() as f64 * 1_000.0)
}

//! Writes the file of so many people to the standard output: `people <rows> [<every nth has changed>]`; or, as
//! `people mapping`, the mapping that it is read with, in JSON.

use bench::people;
use std::error::Error;
use std::io::{BufWriter, Write};

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "usage: people <rows> [<every nth has changed>] | people mapping";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout());
    if arguments.first().ok_or(USAGE)? == "mapping" {
        serde_json::to_writer(&mut out, &people::draft())?;
        out.flush()?;
        return Ok(());
    }
    let rows: u64 = arguments[0].parse()?;
    let nth: Option<u64> = arguments.get(1).map(|nth| nth.parse()).transpose()?;
    let mut text = people::header();
    for person in 0..rows {
        let changed = nth.is_some_and(|nth| person.is_multiple_of(nth));
        people::push_row(&mut text, person, changed);
        if text.len() > 1 << 20 {
            out.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

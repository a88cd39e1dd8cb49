//! Breaking things on purpose (`docs/reliability.md`): the real binaries, killed, stopped, starved of time,
//! with faults between it and the local cloud; and what must be so in spite of it. `make up` first. The
//! seed of a run is printed; `CHAOS_SEED` repeats it, `CHAOS_RUNS` makes it longer.
#![allow(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

mod credentials;
mod delivery;
mod erasing;
mod faults;
mod hands;
mod kills;
mod notices;
mod portals;
mod time_limit;
mod xero;

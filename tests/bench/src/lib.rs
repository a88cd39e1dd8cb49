//! What the benchmarks share: the people of a company that does not exist, and how their file is mapped. The
//! measuring programs are in `src/bin`; `bench.py` runs them and writes `docs/performance.md`.

pub mod people;

//! Bytes -> rows, and everything that can be wrong with a file as a whole. What a row says about a
//! person is not decided here.
//!
//! - `encoding`: which encoding the bytes are in.
//! - `lines`: where a row ends, and whether its quotation marks are in order.
//! - `cells`: a row's cells, unquoted.
//! - `header`: which column feeds which field.
//! - `reader`: the four together, fed chunk by chunk.
//! - `sample`: the beginning of a file that nothing is mapped to yet.

mod cells;
mod encoding;
mod header;
mod lines;
mod reader;
mod sample;

pub use cells::Row;
pub(crate) use encoding::BOM;
pub(crate) use header::misfit_message;
pub use header::{FEED_PROBLEM_COLUMN, Header};
pub use reader::FileReader;
pub(crate) use sample::{Sample, SampleColumn};

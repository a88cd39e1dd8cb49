//! A model of how uploads are processed, explored exhaustively: queue, lease and fencing on a simulated
//! clock and store, with workers whose steps are the calls that `process-upload` makes, in its order. What
//! must hold is said in `search.rs`; which worlds are explored, by the tests.
//!
//! A call is sent when the worker comes to it and reaches the store at any later time, so a worker that is
//! stopped, a slow network and a late write are one and the same here. What never changes (the mapping, the
//! file) is not read in the model, and handing over for want of time is left out.

#![expect(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

mod search;
mod store;
mod worker;

pub use search::{Explored, Violation, explore};
pub use store::{End, Outcome, PEOPLE, Rows, Status};

use mapping::order::{Sequencer, UploadOrder};

/// A file: its place in the order, and the value that it gives to each person.
#[derive(Clone)]
pub struct File {
    /// When it arrived, which key, which sequencer.
    pub order: UploadOrder,
    /// `None`: the file has no row of them.
    pub rows: [Option<u8>; PEOPLE],
}

impl File {
    /// A version of the object of this key, of this second.
    pub fn new(second: u8, key: &str, rows: [Option<u8>; PEOPLE]) -> Self {
        let order = UploadOrder {
            received_at: format!("2026-11-22T10:00:{second:02}.000Z"),
            key: key.to_owned(),
            sequencer: Sequencer::parse(&format!("{second:02X}")),
        };
        File { order, rows }
    }
}

/// Where the model departs from the code: breakages that must be found, and remedies of what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// Progress is stored without looking at the fence.
    ProgressWithoutFence,
    /// An upload is taken up even if a later lease has it.
    TakeUpWithoutFence,
    /// A worker goes on without knowing that its lease still lasts.
    LeaseNotChecked,
    /// A lease counts from its answer, and not from before it was asked for.
    LeaseCountedFromAnswer,
    /// The token stays when the lease changes hands.
    SameToken,
    /// The queue is not read again after the lease was given back.
    NoLookAfterGivingBack,
    /// A kept plan is planned anew when the upload is taken up again.
    KeptPlanReplanned,
    /// The entry that is planned already has to wait for older ones.
    PlannedNotFirst,
    /// What an upload wrote itself is not recognised.
    OwnWritesNotRecognised,
    /// People are written whatever their version is.
    PeopleWithoutVersion,
    /// The position is stored before the exceptions it counts on, which are then not kept.
    ExceptionsNotKept,
    /// The end of an upload leaves its entry in the queue to a second call, before it.
    EntryGoesFirst,
    /// Remedy: a plan is kept under the token of its lease, and the record says which one counts.
    PlanByToken,
    /// Remedy: that a file is planned is stored only while the portal's lease is ours.
    PlannedUnderLease,
    /// Remedy: exceptions that are gone by now are forgotten.
    NoneAreKeptToo,
}

/// A world to explore: what there is, what may go wrong, and how often.
#[derive(Clone, Default)]
pub struct Scenario {
    /// Their uploads are numbered as they stand here.
    pub files: Vec<File>,
    /// One worker each; the file that its event is about.
    pub events: Vec<usize>,
    /// What people have at first; `None`: they are not there yet.
    pub people: [Option<u8>; PEOPLE],
    /// Whether any older file of the portal comes too late.
    pub auto_disable: bool,
    /// Workers that die.
    pub crashes: u8,
    /// Calls that are made and whose answer is lost, so that the caller repeats them.
    pub lost: u8,
    /// Moments at which the clock goes on by a part of a lease or all of it, and nobody renews a lease
    /// meanwhile. Where nothing else can happen, the clock goes on anyway.
    pub pauses: u8,
    /// Values that somebody in the portal gives to the first person, one after the other.
    pub edits: Vec<u8>,
    /// How often a person who is being changed elsewhere is decided again.
    pub tries: u8,
    /// How often an upload is taken up without coming forward.
    pub takeovers: u8,
    /// Whether there is a sweep.
    pub sweep: bool,
    /// Whether all events have one request id, as those of one event that is delivered twice.
    pub one_request_id: bool,
    /// Departures from the code.
    pub twists: Vec<Twist>,
}

impl Scenario {
    fn has(&self, twist: Twist) -> bool {
        self.twists.contains(&twist)
    }
}

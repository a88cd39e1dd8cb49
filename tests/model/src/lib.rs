//! A model of how uploads are processed, explored exhaustively: queue, lease, fencing and holds on a simulated
//! clock and store, with workers whose steps are the calls that `process-upload` makes, in its order.
//!
//! - `store.rs`: what the cloud keeps of one portal.
//! - `worker.rs`: a worker, call by call.
//! - `world.rs`: store and workers together, and everything that may happen next.
//! - `rules.rs`: what must hold.
//! - `search.rs`: the way through every world.
//! - `shared.rs`: what worlds have in common.
//!
//! Which worlds are explored is said by the tests. A call is sent when the worker comes to it and reaches the
//! store at any later time, so a worker that is stopped, a slow network and a late write are one and the same
//! here. What never changes (the file, what a mapping says) is not read in the model.

#![expect(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

mod rules;
mod search;
mod shared;
mod store;
mod worker;
mod world;

pub use search::{Explored, Violation, explore};
pub use store::{Decision, End, Outcome, PEOPLE, Rows, Status};

use mapping::order::{Sequencer, UploadOrder};

/// A file: its place in the order, and the value that it gives to each person.
#[derive(Clone)]
pub struct File {
    /// When it arrived, which key, which sequencer.
    pub order: UploadOrder,
    /// `None`: the file has no row of them.
    pub rows: [Option<u8>; PEOPLE],
    /// Whose row also makes them inactive; all of that is held.
    pub disables: [bool; PEOPLE],
}

impl File {
    /// A version of the object of this key, of this second.
    pub fn new(second: u8, key: &str, rows: [Option<u8>; PEOPLE]) -> Self {
        let order = UploadOrder {
            received_at: format!("2026-11-22T10:00:{second:02}.000Z"),
            key: key.to_owned(),
            sequencer: Sequencer::parse(&format!("{second:02X}")),
        };
        File {
            order,
            rows,
            disables: [false; PEOPLE],
        }
    }

    /// The same, and these people become inactive by it, which is held.
    #[must_use]
    pub fn that_disables(self, disables: [bool; PEOPLE]) -> Self {
        File { disables, ..self }
    }
}

/// Where a scenario departs from the code: breakages, which must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Both runs of an upload write their report to the same place.
    OneReportForBothRuns,
    /// The second run believes the versions that the first one foresaw, also where it went otherwise.
    ExceptionsNotLookedAt,
    /// Progress is stored without looking at the fence.
    ProgressWithoutFence,
    /// An upload is taken up even if a later lease has it.
    TakeUpWithoutFence,
    /// A worker goes on without knowing that its lease still lasts.
    LeaseNotChecked,
    /// A lease counts from its answer, and not from before it was asked for.
    LeaseCountedFromAnswer,
    /// A renewal that arrives late takes back a later one.
    RenewedBackwards,
    /// The token stays when the lease changes hands.
    SameToken,
    /// All workers have one name, as those of one event that is delivered twice have one request id.
    OneName,
    /// A worker has its name from its event, and so has it again when the event comes again.
    NameOfTheEvent,
    /// The queue is not read again after the lease was given back.
    NoLookAfterGivingBack,
    /// An upload that a later lease has leaves the queue as one that has ended does.
    OvertakenLeaves,
    /// The end of an upload leaves its entry in the queue to a second call, before it.
    EntryGoesFirst,
    /// The entry that is planned already has to wait for older ones.
    PlannedNotFirst,
    /// The first plan that is kept of an upload counts, whoever made it and when.
    PlanKeptOnce,
    /// A kept plan is planned anew when the upload is taken up again.
    KeptPlanReplanned,
    /// That a file is planned is stored even if somebody else has the portal's lease.
    PlannedWithoutLease,
    /// What an upload wrote itself is not recognised.
    OwnWritesNotRecognised,
    /// What an upload wrote itself is recognised only until somebody changes it in the portal.
    RecognisedByLastWrite,
    /// A person whom an upload created is known to it by their address alone when it is to create them again.
    CreatedKnownByAddress,
    /// People are written whatever their version is.
    PeopleWithoutVersion,
    /// The position is stored without the exceptions it counts on.
    ExceptionsNotKept,
    /// Exceptions that were kept stay when there are none any more.
    GoneExceptionsStay,
    /// Progress is stored even if the position is further already.
    PositionGoesBack,
    /// Progress that knows no plan is stored even if there is one.
    PlanGoesBack,
    /// Exceptions are kept by token alone, and not by position too.
    ExceptionsByToken,
    /// Who changes an address does not look whether a file is planned that nobody works on.
    MovesDespitePlan,
    /// An address is changed even if somebody else has the portal's lease.
    MovesWithoutLease,
    /// A plan is kept by upload and token alone, whichever run it is of.
    PlanKeyWithoutRun,
    /// The same of exceptions.
    ExceptionsKeyWithoutRun,
    /// What a run stores of an upload is stored whichever run the upload has.
    NoRunNumber,
    /// A hold is approved whatever the upload and the portal are by then.
    ApprovedUnseen,
    /// An approval leaves plan, position and exceptions of the first run where they are.
    FirstRunNotPutAside,
    /// An approval leaves the upload's entry in the queue to nobody.
    ApprovedWithoutEntry,
    /// It is not looked whether something has ended the hold before it begins.
    NoLookBeforeHold,
    /// The same right after it has begun.
    NoLookAfterHold,
    /// The same when the approved run begins.
    NoLookAtBegin,
    /// A newer file that is planned leaves the older one's hold.
    HoldNotEnded,
    /// A replay that is planned leaves the hold of what it repeats.
    HoldNotEndedByReplay,
    /// The entry of an upload that has ended leaves the queue even if an approval has put another in its place.
    AnyEntryLeaves,
    /// What an upload wrote itself is recognised by the upload alone, and not by its run.
    RecognisedByUpload,
}

/// A world to explore: what there is, what may go wrong, and how often.
#[derive(Clone, Default)]
pub struct Scenario {
    /// Their uploads are numbered as they stand here.
    pub files: Vec<File>,
    /// Files that came before everything else, one after the other and undisturbed.
    pub before: Vec<usize>,
    /// One worker each; the file that its event is about.
    pub events: Vec<usize>,
    /// What people have at first; `None`: they are not there yet.
    pub people: [Option<u8>; PEOPLE],
    /// Whether any older file of the portal comes too late.
    pub auto_disable: bool,
    /// Workers that die.
    pub crashes: u8,
    /// Workers whose time is up, and who hand over.
    pub handovers: u8,
    /// Calls that are made and whose answer is lost, so that the caller repeats them.
    pub lost: u8,
    /// Calls that the caller repeats, and that are made all the same at any later time.
    pub late: u8,
    /// Moments at which the clock goes on by a part of a lease or all of it, and nobody renews a lease
    /// meanwhile. Where nothing else can happen, the clock goes on anyway.
    pub pauses: u8,
    /// Whom somebody in the portal gives which value, one after the other.
    pub edits: Vec<(usize, u8)>,
    /// Who moves to another address in the portal, one after the other. With one file only: plans do not look
    /// at who was created in the place of whom.
    pub moves: Vec<usize>,
    /// The same as the code has it: each by somebody who takes the lease for it, beside the workers.
    pub movers: Vec<usize>,
    /// Who decides a hold of which upload, and how: each comes as soon as that is held, or later, beside the
    /// workers.
    pub decisions: Vec<(usize, Decision)>,
    /// Whether somebody saves a new mapping, at any time. It reads files as the old one does.
    pub new_mapping: bool,
    /// How often a person who is being changed elsewhere is decided again.
    pub tries: u8,
    /// How often an upload is taken up without coming forward.
    pub takeovers: u8,
    /// Whether there is a sweep.
    pub sweep: bool,
    /// Departures from the code.
    pub departures: Vec<Departure>,
}

impl Scenario {
    fn has(&self, departure: Departure) -> bool {
        self.departures.contains(&departure)
    }

    /// Whether there can be holds at all.
    fn has_holds(&self) -> bool {
        self.files.iter().any(|file| file.disables.contains(&true))
    }

    /// The first file that has the key of this one.
    fn key_of(&self, file: usize) -> usize {
        let key = &self.files[file].order.key;
        let first = self.files.iter().position(|file| file.order.key == *key);
        first.unwrap()
    }
}

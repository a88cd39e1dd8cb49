//! The same where something is held, which is approved, rejected or superseded; what is approved is done in a
//! second run.

use crate::{broken, holds, undisturbed};
use model::Decision::{Approve, Reject, Superseded};
use model::{Departure, File, Scenario, Status};

/// One file, which gives a person another value and makes them inactive, and somebody who approves that.
fn held_person() -> Scenario {
    Scenario {
        files: vec![File::new(3, "1/a.csv", [Some(1), None]).that_disables([true, false])],
        events: vec![0],
        people: [Some(0), None],
        decisions: vec![(0, Approve)],
        tries: 5,
        takeovers: 5,
        sweep: true,
        ..Scenario::default()
    }
}

/// The same with a second person, of whom the file says nothing new but that they are to be inactive.
fn held_people() -> Scenario {
    Scenario {
        files: vec![File::new(3, "1/a.csv", [Some(1), Some(0)]).that_disables([true, true])],
        people: [Some(0), Some(0)],
        ..held_person()
    }
}

/// The same, and nobody is changed before it is approved.
fn only_held() -> Scenario {
    Scenario {
        files: vec![File::new(3, "1/a.csv", [Some(0), None]).that_disables([true, false])],
        ..held_person()
    }
}

/// One file of which something is held, and a newer one about the same person.
fn held_and_newer(key_of_newer: &str) -> Scenario {
    let mut scenario = held_person();
    scenario
        .files
        .push(File::new(5, key_of_newer, [Some(2), None]));
    Scenario {
        events: vec![0, 1],
        ..scenario
    }
}

/// The same, and of the newer one something is held too.
fn both_held() -> Scenario {
    let mut scenario = held_and_newer("1/b.csv");
    let newer = scenario.files.pop().unwrap();
    scenario.files.push(newer.that_disables([true, false]));
    scenario
}

/// One file of which something is held, and a replay of it.
fn replayed() -> Scenario {
    let mut scenario = held_person();
    scenario.files.push(scenario.files[0].clone());
    Scenario {
        before: vec![0],
        events: vec![1],
        ..scenario
    }
}

/// One file of which something is held, and a new mapping.
fn held_and_mapped() -> Scenario {
    Scenario {
        new_mapping: true,
        ..held_person()
    }
}

/// The first file has come and is held.
fn from_the_hold_on(scenario: Scenario) -> Scenario {
    Scenario {
        before: vec![0],
        events: scenario.events[1..].to_vec(),
        ..scenario
    }
}

/// One thing that goes wrong, of every kind.
fn disturbed(scenario: &Scenario) -> [Scenario; 5] {
    let kinds = [
        (1, 0, 0, 0, 0),
        (0, 1, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (0, 0, 0, 1, 0),
        (0, 0, 0, 0, 1),
    ];
    kinds.map(|(crashes, lost, late, handovers, pauses)| Scenario {
        crashes,
        lost,
        late,
        handovers,
        pauses,
        ..scenario.clone()
    })
}

#[track_caller]
fn holds_disturbed(scenario: &Scenario) {
    for scenario in disturbed(scenario) {
        holds(&scenario);
    }
}

#[test]
fn what_is_approved_is_done_once_and_what_is_not_is_never_done() {
    for (decision, active) in [(Some(Approve), false), (Some(Reject), true), (None, true)] {
        let scenario = Scenario {
            decisions: decision.map(|decision| (0, decision)).into_iter().collect(),
            ..held_people()
        };
        let ends = undisturbed(&scenario).ends;
        assert_eq!(ends.len(), 1);
        for (uploads, people) in ends {
            assert_eq!(people, [Some((1, 0, active)), Some((0, 0, active))]);
            let upload = uploads[0].as_ref().unwrap();
            assert_eq!(upload.decision, decision);
            assert_eq!(upload.status == Status::Held, decision.is_none());
        }
        holds_disturbed(&scenario);
    }
}

#[test]
fn a_second_run_goes_on_with_its_own_plan_and_comes_to_the_same_end() {
    for (crashes, lost, late) in [(2, 0, 0), (1, 1, 0), (1, 0, 1)] {
        holds(&Scenario {
            crashes,
            lost,
            late,
            ..from_the_hold_on(held_people())
        });
    }
}

#[test]
fn what_was_under_way_in_the_first_run_changes_nothing_in_the_second() {
    for (late, handovers, scenario) in [(2, 0, held_person()), (1, 1, only_held())] {
        holds(&Scenario {
            late,
            handovers,
            ..scenario
        });
    }
}

#[test]
fn of_two_who_decide_one_is_heard() {
    let deciding = |first, second| Scenario {
        decisions: vec![(0, first), (0, second)],
        ..held_person()
    };
    for (first, second, ends) in [
        (Approve, Reject, 2),
        (Approve, Approve, 1),
        (Reject, Reject, 1),
    ] {
        assert_eq!(undisturbed(&deciding(first, second)).ends.len(), ends);
    }
    holds_disturbed(&from_the_hold_on(deciding(Approve, Reject)));
    holds(&from_the_hold_on(Scenario {
        late: 1,
        ..deciding(Approve, Approve)
    }));
}

#[test]
fn a_file_whose_event_comes_twice_is_held_and_approved_once() {
    holds(&Scenario {
        events: vec![0, 0],
        ..only_held()
    });
}

/// Whether it comes before the file that is held, after it, or when that is approved.
#[test]
fn nothing_that_was_held_is_done_after_a_newer_file() {
    for scenario in [
        held_and_newer("1/a.csv"),
        held_and_newer("1/b.csv"),
        both_held(),
    ] {
        for (uploads, people) in undisturbed(&scenario).ends {
            let held = uploads[0].as_ref().unwrap();
            let active = people[0].is_some_and(|(_, _, active)| active);
            assert_eq!(held.decision != Some(Approve), active);
            if held.status == Status::Completed {
                assert!(matches!(held.decision, Some(Approve | Superseded)));
            }
        }
    }
    for scenario in [held_and_newer("1/a.csv"), both_held()] {
        holds_disturbed(&from_the_hold_on(scenario));
    }
}

#[test]
fn two_holds_are_decided_one_after_the_other() {
    holds(&from_the_hold_on(Scenario {
        decisions: vec![(0, Approve), (1, Approve)],
        lost: 1,
        ..both_held()
    }));
}

#[test]
fn nothing_that_was_held_is_begun_after_a_new_mapping() {
    undisturbed(&held_and_mapped());
    holds(&Scenario {
        late: 1,
        ..held_and_mapped()
    });
    holds_disturbed(&from_the_hold_on(held_and_mapped()));
}

#[test]
fn whoever_is_changed_before_what_was_held_is_done_is_left_alone() {
    // To another value, and to what the file is about to give them.
    for value in [7, 1] {
        for (crashes, late) in [(1, 0), (0, 1)] {
            holds(&Scenario {
                edits: vec![(0, value)],
                crashes,
                late,
                ..held_person()
            });
        }
    }
}

#[test]
fn a_replay_ends_the_hold_of_what_it_repeats() {
    holds_disturbed(&replayed());
    undisturbed(&Scenario {
        decisions: vec![(0, Approve), (1, Approve)],
        ..replayed()
    });
}

/// The approval wakes somebody, or somebody who has the lease looks once more.
#[test]
fn no_approval_is_forgotten_while_nobody_dies() {
    for scenario in [held_people(), held_and_newer("1/b.csv")] {
        holds(&Scenario {
            sweep: false,
            ..scenario
        });
    }
}

/// Otherwise the tests above would say nothing.
#[test]
fn every_breakage_of_a_hold_is_found() {
    use Departure::*;
    let crash = |scenario| Scenario {
        crashes: 1,
        ..scenario
    };
    let late = |scenario| Scenario {
        late: 1,
        ..scenario
    };
    let undecided = |scenario| Scenario {
        decisions: Vec::new(),
        ..scenario
    };
    // What the first run meets and what the second one meets is kept under one token, at one position.
    let both_meet_something = Scenario {
        files: vec![File::new(3, "1/a.csv", [Some(1), Some(0)]).that_disables([false, true])],
        people: [Some(0), Some(0)],
        edits: vec![(0, 1), (1, 7)],
        ..held_person()
    };
    // The newer one was planned before.
    let too_late = Scenario {
        before: vec![1],
        events: vec![0],
        ..held_and_newer("1/b.csv")
    };
    let twice = Scenario {
        decisions: vec![(0, Reject), (0, Approve)],
        ..held_person()
    };
    let event_twice = Scenario {
        events: vec![0, 0],
        ..only_held()
    };
    let undisturbed = "it ends as it would undisturbed";
    for (departure, scenario, rule) in [
        (
            PlanKeyWithoutRun,
            crash(held_person()),
            "a person who was written counts as what was written",
        ),
        (
            ExceptionsKeyWithoutRun,
            crash(both_meet_something),
            "whoever writes a report writes the same",
        ),
        (
            NoRunNumber,
            late(held_person()),
            "nobody touches an upload in a later run",
        ),
        (ApprovedUnseen, twice, "a hold is decided once"),
        (FirstRunNotPutAside, held_person(), undisturbed),
        (
            ApprovedWithoutEntry,
            held_person(),
            "an upload that has not ended is in the queue",
        ),
        (
            AnyEntryLeaves,
            event_twice,
            "an upload that has not ended is in the queue",
        ),
        (NoLookBeforeHold, crash(undecided(too_late)), undisturbed),
        (NoLookAfterHold, undecided(held_and_mapped()), undisturbed),
        (
            NoLookAtBegin,
            from_the_hold_on(held_and_newer("1/a.csv")),
            "nothing that was held is done after a newer file",
        ),
        (
            NoLookAtBegin,
            from_the_hold_on(held_and_mapped()),
            "what was superseded before its turn is not done",
        ),
        (
            HoldNotEnded,
            from_the_hold_on(both_held()),
            "the portal's hold is the upload that is held",
        ),
        (
            HoldNotEndedByReplay,
            replayed(),
            "the portal's hold is the upload that is held",
        ),
        (RecognisedByUpload, held_person(), undisturbed),
        (
            OneReportForBothRuns,
            Scenario {
                late: 1,
                ..held_person()
            },
            "whoever writes a report writes the same",
        ),
        (
            ExceptionsNotLookedAt,
            Scenario {
                edits: vec![(0, 1)],
                ..held_person()
            },
            "nobody becomes inactive who was changed since that was planned",
        ),
    ] {
        let scenario = Scenario {
            departures: vec![departure],
            ..scenario
        };
        assert_eq!(broken(&scenario), rule, "{departure:?}");
    }
}

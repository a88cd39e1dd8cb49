//! What must hold however workers, crashes, lost answers, late calls, pauses and people in the portal meet.
//! Each test explores every world that its scenario allows; with `--nocapture` it says how many, and tells
//! what was found.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in tests a panic is how a test fails"
)]

mod holds;

use model::{Departure, Explored, File, Scenario, Status, explore};

/// One file, whose event is delivered twice: the first person has another value, the second is new.
fn one_file() -> Scenario {
    Scenario {
        files: vec![File::new(5, "1/a.csv", [Some(1), Some(1)])],
        events: vec![0, 0],
        people: [Some(0), None],
        tries: 5,
        takeovers: 5,
        sweep: true,
        ..Scenario::default()
    }
}

/// The same with one person.
fn one_person() -> Scenario {
    Scenario {
        files: vec![File::new(5, "1/a.csv", [Some(1), None])],
        ..one_file()
    }
}

/// The same with nobody.
fn nobody() -> Scenario {
    Scenario {
        files: vec![File::new(5, "1/a.csv", [None, None])],
        ..one_file()
    }
}

/// A file, and one that is older and whose event may come later: what the newer one says of the first person
/// is so already, until the older one is applied.
fn two_files(key_of_older: &str) -> Scenario {
    Scenario {
        files: vec![
            File::new(5, "1/a.csv", [Some(1), Some(1)]),
            File::new(3, key_of_older, [Some(2), Some(2)]),
        ],
        events: vec![0, 1],
        people: [Some(1), Some(0)],
        ..one_file()
    }
}

/// The same, of one key and with one person.
fn two_versions() -> Scenario {
    Scenario {
        files: vec![
            File::new(5, "1/a.csv", [Some(1), None]),
            File::new(3, "1/a.csv", [Some(2), None]),
        ],
        ..two_files("1/a.csv")
    }
}

/// One worker, and two changes of the second person: what the file is about to do, and back.
fn there_and_back() -> Scenario {
    Scenario {
        events: vec![0],
        people: [Some(0), Some(0)],
        edits: vec![(1, 1), (1, 0)],
        ..one_file()
    }
}

/// One worker, and somebody who does for both people what the file is about to do.
fn both_before() -> Scenario {
    Scenario {
        edits: vec![(0, 1), (1, 1)],
        ..there_and_back()
    }
}

/// One worker, and somebody who gives another value to the person whom the file creates.
fn written_and_changed() -> Scenario {
    Scenario {
        people: [Some(0), None],
        edits: vec![(1, 7)],
        ..there_and_back()
    }
}

/// One worker, and the person whom the file creates moves to another address.
fn written_and_moved() -> Scenario {
    Scenario {
        edits: Vec::new(),
        moves: vec![1],
        ..written_and_changed()
    }
}

/// The same with a person who is there already, so that the file may create another one.
fn moved_before() -> Scenario {
    Scenario {
        people: [Some(0), Some(0)],
        ..written_and_moved()
    }
}

/// One worker, and somebody who takes the lease to give the person another address.
fn moved_under_the_lease() -> Scenario {
    Scenario {
        events: vec![0],
        movers: vec![0],
        ..one_person()
    }
}

/// Without any disturbance, and as the code is.
fn undisturbed(scenario: &Scenario) -> Explored {
    let calm = Scenario {
        crashes: 0,
        handovers: 0,
        lost: 0,
        late: 0,
        pauses: 0,
        departures: Vec::new(),
        ..scenario.clone()
    };
    explore(&calm, None).unwrap()
}

#[track_caller]
fn holds(scenario: &Scenario) -> Explored {
    let explored = explore(scenario, Some(&undisturbed(scenario).ends)).unwrap();
    println!("{} states", explored.states);
    explored
}

/// The rule that the scenario breaks.
#[track_caller]
fn broken(scenario: &Scenario) -> &'static str {
    let violation = explore(scenario, Some(&undisturbed(scenario).ends)).unwrap_err();
    println!("{violation:?}");
    violation.rule
}

#[test]
fn crashes_and_lost_answers_do_not_change_how_an_upload_ends() {
    assert_eq!(undisturbed(&one_file()).ends.len(), 1);
    for (crashes, lost) in [(2, 0), (0, 2), (1, 1)] {
        holds(&Scenario {
            crashes,
            lost,
            ..one_file()
        });
    }
}

#[test]
fn a_worker_that_stops_and_wakes_up_changes_nothing_any_more() {
    holds(&Scenario {
        pauses: 1,
        ..one_file()
    });
    holds(&Scenario {
        pauses: 1,
        lost: 1,
        ..one_person()
    });
}

#[test]
fn a_worker_may_stop_while_another_one_dies() {
    holds(&Scenario {
        pauses: 1,
        crashes: 1,
        ..one_person()
    });
}

#[test]
fn a_worker_whose_time_is_up_hands_over() {
    for (crashes, scenario) in [(0, one_file()), (1, one_person()), (0, two_versions())] {
        holds(&Scenario {
            handovers: 1,
            crashes,
            ..scenario
        });
    }
}

#[test]
fn what_was_under_way_when_a_worker_hands_over_changes_nothing() {
    holds(&Scenario {
        handovers: 1,
        late: 1,
        ..one_person()
    });
}

#[test]
fn a_call_that_arrives_once_more_and_late_changes_nothing() {
    for scenario in [one_file(), two_files("1/a.csv"), two_files("1/b.csv")] {
        holds(&Scenario {
            late: 1,
            ..scenario
        });
    }
}

#[test]
fn no_wake_up_is_lost_while_nobody_dies() {
    for scenario in [one_file(), two_files("1/a.csv"), two_files("1/b.csv")] {
        holds(&Scenario {
            lost: 1,
            sweep: false,
            ..scenario
        });
    }
}

#[test]
fn what_somebody_in_the_portal_changes_meanwhile_is_kept() {
    let changed = Scenario {
        people: [None, Some(0)],
        edits: vec![(1, 7)],
        tries: 1,
        ..one_file()
    };
    let last_only = [File::new(5, "1/a.csv", [None, Some(1)])];
    holds(&Scenario {
        events: vec![0],
        crashes: 1,
        lost: 1,
        ..changed.clone()
    });
    holds(&Scenario {
        files: last_only.to_vec(),
        crashes: 1,
        ..changed
    });
    holds(&Scenario {
        crashes: 1,
        lost: 1,
        ..there_and_back()
    });
}

#[test]
fn exceptions_that_are_gone_do_not_come_back() {
    for scenario in [there_and_back(), both_before()] {
        holds(&Scenario {
            crashes: 2,
            ..scenario
        });
    }
}

#[test]
fn an_upload_is_given_up_only_when_it_was_taken_over_too_often() {
    let failed = |crashes| {
        let scenario = Scenario {
            events: vec![0],
            crashes,
            takeovers: 2,
            ..one_file()
        };
        let ends = explore(&scenario, None).unwrap().ends;
        ends.into_iter().any(|(ends, _)| {
            ends.iter()
                .flatten()
                .any(|end| end.status == Status::Failed)
        })
    };
    assert!(!failed(1));
    assert!(failed(2));
}

#[test]
fn files_about_different_people_do_not_meet() {
    let apart = Scenario {
        files: vec![
            File::new(5, "1/a.csv", [Some(2), None]),
            File::new(3, "1/b.csv", [None, Some(2)]),
        ],
        ..two_files("1/b.csv")
    };
    for (crashes, pauses) in [(1, 0), (0, 1)] {
        let explored = holds(&Scenario {
            crashes,
            pauses,
            ..apart.clone()
        });
        assert_eq!(explored.ends.len(), 1);
    }
}

/// Whether the older one is applied first or rejected.
#[test]
fn of_two_versions_the_newer_one_has_the_last_word() {
    for (key, auto_disable) in [("1/a.csv", false), ("1/a.csv", true), ("1/b.csv", true)] {
        let ends = undisturbed(&Scenario {
            auto_disable,
            ..two_files(key)
        })
        .ends;
        assert_eq!(ends.len(), 2);
        for (uploads, people) in ends {
            assert_eq!(people, [Some((1, 0, true)); 2]);
            assert_eq!(uploads[0].as_ref().unwrap().status, Status::Completed);
        }
    }
}

#[test]
fn a_plan_counts_only_for_the_lease_that_made_it_until_it_is_stored_that_it_counts() {
    for key in ["1/a.csv", "1/b.csv"] {
        holds(&Scenario {
            crashes: 1,
            ..two_files(key)
        });
    }
}

#[test]
fn a_file_is_planned_only_while_nobody_else_has_the_lease() {
    holds(&Scenario {
        pauses: 1,
        ..two_versions()
    });
}

#[test]
fn a_lease_that_was_asked_for_before_does_not_pass_for_the_one_of_now() {
    holds(&Scenario {
        crashes: 1,
        late: 1,
        ..nobody()
    });
}

#[test]
fn late_progress_and_late_exceptions_put_nothing_back() {
    for scenario in [there_and_back(), both_before(), written_and_changed()] {
        holds(&Scenario {
            crashes: 1,
            late: 1,
            ..scenario
        });
    }
}

#[test]
fn whom_somebody_changes_after_they_were_written_is_not_written_again() {
    for (crashes, lost, handovers) in [(2, 0, 0), (1, 1, 0), (1, 0, 1)] {
        holds(&Scenario {
            crashes,
            lost,
            handovers,
            ..written_and_changed()
        });
    }
}

#[test]
fn whoever_moves_to_another_address_meanwhile_is_left_alone_and_created_once() {
    for scenario in [written_and_moved(), moved_before()] {
        for (crashes, lost, handovers, late) in
            [(2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 0, 1), (0, 0, 1, 1)]
        {
            holds(&Scenario {
                crashes,
                lost,
                handovers,
                late,
                ..scenario.clone()
            });
        }
    }
}

#[test]
fn whoever_moves_under_the_lease_moves_before_a_plan_or_after_its_end_and_nobody_waits_for_ever() {
    for (crashes, lost, handovers, late, pauses) in [
        (2, 0, 0, 0, 0),
        (1, 1, 0, 0, 0),
        (1, 0, 0, 1, 0),
        (0, 0, 1, 1, 0),
        (0, 0, 0, 0, 1),
    ] {
        holds(&Scenario {
            crashes,
            lost,
            handovers,
            late,
            pauses,
            ..moved_under_the_lease()
        });
    }
    // No sweep: whoever frees the lease looks whether somebody came meanwhile.
    holds(&Scenario {
        sweep: false,
        ..moved_under_the_lease()
    });
}

/// Otherwise the tests above would say nothing.
#[test]
fn every_breakage_is_found() {
    use Departure::*;
    let crash = |scenario| Scenario {
        crashes: 1,
        ..scenario
    };
    let pause = |scenario| Scenario {
        pauses: 1,
        ..scenario
    };
    let renewals = Scenario {
        pauses: 2,
        late: 1,
        sweep: false,
        ..nobody()
    };
    let calm = Scenario {
        sweep: false,
        ..two_files("1/b.csv")
    };
    let change = Scenario {
        edits: vec![(1, 1)],
        ..there_and_back()
    };
    let late = |scenario| Scenario {
        late: 1,
        ..crash(scenario)
    };
    let two = || two_files("1/b.csv");
    let too_long = "nobody takes a lease to last longer than it does";
    let alone = "who may send has the lease, alone";
    let fenced = "nobody touches an upload that a later lease has";
    let queued = "an upload that has not ended is in the queue";
    let ended = "every upload comes to its end";
    let newest = "the newest planned file of a key is never an older one";
    let undisturbed = "it ends as it would undisturbed";
    let counted = "a person who was written counts as what was written";
    let report = "whoever writes a report writes the same";
    let beside = "what somebody changed beside the file is kept";
    let planned = "what is planned is not planned once more";
    let created_once = "a row creates one person";
    let twice = "nobody is written twice by one upload";
    let unmoved = "nobody moves between a file's plan and its end";
    for (departures, scenario, rule) in [
        (vec![ProgressWithoutFence], pause(one_file()), fenced),
        (vec![TakeUpWithoutFence], pause(one_file()), fenced),
        (vec![LeaseNotChecked], pause(two_versions()), report),
        (vec![LeaseCountedFromAnswer], pause(one_file()), too_long),
        (vec![RenewedBackwards], renewals, too_long),
        (vec![SameToken], pause(two_versions()), newest),
        (vec![OneName], one_file(), alone),
        (vec![NameOfTheEvent], late(nobody()), too_long),
        (vec![NoLookAfterGivingBack], calm.clone(), ended),
        // Whoever is overtaken has lost the lease, and mostly knows it.
        (
            vec![OvertakenLeaves, LeaseNotChecked],
            pause(one_person()),
            queued,
        ),
        (vec![EntryGoesFirst], calm, queued),
        (vec![PlannedNotFirst], crash(two()), undisturbed),
        (vec![PlanKeptOnce], crash(two()), undisturbed),
        (vec![KeptPlanReplanned], crash(one_file()), planned),
        (vec![PlannedWithoutLease], pause(two_versions()), newest),
        (vec![OwnWritesNotRecognised], crash(one_file()), counted),
        (
            vec![RecognisedByLastWrite],
            crash(written_and_changed()),
            twice,
        ),
        (
            vec![CreatedKnownByAddress],
            crash(written_and_moved()),
            created_once,
        ),
        (vec![PeopleWithoutVersion], crash(change.clone()), beside),
        (vec![ExceptionsNotKept], crash(change), report),
        (vec![PositionGoesBack], late(there_and_back()), report),
        (vec![PlanGoesBack], late(one_person()), planned),
        (vec![ExceptionsByToken], late(both_before()), report),
        (
            vec![MovesDespitePlan],
            Scenario {
                handovers: 1,
                ..moved_under_the_lease()
            },
            unmoved,
        ),
        (
            vec![MovesWithoutLease],
            late(moved_under_the_lease()),
            unmoved,
        ),
        (
            vec![NoLookAfterGivingBack],
            Scenario {
                sweep: false,
                ..moved_under_the_lease()
            },
            ended,
        ),
        (
            vec![GoneExceptionsStay],
            Scenario {
                crashes: 2,
                ..there_and_back()
            },
            report,
        ),
    ] {
        let scenario = Scenario {
            departures,
            ..scenario
        };
        assert_eq!(broken(&scenario), rule, "{:?}", scenario.departures);
    }
}

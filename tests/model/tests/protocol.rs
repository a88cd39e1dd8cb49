//! What must hold however workers, crashes, lost answers, pauses and people in the portal meet. Each test
//! explores every world that its scenario allows; with `--nocapture` it says how many, and tells what was found.
//!
//! `found_…` are defects of the protocol as it is built, each with the remedy under which nothing is found.
//! Once the code has the remedy, it is no departure any more and becomes the model's own rule.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in tests a panic is how a test fails"
)]

use model::{Explored, File, Scenario, Status, Twist, explore};

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

/// One worker, and two changes of the second person: what the file is about to do, and back.
fn there_and_back() -> Scenario {
    Scenario {
        events: vec![0],
        people: [Some(0), Some(0)],
        edits: vec![1, 0],
        ..one_file()
    }
}

/// Without any disturbance, and as the code is.
fn undisturbed(scenario: &Scenario) -> Explored {
    let calm = Scenario {
        crashes: 0,
        lost: 0,
        pauses: 0,
        one_request_id: false,
        twists: Vec::new(),
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
        edits: vec![7],
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
            assert_eq!(people, [Some((1, 0)), Some((1, 0))]);
            assert_eq!(uploads[0].as_ref().unwrap().status, Status::Completed);
        }
    }
}

/// Found: a plan that was kept by a worker that died before it stored that counts later, although an older
/// file was applied in between.
#[test]
fn found_a_kept_plan_outlives_an_older_file() {
    for key in ["1/a.csv", "1/b.csv"] {
        let scenario = Scenario {
            crashes: 1,
            ..two_files(key)
        };
        assert_eq!(broken(&scenario), "it ends as it would undisturbed");
        holds(&Scenario {
            twists: vec![Twist::PlanByToken],
            ..scenario
        });
    }
}

/// Found: a worker that stops before it stores that its file is planned does so while another one is in the
/// middle of an older file. The fence is of the upload; nobody else has taken that one up yet.
#[test]
fn found_a_file_is_planned_late_while_an_older_one_is_processed() {
    let with = |twists: &[Twist]| Scenario {
        files: vec![
            File::new(5, "1/a.csv", [Some(1), None]),
            File::new(3, "1/a.csv", [Some(2), None]),
        ],
        pauses: 1,
        twists: twists.to_vec(),
        ..two_files("1/a.csv")
    };
    let back = "the newest planned file of a key is never an older one";
    assert_eq!(broken(&with(&[])), back);
    assert_eq!(broken(&with(&[Twist::PlanByToken])), back);
    assert_eq!(
        broken(&with(&[Twist::PlannedUnderLease])),
        "it ends as it would undisturbed"
    );
    holds(&with(&[Twist::PlanByToken, Twist::PlannedUnderLease]));
}

/// Found: Lambda may deliver one event twice at once, with one request id, and that is the owner's name.
#[test]
fn found_one_request_id_makes_two_holders_of_one_lease() {
    let scenario = Scenario {
        one_request_id: true,
        ..one_file()
    };
    assert_eq!(broken(&scenario), "who may send has the lease, alone");
}

/// Found: exceptions that were kept and are none any more come back after the next crash.
#[test]
fn found_exceptions_that_are_gone_come_back() {
    let scenario = Scenario {
        crashes: 2,
        ..there_and_back()
    };
    assert_eq!(broken(&scenario), "whoever writes a report writes the same");
    holds(&Scenario {
        twists: vec![Twist::NoneAreKeptToo],
        ..scenario
    });
}

/// Otherwise the tests above would say nothing.
#[test]
fn every_breakage_is_found() {
    let crash = Scenario {
        crashes: 1,
        ..one_file()
    };
    let pause = Scenario {
        pauses: 1,
        ..one_file()
    };
    let calm = Scenario {
        sweep: false,
        ..two_files("1/b.csv")
    };
    let change = Scenario {
        crashes: 1,
        edits: vec![1],
        ..there_and_back()
    };
    let (queued, alone) = (
        "an upload that has not ended is in the queue",
        "who may send has the lease, alone",
    );
    let (undisturbed, counted) = (
        "it ends as it would undisturbed",
        "a person who was written counts as what was written",
    );
    let fenced = "nobody touches an upload that a later lease has";
    let remedied = vec![Twist::PlanByToken, Twist::PlannedUnderLease];
    let two_crash = Scenario {
        crashes: 1,
        twists: remedied,
        ..two_files("1/b.csv")
    };
    for (twist, scenario, rule) in [
        (Twist::ProgressWithoutFence, &pause, fenced),
        (Twist::TakeUpWithoutFence, &pause, fenced),
        (Twist::LeaseNotChecked, &pause, queued),
        (Twist::LeaseCountedFromAnswer, &pause, alone),
        (Twist::SameToken, &two_crash, undisturbed),
        (
            Twist::NoLookAfterGivingBack,
            &calm,
            "every upload comes to its end",
        ),
        (Twist::KeptPlanReplanned, &crash, counted),
        (Twist::PlannedNotFirst, &two_crash, undisturbed),
        (Twist::OwnWritesNotRecognised, &crash, counted),
        (
            Twist::PeopleWithoutVersion,
            &change,
            "what somebody changed beside the file is kept",
        ),
        (
            Twist::ExceptionsNotKept,
            &change,
            "whoever writes a report writes the same",
        ),
        (Twist::EntryGoesFirst, &calm, queued),
    ] {
        let mut scenario = scenario.clone();
        scenario.twists.push(twist);
        assert_eq!(broken(&scenario), rule, "{twist:?}");
    }
}

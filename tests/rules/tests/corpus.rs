//! Every file that `fuzz/` has found is asked again what must hold of any file. `fuzz/found/` keeps those for
//! which something did not, under names that say what it was.
#![allow(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

use rules::fuzzed::check;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let folder = fs::read_dir(fuzz.join(folder)).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn everything_holds_of_every_file_that_was_found() {
    let files = [files("corpus/plan"), files("found")].concat();
    let mut met = BTreeSet::new();
    let mut failed = Vec::new();
    for file in files {
        let data = fs::read(&file).unwrap();
        match std::panic::catch_unwind(|| check(&data)) {
            Ok(lines) => met.extend(lines),
            Err(_) => failed.push(file),
        }
    }
    assert!(failed.is_empty(), "something does not hold of {failed:#?}");
    // What is never met is not checked.
    for line in MET {
        assert!(met.contains(line), "no file comes to {line}");
    }
}

/// Outcomes and codes that the files come to.
const MET: [&str; 36] = [
    "created ",
    "updated ",
    "enabled ",
    "disabled ",
    "held too_many_disables",
    "held too_few_rows",
    "held too_many_not_processed",
    "held malformed_rows",
    "held identity_changed",
    "not_processed wrong_field_count",
    "not_processed missing_value",
    "not_processed value_too_long",
    "not_processed forbidden_character",
    "not_processed invalid_email",
    "not_processed invalid_status",
    "not_processed unknown_role",
    "not_processed conflicting_row",
    "not_processed email_taken",
    "warning duplicate_row",
    "warning email_shared_with_other_portal",
    "warning group_not_found",
    "warning manager_not_found",
    "warning manager_self",
    "warning manager_loop",
    "warning protected_user",
    "warning changed_meanwhile",
    "rejected empty_file",
    "rejected header_only",
    "rejected missing_header",
    "rejected duplicate_header",
    "rejected invalid_utf8",
    "rejected utf16",
    "rejected double_encoded",
    "rejected wrong_delimiter",
    "rejected unclosed_quote",
    "rejected text_after_quote",
];

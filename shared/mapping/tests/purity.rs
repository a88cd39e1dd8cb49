//! This crate decides and touches nothing: no AWS, no runtime, no clock, no environment, no files. Its
//! manifest says so, and its sources.
#![allow(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

use std::path::Path;

/// Parsers, hashes and derives: crates that compute and do nothing else.
const PURE: [&str; 10] = [
    "csv",
    "csv-core",
    "memchr",
    "petgraph",
    "postcard",
    "serde",
    "thiserror",
    "unicode-normalization",
    "uuid",
    "xxhash-rust",
];

/// What would reach the world through the standard library.
const IMPURE: [&str; 8] = [
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "TcpStream",
    "stdin",
];

#[test]
fn the_manifest_names_pure_crates_only() {
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
    let dependencies = after
        .split("\n[")
        .next()
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty());
    let names: Vec<&str> = dependencies
        .map(|line| line.split(['.', ' ', '=']).next().unwrap())
        .collect();
    assert_eq!(names, PURE);
}

#[test]
fn no_source_reaches_for_the_world() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for word in IMPURE {
                assert!(!source.contains(word), "{} mentions {word}", path.display());
            }
            read += 1;
        }
    }
    assert!(read > 10, "only {read} sources were read");
}

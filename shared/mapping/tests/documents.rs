//! The documents are true: the README's table of problem codes is the catalogue
//! (`UPDATE_README=1 cargo test --workspace --test documents` writes it anew), the FAQ names tests that exist,
//! and links lead somewhere.
#![allow(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

use mapping::problem::ProblemCode;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- problem codes: begin -->\n";
const END: &str = "<!-- problem codes: end -->";

fn table() -> String {
    let mut table = "| code | costs | what it means | what to do |\n|---|---|---|---|\n".to_owned();
    for code in ProblemCode::ALL {
        let line = [
            code.as_str(),
            code.severity().as_str(),
            code.meaning(),
            code.how_to_fix(),
        ];
        table.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            line[0], line[1], line[2], line[3]
        ));
    }
    table
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test is run by a person, who may ask for the table"
)]
fn the_readme_lists_every_problem_code() {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    if std::env::var("UPDATE_README").is_ok() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert!(
            listed == table(),
            "the README lists other codes: run this with UPDATE_README=1"
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file of these folders whose name ends so.
fn files(folders: &[&str], ending: &str) -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false if path.to_string_lossy().ends_with(ending) => found.push(path),
                false => {}
            }
        }
    }
    found
}

/// In its last column, between backticks.
#[test]
fn every_test_that_the_faq_names_exists() {
    let sources: String = files(&["shared", "functions", "tests"], ".rs")
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let faq = std::fs::read_to_string(root().join("docs/faq.md")).unwrap();
    let mut named = 0;
    for row in faq.lines().filter(|line| line.starts_with("| “")) {
        let shown_by = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        for name in shown_by
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.contains('_') && !name.contains('.'))
        {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "no test is called {name}"
            );
            named += 1;
        }
    }
    assert!(named > 20, "only {named} tests were named");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut documents = files(&["docs"], ".md");
    documents.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.starts_with("http") {
                let path = document.parent().unwrap().join(target);
                assert!(path.exists(), "{}: {link}", document.display());
            }
        }
    }
}

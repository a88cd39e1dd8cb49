//! The README's table of problem codes is the catalogue. `UPDATE_README=1 cargo test -p mapping --test readme`
//! writes it anew.
#![allow(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

use mapping::problem::ProblemCode;

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
    let path = format!("{}/../../README.md", env!("CARGO_MANIFEST_DIR"));
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

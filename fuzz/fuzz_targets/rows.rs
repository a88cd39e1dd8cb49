//! Changes files as people do: whole rows and cells, with values that mean something. Left alone, libFuzzer changes
//! bytes, and seldom comes to two rows that have to do with each other.

use libfuzzer_sys::fuzzer_mutate;
use rules::fuzzed::CHOICES;

const HEADER: &str = "Mail,First,Last,No,Status,Role,Group,Boss,Job";

/// Values for each of the columns.
#[rustfmt::skip]
const VALUES: [&[&str]; 9] = [
    &["a@x.y", "b@x.y", "c@x.y", "d@x.y", "E@x.y", "ö@x.y", "g@x.y", "n@x.y", "m@x.y", "e@x.y", "A@X.Y", "o\u{308}@x.y",
        "\"a b\"@x.y", "\"\"\"a\"\"@x.y\"", "a@x", "a@[1.2.3.4]", "", "'a@x.y", "=a@x.y", "K@x.y", "\u{212A}@x.y", "İ@x.y"],
    &["Ann", "Bo", "Çağ", "C\u{327}ag\u{306}", "Eve", "Fi", "Gil", "", "ANN", "\"A\nn\"", "'=x", "=x", "JosÃ©", "MÃ¼ller",
        "FranÃ§ois", "José", "\u{FEFF}", "\0"],
    &["Lee", "Li", "Lo", "LEE", "", "\"L,\"", "-x", "+1", "@", "\"\"\"\"", "'"],
    &["E1", "E2", "E4", "E5", "E7", "E8", "E9", "e1", "", "E1 ", "=1", "'=1", "\"E\n1\"", "a@x.y", "\u{A0}E1"],
    &["", "0", "1", "0", "1", "2", " 0 "],
    &["", "Learner", "Manager", "Administrator", "Content administrator", "administrator|learner", "|", "Boss"],
    &["", "7", "8", "7|8", "007", "9", "7|7|x|x", "x|y", "7 | 8"],
    &["", "a@x.y", "b@x.y", "c@x.y", "g@x.y", "n@x.y", "a@x.y|b@x.y", "nobody", "A@x.y|a@x.y", "d@x.y|E@x.y", "ö@x.y"],
    &["", "Cook", "Clerk", "=1", "\"x\ny\"", "'", "  "],
];

/// People, as the places of their values in the first columns.
const PEOPLE: [[usize; 4]; 9] = [
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [2, 2, 0, 8],
    [3, 0, 0, 2],
    [4, 4, 1, 3],
    [5, 5, 2, 8],
    [6, 6, 2, 4],
    [7, 0, 0, 6],
    [8, 1, 1, 5],
];

/// Numbers from a seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as usize) % limit.max(1)
    }

    fn of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.below(values.len())]
    }

    /// Somebody's row, mostly as it should be.
    fn row(&mut self) -> String {
        let person = PEOPLE[self.below(PEOPLE.len())];
        let mut cells: Vec<&str> = (0..)
            .zip(person)
            .map(|(at, of): (usize, usize)| VALUES[at][of])
            .collect();
        for column in &VALUES[4..] {
            cells.push(if self.below(3) == 0 {
                self.of(column)
            } else {
                ""
            });
        }
        if self.below(4) == 0 {
            let at = self.below(cells.len());
            cells[at] = self.of(VALUES[at]);
        }
        cells.join(",")
    }
}

/// libFuzzer's `LLVMFuzzerCustomMutator`.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut chance = Chance(u64::from(seed) * 2_654_435_761 + 88_172_645_463_325_252);
    let text = data
        .get(CHOICES..size)
        .and_then(|file| std::str::from_utf8(file).ok());
    let (Some(text), 1..) = (text, chance.below(4)) else {
        return fuzzer_mutate(data, size, max_size);
    };
    let mut choices = data[..CHOICES].to_vec();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for _ in 0..=chance.below(3) {
        change(&mut chance, &mut choices, &mut lines);
    }
    let changed = [choices, lines.join("\n").into_bytes()].concat();
    if changed.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

fn change(chance: &mut Chance, choices: &mut [u8], lines: &mut Vec<String>) {
    let (at, other) = (chance.below(lines.len()), chance.below(lines.len()));
    let what = chance.below(14);
    match what {
        0 => choices[chance.below(2)] ^= 1 << chance.below(8),
        1 => choices[2] = [1, 2, 3, 5, 17, 64, 255][chance.below(7)],
        2 => {
            let (place, row) = (at + 1, lines[other].clone());
            lines.insert(place, row);
        }
        3 | 4 => lines.insert(at + 1, chance.row()),
        5 => change_header(chance, &mut lines[0]),
        // The header stays first, and whole.
        _ if at == 0 => {}
        6 if other > 0 => lines.swap(at, other),
        7 => drop(lines.remove(at)),
        8 if chance.below(2) == 0 => lines[at].push_str([",", ",more"][chance.below(2)]),
        8 => {
            if let Some(comma) = lines[at].rfind(',') {
                lines[at].truncate(comma);
            }
        }
        _ => {
            let from: Vec<String> = lines[other].split(',').map(str::to_owned).collect();
            let mut cells: Vec<String> = lines[at].split(',').map(str::to_owned).collect();
            let place = chance.below(cells.len().min(VALUES.len()));
            let column = chance.below(VALUES.len());
            cells[place] = match (what, from.get(place)) {
                (9, Some(cell)) => cell.clone(),
                (10, _) => chance.of(VALUES[column]).to_owned(),
                _ => chance.of(VALUES[place]).to_owned(),
            };
            lines[at] = cells.join(",");
        }
    }
}

fn change_header(chance: &mut Chance, header: &mut String) {
    let mut names: Vec<&str> = header.split(',').collect();
    let (at, other) = (chance.below(names.len()), chance.below(names.len()));
    match chance.below(4) {
        0 => names.push("feed_problem"),
        1 => names.push(""),
        2 => names.swap(at, other),
        _ => names = vec![HEADER],
    }
    *header = names.join(",");
}

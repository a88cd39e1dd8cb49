//! Looking for people by their names, as somebody types them.

use unicode_normalization::UnicodeNormalization;

/// A part of a name that is looked for: of `first last`, in any case, however its accents are encoded.
pub struct NameSearch(String);

impl NameSearch {
    /// What was typed; blanks around it do not count.
    pub fn new(typed: &str) -> Self {
        NameSearch(compared(typed.trim()))
    }

    /// Whether somebody of this name is meant.
    pub fn finds(&self, first_name: &str, last_name: &str) -> bool {
        compared(&format!("{first_name} {last_name}")).contains(&self.0)
    }
}

fn compared(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_name_finds_it_in_any_case_and_encoding() {
        for (typed, first, last, found) in [
            ("", "Ann", "Lee", true),
            (" ann ", "Ann", "Lee", true),
            ("N L", "Ann", "Lee", true),
            ("lee ann", "Ann", "Lee", false),
            ("annlee", "Ann", "Lee", false),
            ("JOSÉ", "Jose\u{301}", "Lee", true),
            ("Å", "Bjo\u{308}rn", "\u{212B}kerblom", true),
            ("é", "Ann", "Lee", false),
        ] {
            let search = NameSearch::new(typed);
            assert_eq!(
                search.finds(first, last),
                found,
                "{typed:?}: {first} {last}"
            );
        }
    }
}

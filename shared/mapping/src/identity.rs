//! The names of what crosses a border or could be swapped by mistake. Each has one constructor, and
//! serde uses it. Free text (a first name, a label) stays a `String` and does not belong here.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128, xxh3_128_with_seed};

/// A company's own site on Go1: `[1-9][0-9]{0,11}`. It enters table keys, S3 prefixes and IAM
/// policies, so nothing else gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortalId(u64);

impl PortalId {
    /// The number, to spread portals over partitions.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The text is no portal id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a portal id is a number of 1 to 12 digits that does not begin with 0")]
pub struct NotAPortalId;

impl FromStr for PortalId {
    type Err = NotAPortalId;

    fn from_str(text: &str) -> Result<Self, NotAPortalId> {
        let plain = matches!(text.as_bytes(), [b'1'..=b'9', rest @ ..]
            if rest.len() < 12 && rest.iter().all(u8::is_ascii_digit));
        if !plain {
            return Err(NotAPortalId);
        }
        text.parse().map(PortalId).map_err(|_| NotAPortalId)
    }
}

impl TryFrom<String> for PortalId {
    type Error = NotAPortalId;

    fn try_from(text: String) -> Result<Self, NotAPortalId> {
        text.parse()
    }
}

impl From<PortalId> for String {
    fn from(portal: PortalId) -> String {
        portal.to_string()
    }
}

impl fmt::Display for PortalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A person in a portal. Deterministic, so that creating twice, after a crash or by two writers, hits
/// the same key (`docs/rules.md`, "User ids").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Uuid);

/// By what a person is told from others, as a row has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Identity<'r> {
    /// The e-mail address, as it was sent.
    Email(&'r str),
    /// The external id, trimmed.
    External(&'r str),
}

impl Identity<'_> {
    /// What rows and people are joined by.
    pub fn hash(&self) -> IdentityHash {
        match self {
            Identity::Email(address) => IdentityHash::of_email(address),
            Identity::External(id) => IdentityHash::of_external(id),
        }
    }
}

/// The namespace of our UUIDv5 ids. Changing it would give every person a second account.
const USER_ID_NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_3a52_9d0e_4b7b_8a61_2e5d_c0f4_7b19);

impl UserId {
    /// The `n`th person of `portal` who was created with this identity.
    pub fn of(portal: PortalId, identity: &Identity<'_>, n: u32) -> Self {
        let (kind, value) = match identity {
            Identity::Email(address) => ("email", email_key(address.trim())),
            Identity::External(id) => ("external", Cow::Borrowed(*id)),
        };
        let mut name = Vec::with_capacity(96);
        // Each part carries its length, so that no two lists of parts run together.
        for part in [portal.to_string().as_str(), kind, &value, &n.to_string()] {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part.as_bytes());
        }
        UserId(Uuid::new_v5(&USER_ID_NAMESPACE, &name))
    }

    /// The id that comes after this one in the row of ids that `identity` can have; the first if this is
    /// none of them.
    pub fn next(self, portal: PortalId, identity: &Identity<'_>) -> Self {
        // Addresses pass from hand to hand a few times, never a thousand.
        let n = (0..1_000).find(|n| Self::of(portal, identity, *n) == self);
        Self::of(portal, identity, n.map_or(0, |n| n + 1))
    }

    /// The id's 16 bytes, as a fingerprint takes them in.
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that is spelled as ids are written here, in lower case with hyphens; `None`: in another way, or no
    /// id. Of what somebody sends, each id has one spelling.
    pub fn spelled(text: &str) -> Option<Self> {
        let id: Self = text.parse().ok()?;
        (id.to_string() == text).then_some(id)
    }

    /// The shard of the users table, `0` to `f`: the id's first hexadecimal digit.
    pub fn shard(self) -> char {
        char::from_digit(u32::from(self.0.as_bytes()[0] >> 4), 16).unwrap_or('0')
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(UserId)
    }
}

/// The text is not one e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not one e-mail address")]
pub struct NotAnEmail;

/// RFC 5321, 4.5.3.1: octets of the part before the `@`, and of the whole address (its path is 256 with the
/// angle brackets).
const MAX_LOCAL_BYTES: usize = 64;
const MAX_ADDRESS_BYTES: usize = 254;

/// RFC 1035, 2.3.4. Of an international label the encoded form counts, which has no fewer characters.
const MAX_LABEL_CHARS: usize = 63;

/// Whether `text`, trimmed, is one e-mail address: RFC 5321, with the letters of RFC 6531.
///
/// By hand: the first pass asks this of every row, and the crates for it either refuse the combining
/// marks of Hindi, Thai and decomposed accents or accept `ann@exa!mple.com`. The domain must be fully
/// qualified (RFC 5321, 2.3.5), so it has a dot.
///
/// # Errors
///
/// It is not.
pub fn check_email(text: &str) -> Result<(), NotAnEmail> {
    let (local, domain) = text.rsplit_once('@').ok_or(NotAnEmail)?;
    let local_fits =
        (1..=MAX_LOCAL_BYTES).contains(&local.len()) && (is_dot_atom(local) || is_quoted(local));
    let fits =
        text.len() <= MAX_ADDRESS_BYTES && local_fits && (is_domain(domain) || is_literal(domain));
    if fits { Ok(()) } else { Err(NotAnEmail) }
}

/// Beyond ASCII: letters, marks, digits and symbols of every script, and within a word the two joiners that
/// some scripts are spelled with. Nothing invisible, such as the direction marks that are copied along with
/// an address: it would make a second person of it.
fn is_international(c: char) -> bool {
    let invisible = matches!(u32::from(c),
        0xAD | 0x61C | 0x180E | 0x200B | 0x200E..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F
        | 0xFE00..=0xFE0F | 0xFEFF | 0xFFF0..=0xFFFF | 0xE000..=0xF8FF | 0xE0000..);
    !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !invisible
}

/// A joiner joins what stands on both sides of it.
fn ends_in_joiner(text: &str) -> bool {
    let joiners = ['\u{200C}', '\u{200D}'];
    text.starts_with(joiners) || text.ends_with(joiners)
}

/// Words of ASCII letters and digits with single dots and hyphens between them, as nearly all addresses are made
/// of: nothing else that may stand there has to be looked for.
fn is_plain(text: &str) -> bool {
    let mut after_word = false;
    text.bytes().all(|byte| {
        let before = std::mem::replace(&mut after_word, byte.is_ascii_alphanumeric());
        after_word || (before && matches!(byte, b'.' | b'-'))
    }) && after_word
}

fn is_dot_atom(local: &str) -> bool {
    if is_plain(local) {
        return true;
    }
    let atom = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_international(c)
    };
    local
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(atom) && !ends_in_joiner(part))
}

fn is_quoted(local: &str) -> bool {
    let Some(inside) = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return false;
    };
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        let fits = match c {
            '"' => false,
            '\\' => chars
                .next()
                .is_some_and(|escaped| (' '..='~').contains(&escaped)),
            ' '..='~' => true,
            c => is_international(c),
        };
        if !fits {
            return false;
        }
    }
    true
}

fn is_domain(domain: &str) -> bool {
    if domain.len() <= MAX_LABEL_CHARS && is_plain(domain) {
        return domain.contains('.');
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || is_international(c);
    let label = |label: &str| {
        (1..=MAX_LABEL_CHARS).contains(&label.chars().count())
            && !ends_in_joiner(label)
            && label.chars().all(letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(label)
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
fn is_literal(domain: &str) -> bool {
    let Some(inside) = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    else {
        return false;
    };
    match inside.strip_prefix("IPv6:") {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => inside.parse::<Ipv4Addr>().is_ok(),
    }
}

/// An address as it is compared: trimmed, NFC, lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailKey(String);

impl EmailKey {
    /// The key of an address that was accepted once, as the users table keeps it.
    pub fn of(address: &str) -> Self {
        EmailKey(email_key(address.trim()).into_owned())
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailKey(..)")
    }
}

/// Lower case, then NFC. Most addresses are plain ASCII, and most of those lower case already.
fn email_key(trimmed: &str) -> Cow<'_, str> {
    if trimmed.is_ascii() {
        // Not `any`: without a way out, the compiler takes many bytes at once.
        let upper = |any, byte: u8| any | byte.is_ascii_uppercase();
        return if trimmed.bytes().fold(false, upper) {
            Cow::Owned(trimmed.to_ascii_lowercase())
        } else {
            Cow::Borrowed(trimmed)
        };
    }
    let lower = trimmed.to_lowercase();
    match is_nfc_quick(lower.chars()) {
        IsNormalized::Yes => Cow::Owned(lower),
        _ => Cow::Owned(lower.nfc().collect()),
    }
}

/// Keeps external ids and addresses apart where both stand in one list.
const EXTERNAL_SEED: u64 = 1;

/// First and last name in brief, trimmed and without regard to case or Unicode form: by it somebody counts as
/// present whose row cannot be told otherwise (`docs/rules.md`, "Leavers and returners").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamesHash(u64);

impl NamesHash {
    /// Of names as they were sent.
    pub fn of(first_name: &str, last_name: &str) -> Self {
        let key = [first_name, "\0", last_name].map(|part| match part {
            "\0" => Cow::Borrowed(part),
            name => email_key(name.trim()),
        });
        NamesHash(xxh3_64(key.concat().as_bytes()))
    }
}

/// What a row and a person are joined by: 128 bits of the identity's key, so that a million of them
/// fit into memory. 128 bits do not collide by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityHash([u8; 16]);

impl IdentityHash {
    /// Of an e-mail address, trimmed but otherwise as it was sent.
    pub fn of_email(trimmed: &str) -> Self {
        IdentityHash(xxh3_128(email_key(trimmed).as_bytes()).to_be_bytes())
    }

    /// As a fingerprint takes it in.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Of an external id, trimmed. Never that of an address, also if the texts are the same.
    pub fn of_external(trimmed: &str) -> Self {
        IdentityHash(xxh3_128_with_seed(trimmed.as_bytes(), EXTERNAL_SEED).to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_portal_id_is_one_to_twelve_digits_without_a_leading_zero() {
        for good in ["1", "1001", "999999999999"] {
            assert_eq!(good.parse::<PortalId>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "0",
            "01",
            "1*",
            "a",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1/2",
            "1000000000000",
            "١",
        ] {
            assert!(bad.parse::<PortalId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_accepted_or_not() {
        for address in [
            "ann@x.example",
            "Ann.O'Neil+hr@Sub.X.example",
            "a@x.co",
            "josé@bücher.example",
            "jose\u{301}@x.example",
            "用户@例え.example",
            "हिन्दी@उदाहरण.भारत",
            "ann@ตัวอย่าง.ไทย",
            "\"john doe\"@x.example",
            "\"a\\\"@\"@x.example",
            "a_b-c@x-y.example",
            "1@2.example",
            "ann@[192.0.2.1]",
            "ann@[IPv6:2001:db8::1]",
            "ann@xn--bcher-kva.example",
        ] {
            assert!(check_email(address).is_ok(), "{address:?}");
        }
        for address in [
            "",
            "@",
            "ann",
            "ann@",
            "@x.example",
            "ann@@x.example",
            "ann@x..example",
            ".ann@x.example",
            "ann.@x.example",
            "a..b@x.example",
            "ann@x.example;bob@x.example",
            "ann@x.example, bob@x.example",
            "ann@x.example bob@x.example",
            "Ann <ann@x.example>",
            "<ann@x.example>",
            "mailto:ann@x.example",
            "ann @x.example",
            "ann@x .example",
            "ann@-x.example",
            "ann@x-.example",
            "ann@x.example.",
            "ann@.x.example",
            "ann@localhost",
            "ann@exa!mple.com",
            "ann@x_y.example",
            "ann@[hello]",
            "ann@[1.2.3]",
            "ann@x.example\n",
            "a\0b@x.example",
            "a\u{200B}b@x.example",
            "a\u{A0}b@x.example",
            "\"ann@x.example",
            "\"a\"b\"@x.example",
            "\"a\\\"@x.example",
        ] {
            assert!(check_email(address).is_err(), "{address:?}");
        }
        let local = |bytes: usize| format!("{}@x.example", "a".repeat(bytes));
        assert!(check_email(&local(64)).is_ok() && check_email(&local(65)).is_err());
        let long = |bytes: usize| {
            let label = "b".repeat(60);
            format!(
                "a@{label}.{label}.{label}.{}.example",
                "b".repeat(bytes - 193)
            )
        };
        assert_eq!(
            (long(254).len(), check_email(&long(254)).is_ok()),
            (254, true)
        );
        assert_eq!(
            (long(255).len(), check_email(&long(255)).is_ok()),
            (255, false)
        );
        assert!(check_email(&format!("a@{}.example", "b".repeat(64))).is_err());
        assert!(check_email(&format!("a@{}.ไทย", "ก".repeat(22))).is_ok());
        for invisible in [
            '\u{AD}', '\u{200E}', '\u{202A}', '\u{2066}', '\u{180E}', '\u{FE0F}', '\u{FFFD}',
            '\u{E000}', '\u{200D}',
        ] {
            for address in [
                format!("{invisible}ann@x.example"),
                format!("ann@x.example{invisible}"),
                format!("ann{invisible}@x.example"),
            ] {
                assert!(check_email(&address).is_err(), "{address:?}");
            }
        }
    }

    #[test]
    fn addresses_are_compared_without_case_and_in_one_normal_form() {
        let key = |text: &str| EmailKey::of(text);
        assert_eq!(key(" Ann@X.Example "), key("ann@x.example"));
        assert_eq!(key("JOSÉ@x.example"), key("jose\u{301}@x.example"));
        assert_ne!(key("ann@x.example"), key("anne@x.example"));
    }

    #[test]
    fn an_address_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", EmailKey::of("ann@x.example")).contains("ann"));
    }

    #[test]
    fn a_user_id_is_pinned_for_ever() {
        // Were this to change, every customer's next file would create everybody a second time.
        let id = UserId::of(
            "1001".parse().unwrap(),
            &Identity::Email("ann@x.example"),
            0,
        );
        assert_eq!(id.to_string(), "2c197f14-4af6-57d5-b546-c0cffa29e230");
    }

    #[test]
    fn user_ids_differ_by_portal_address_and_number() {
        let id = |portal: &str, email: &str, n| {
            UserId::of(portal.parse().unwrap(), &Identity::Email(email), n)
        };
        let first = id("1", "a@x.example", 0);
        assert_eq!(first, id("1", "A@x.example", 0));
        for other in [
            id("2", "a@x.example", 0),
            id("1", "b@x.example", 0),
            id("1", "a@x.example", 1),
            id("11", "a@x.example", 0),
        ] {
            assert_ne!(first, other);
        }
    }

    proptest! {
        /// A plain part is what the rules want of both parts of an address.
        #[test]
        fn what_is_plain_needs_no_closer_look(text in "[aB0.\\-_é@ ]{0,6}") {
            let word = |word: &str| {
                !word.is_empty() && !word.starts_with('-') && !word.ends_with('-')
                    && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            };
            prop_assert!(!is_plain(&text) || text.split('.').all(word));
            prop_assert!(is_plain(&text) || !text.chars().all(|c| c.is_ascii_alphanumeric()) || text.is_empty());
        }

        #[test]
        fn the_key_of_a_key_is_itself(text in "\\PC{0,24}") {
            let once = EmailKey::of(&text);
            prop_assert_eq!(EmailKey::of(once.as_str()), once);
        }

        #[test]
        fn the_hash_follows_the_key(a in "[aAbBéÉ]{1,4}", b in "[aAbBéÉ]{1,4}") {
            let same = EmailKey::of(&a) == EmailKey::of(&b);
            prop_assert_eq!(IdentityHash::of_email(&a) == IdentityHash::of_email(&b), same);
        }
    }
}

//! What worlds have in common is kept once, with its hash: most of a world is as it was in the one before.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::rc::Rc;

#[derive(Clone)]
pub(crate) struct Shared<T>(Rc<(T, u64)>);

impl<T: Clone + PartialEq + Hash> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        let hash = hash(&value);
        Shared(Rc::new((value, hash)))
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut T)) {
        let mut value = T::clone(self);
        change(&mut value);
        *self = Shared::new(value);
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0) || self.0.1 == other.0.1 && **self == **other
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.1);
    }
}

/// What something is known by. Collected first and hashed at once, which is faster.
pub(crate) fn hash(value: &impl Hash) -> u64 {
    let mut bytes = Bytes(Vec::with_capacity(512));
    value.hash(&mut bytes);
    bytes.finish()
}

struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    // All numbers of a world are small. One byte each makes an exploration a quarter faster.
    fn write_u8(&mut self, number: u8) {
        self.0.push(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.0.push(number as u8);
    }

    fn write_isize(&mut self, number: isize) {
        self.0.push(number as u8);
    }

    fn finish(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher.finish()
    }
}

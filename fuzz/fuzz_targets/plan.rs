//! Bytes -> plan, with everything that must hold whatever they are. What that is stands in `tests/rules`, where
//! `make test` asks it of every file that was found here.
#![no_main]

mod rows;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    rules::fuzzed::check(data);
});
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    rows::mutate(data, size, max_size, seed)
});

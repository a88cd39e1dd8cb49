//! Bytes -> plan, with everything that must hold whatever they are. What that is stands in `tests/rules`, where
//! `make test` asks it of every file that was found here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    rules::fuzzed::check(data);
});

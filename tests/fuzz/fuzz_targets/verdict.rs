#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tabchain_tests::fuzz::run("verdict", bytes);
});

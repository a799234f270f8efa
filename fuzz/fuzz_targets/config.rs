//! A site file may hold anything: the answer is a configuration or a list of violations.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(e) = vigia::config::parse_site(bytes) {
        assert!(!e.violations.is_empty() && !e.to_string().is_empty());
    }
});

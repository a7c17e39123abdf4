//! Any bytes, as `city_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chain_node::decoders::run("city_proof", bytes);
});

//! Any bytes, as `light_update`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chain_node::decoders::run("light_update", bytes);
});

//! Any bytes, as `package`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chain_node::decoders::run("package", bytes);
});

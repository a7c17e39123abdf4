//! Any bytes, as what the program's name says. One file serves every target: `Cargo.toml` gives it each decoder's name.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chain_node::decoders::run(env!("CARGO_BIN_NAME"), bytes);
});

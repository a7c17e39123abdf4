//! Rebuilds the console when a file of the web folder or a migration is added: the macros that embed them see only the files they already know.

fn main() {
    println!("cargo:rerun-if-changed=../web");
    println!("cargo:rerun-if-changed=migrations");
}

//! The program: hands over to `repro_build::cli`.

fn main() {}

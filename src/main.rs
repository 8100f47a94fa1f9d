//! The program: hands over to `repro_build::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    repro_build::cli::main()
}

//! Guests that mean harm against the sandbox. Each case shows that the effect did not happen: an untouched canary, a bound on memory, a
//! count, a time. An error that is printed proves nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "measurements, for whoever looks at the output of a test")]

mod amplify;
mod between;
mod code_cache;
mod compile;
mod faults;
mod files;
mod functions;
mod handles;
mod kept;
mod limits;
mod logs;
mod many;
mod names;
mod rendering;
mod schemas;
mod time;
mod wat_handles;
mod wat_texts;

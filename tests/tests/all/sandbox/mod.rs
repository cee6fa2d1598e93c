//! Guests that mean harm against the sandbox. Each case shows that the effect did not happen: an untouched canary, a bound on memory, a
//! count, a time. An error that is printed proves nothing.

mod amplify;
mod code_cache;
mod compile;
mod faults;
mod files;
mod functions;
mod handles;
mod limits;
mod logs;
mod rendering;
mod time;
mod wat_handles;

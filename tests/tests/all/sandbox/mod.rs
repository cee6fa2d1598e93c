//! Guests that mean harm against the sandbox. Each case shows that the effect did not happen: an untouched canary, a bound on memory, a
//! count, a time. An error that is printed proves nothing.

mod amplify;
mod code_cache;
mod files;
mod handles;
mod limits;
mod time;
mod wat_handles;

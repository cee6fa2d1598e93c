//! The store through its port: what is acknowledged is there, in order, and what was changed is noticed.

mod blobs;
mod log;

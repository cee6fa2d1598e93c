//! The scheduler with a scripted runner and a store in memory: no sandbox, no disk, no clock of its own.

mod dispatch;
mod fakes;
mod gates;
mod random;

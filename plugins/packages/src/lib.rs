//! Lists, updates and verifies the packages of a system. What is installed and what is to be had is read from the package manager's own
//! files; only `update` changes something, and only through programs that the workflow grants.

#![warn(missing_docs)]

pub mod age;
pub mod apk;
pub mod apt;
pub mod changes;
pub mod database;
pub mod deb822;
pub mod dpkg;
pub mod list;
pub mod model;
pub mod needs;
pub mod outdated;
pub mod programs;
pub mod system;
pub mod text;
pub mod unpack;
pub mod update;
pub mod verify;

orch_sdk::plugin! {
    "list" => list::list,
    "outdated" => outdated::outdated,
    "update" => update::update,
    "verify" => verify::verify,
}

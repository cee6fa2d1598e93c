//! Write an orch-wasm plugin in Rust.
//!
//! A task is a function from a typed input and a [`Host`] to a typed output. [`plugin!`] exports it as a component for
//! `wasm32-wasip2`; on any other target the same function runs in ordinary tests against a [`TestHost`].
//!
//! ```
//! use orch_sdk::{Host, Outcome, TaskError, schemars, serde};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(crate = "serde", deny_unknown_fields)]
//! #[schemars(crate = "schemars")]
//! struct Input {
//!     name: String,
//! }
//!
//! #[derive(serde::Serialize, schemars::JsonSchema)]
//! #[serde(crate = "serde")]
//! #[schemars(crate = "schemars")]
//! struct Output {
//!     message: String,
//! }
//!
//! fn greet(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
//!     host.info(&format!("greeting {}", input.name));
//!     Ok(Outcome::Succeeded(Output { message: format!("Hello, {}!", input.name) }))
//! }
//!
//! orch_sdk::plugin! { "greet" => greet }
//!
//! let host = orch_sdk::TestHost::new();
//! let outcome = greet(Input { name: "Ada".into() }, &host).unwrap();
//! assert_eq!(outcome.succeeded().unwrap().message, "Hello, Ada!");
//! ```

mod describe;
mod host;
mod http;
mod model;
mod program;
mod testing;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;

pub use describe::{DESCRIBE_TASK, Task, TaskDescription, dispatch};
pub use host::Host;
pub use http::{HttpRequest, HttpResponse, MAX_BODY};
pub use model::{Finding, Level, Location, Outcome, Severity, Status, TaskError};
pub use program::{Exit, MAX_STDERR, Printed};
pub use testing::{Artifact, TestHost};

pub use schemars;
pub use serde;
pub use serde_json;

/// Exports functions as the tasks of a plugin: `plugin! { "scan" => scan, "list" => list }`.
///
/// Each function is `fn(Input, &dyn Host) -> Result<Outcome<Output>, TaskError>` with `Input: Deserialize + JsonSchema` and
/// `Output: Serialize + JsonSchema`. On targets other than wasm the macro only defines `fn tasks()`, which tests may call.
#[macro_export]
macro_rules! plugin {
    ($($name:literal => $function:path),+ $(,)?) => {
        /// The tasks of this plugin, as the host sees them.
        #[allow(dead_code, reason = "only the exported component and tests call it")]
        pub(crate) fn tasks() -> ::std::vec::Vec<$crate::Task> {
            ::std::vec![$($crate::Task::new($name, $function)),+]
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Plugin;
            impl $crate::guest::exports::orch::task::runner::Guest for Plugin {
                fn run(
                    task: ::std::string::String,
                    input: ::std::string::String,
                ) -> ::std::result::Result<
                    $crate::guest::exports::orch::task::runner::Outcome,
                    $crate::guest::exports::orch::task::runner::TaskError,
                > {
                    $crate::guest::run(&tasks(), &task, &input)
                }
            }
            $crate::guest::export!(Plugin with_types_in $crate::guest);
        };
    };
}

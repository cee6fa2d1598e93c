//! The command line. Each verb has an example in its help; `docs/cli.md` is generated from this file.

use clap::{Args, Parser, Subcommand, ValueEnum};
use orch_core::{PluginName, TaskId};
use std::path::PathBuf;

/// Runs workflows of tasks that nobody has to trust.
#[derive(Debug, Parser)]
#[command(name = "orch-wasm", version, about, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Exit codes:
  0 succeeded   1 failed      2 invalid input   3 blocked by a gate   4 waiting
  5 rejected    6 cancelled   7 errored         70 a bug in orch-wasm

Examples:
  orch-wasm init my-checks && cd my-checks && orch-wasm run
  orch-wasm plan workflow.yaml
  orch-wasm runs show latest")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// When to paint: `auto` looks at the terminal and at NO_COLOR
    #[arg(long, global = true, value_enum, default_value = "auto", hide_short_help = true)]
    pub(crate) colour: Colour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For machines
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a workflow, a policy and a registry folder that run at once
    #[command(after_help = "Example:\n  orch-wasm init my-checks && cd my-checks && orch-wasm run")]
    Init {
        /// The folder to write to; made if it is not there
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Run a workflow
    #[command(
        after_help = "Examples:\n  orch-wasm run\n  orch-wasm run workflow.yaml --input environment=production --jobs 4\n  orch-wasm run workflow.yaml --format json > events.jsonl"
    )]
    Run(RunArguments),
    /// Show what would run, and what each task could reach
    #[command(after_help = "Examples:\n  orch-wasm plan\n  orch-wasm plan workflow.yaml --format json")]
    Plan {
        #[command(flatten)]
        workflow: WorkflowArguments,
        /// How to print it
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Check a workflow without looking for its plugins
    #[command(after_help = "Examples:\n  orch-wasm validate\n  orch-wasm validate a.yaml b.yaml")]
    Validate {
        /// Workflow files
        #[arg(default_value = "workflow.yaml")]
        files: Vec<PathBuf>,
        /// How to print problems
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Draw the graph of a workflow
    #[command(
        after_help = "Examples:\n  orch-wasm graph\n  orch-wasm graph workflow.yaml --as dot | dot -Tsvg > graph.svg"
    )]
    Graph {
        /// The workflow file
        #[arg(default_value = "workflow.yaml")]
        file: PathBuf,
        /// How to draw it
        #[arg(long = "as", value_enum, default_value = "text")]
        kind: Drawing,
    },
    /// Print the JSON Schema of a kind of file, for editors
    #[command(after_help = "Example:\n  orch-wasm schema > workflow.schema.json")]
    Schema {
        /// Of which file
        #[arg(value_enum, default_value = "workflow")]
        of: SchemaOf,
    },
    /// Explain an error code, or why a task of a run could reach what it could
    #[command(after_help = "Examples:\n  orch-wasm explain OW0107\n  orch-wasm explain latest secret-scan")]
    Explain {
        /// An error code, or a run (id, unique part of it, or `latest`)
        what: String,
        /// A task of the run
        task: Option<TaskId>,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Look at runs of the past
    #[command(subcommand)]
    Runs(RunsVerb),
    /// Pin the plugins of a workflow, or accept what changed
    #[command(after_help = "Examples:\n  orch-wasm lock\n  orch-wasm lock --update\n  orch-wasm lock --accept")]
    Lock {
        #[command(flatten)]
        workflow: WorkflowArguments,
        /// Take the newest fitting versions instead of the pinned ones
        #[arg(long)]
        update: bool,
        /// Accept other digests, other signers and plugins that ask for more
        #[arg(long)]
        accept: bool,
    },
    /// Make, check and publish plugins
    #[command(subcommand)]
    Plugin(PluginVerb),
    /// Signing keys, and whose plugins to trust
    #[command(subcommand)]
    Keys(KeysVerb),
    /// The cache of compiled code
    #[command(subcommand)]
    Cache(CacheVerb),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  orch-wasm completions bash > ~/.local/share/bash-completion/completions/orch-wasm"
    )]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Look whether everything is in place, and say what is not
    #[command(after_help = "Example:\n  orch-wasm doctor")]
    Doctor {
        #[command(flatten)]
        workflow: WorkflowArguments,
    },
    /// Print this reference as Markdown
    #[command(hide = true)]
    Reference,
}

/// Where a workflow and what belongs to it are found.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkflowArguments {
    /// The workflow file
    #[arg(default_value = "workflow.yaml")]
    pub(crate) file: PathBuf,
    /// An input of the workflow, as `name=value`; may be given again
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// The registry folder; else `registry/` beside the workflow or in a folder above it
    #[arg(long, env = "ORCH_WASM_REGISTRY")]
    pub(crate) registry: Option<PathBuf>,
    /// The policy file; else the one of this installation, else `policy.yaml` beside the workflow, else the built-in policy
    #[arg(long, env = "ORCH_WASM_POLICY")]
    pub(crate) policy: Option<PathBuf>,
    /// The state folder; else `.orch-wasm/` beside the workflow
    #[arg(long, env = "ORCH_WASM_STATE")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct StateArguments {
    /// The workflow whose runs are meant
    #[arg(long, default_value = "workflow.yaml")]
    pub(crate) workflow: PathBuf,
    /// The state folder; else `.orch-wasm/` beside the workflow
    #[arg(long, env = "ORCH_WASM_STATE")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) workflow: WorkflowArguments,
    /// Tasks at once; else the number of processors
    #[arg(long, short = 'j')]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// `json` prints one event a line on standard output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// The folder for SARIF, JUnit and Markdown reports; else `reports/<run>/` in the state folder
    #[arg(long)]
    pub(crate) reports: Option<PathBuf>,
    /// Show log lines of all levels, not only warnings and errors
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// A tree for the terminal
    Text,
    /// For Markdown pages
    Mermaid,
    /// For Graphviz
    Dot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    Workflow,
    Policy,
    Plugin,
    Waivers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunFormat {
    Text,
    /// One event a line, as the log has it
    Json,
    Sarif,
    Junit,
    Markdown,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsVerb {
    /// List runs, newest first
    #[command(after_help = "Example:\n  orch-wasm runs list --most 5 --format json")]
    List {
        #[command(flatten)]
        state: StateArguments,
        /// How many at most
        #[arg(long, default_value_t = 20)]
        most: usize,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show a run
    #[command(
        after_help = "Examples:\n  orch-wasm runs show latest\n  orch-wasm runs show 4f2a --format sarif > findings.sarif"
    )]
    Show {
        /// A run: id, unique part of it, or `latest`
        #[arg(default_value = "latest")]
        run: String,
        #[command(flatten)]
        state: StateArguments,
        #[arg(long, value_enum, default_value = "text")]
        format: RunFormat,
    },
    /// Show what the tasks of a run logged
    #[command(after_help = "Example:\n  orch-wasm runs logs latest secret-scan")]
    Logs {
        /// A run: id, unique part of it, or `latest`
        #[arg(default_value = "latest")]
        run: String,
        /// One of its tasks
        task: Option<TaskId>,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Check that the log of a run is as it was written
    #[command(after_help = "Example:\n  orch-wasm runs verify latest")]
    Verify {
        /// A run: id, unique part of it, or `latest`
        #[arg(default_value = "latest")]
        run: String,
        #[command(flatten)]
        state: StateArguments,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RegistryArguments {
    /// The registry folder; else `registry/` here or in a folder above
    #[arg(long, env = "ORCH_WASM_REGISTRY")]
    pub(crate) registry: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Write a plugin to start from
    #[command(after_help = "Example:\n  orch-wasm plugin new acme/hello --sdk ../orch-wasm/sdk/rust")]
    New {
        /// `namespace/name`
        name: PluginName,
        /// The folder to write to; else the plugin's name
        folder: Option<PathBuf>,
        /// Where the Rust SDK is (`sdk/rust` of a checkout)
        #[arg(long)]
        sdk: Option<PathBuf>,
    },
    /// Compile a plugin and put its manifest inside
    #[command(after_help = "Example:\n  orch-wasm plugin build my-plugin")]
    Build {
        /// The folder with `plugin.yaml`
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// The file to write; else `<name>.wasm` in the folder
        #[arg(long, short)]
        out: Option<PathBuf>,
    },
    /// Check a built plugin: size, imports, manifest, schemas, and that it compiles
    #[command(after_help = "Example:\n  orch-wasm plugin check my-plugin/my-plugin.wasm")]
    Check {
        /// The component
        file: PathBuf,
    },
    /// Show what a plugin says of itself and what it imports
    #[command(
        after_help = "Examples:\n  orch-wasm plugin inspect my-plugin.wasm\n  orch-wasm plugin inspect orch/secret-scan@^0.1"
    )]
    Inspect {
        /// A component file, or `namespace/name[@requirement]`
        plugin: String,
        #[command(flatten)]
        registry: RegistryArguments,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Sign a plugin and add it to a registry folder
    #[command(
        after_help = "Examples:\n  orch-wasm plugin publish my-plugin            # a folder: builds it first\n  orch-wasm plugin publish my-plugin.wasm --registry ./registry"
    )]
    Publish {
        /// A folder with `plugin.yaml`, or a built component
        plugin: PathBuf,
        #[command(flatten)]
        registry: RegistryArguments,
        /// The signing key; else the one of this installation
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Check signature, digest, manifest and trust of a published plugin
    #[command(after_help = "Example:\n  orch-wasm plugin verify orch/secret-scan")]
    Verify {
        /// `namespace/name[@requirement]`
        plugin: String,
        #[command(flatten)]
        registry: RegistryArguments,
        /// The policy whose trust rules apply
        #[arg(long, env = "ORCH_WASM_POLICY")]
        policy: Option<PathBuf>,
    },
    /// List the plugins of a registry
    #[command(after_help = "Example:\n  orch-wasm plugin list --format json")]
    List {
        #[command(flatten)]
        registry: RegistryArguments,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Withdraw a version: it stays where it is and is not run any more
    #[command(after_help = "Example:\n  orch-wasm plugin yank acme/hello 1.2.3 --reason 'leaks the file names'")]
    Yank {
        /// `namespace/name`
        name: PluginName,
        /// The version
        version: semver::Version,
        /// Why, for those who use it
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        registry: RegistryArguments,
        /// The signing key; else the one of this installation
        #[arg(long)]
        key: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// Make this installation's signing key
    #[command(after_help = "Example:\n  orch-wasm keys new")]
    New {
        /// The file to write; else the one of this installation
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// List the keys that this installation trusts
    #[command(after_help = "Example:\n  orch-wasm keys list --format json")]
    List {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Trust a publisher's public key
    #[command(after_help = "Example:\n  orch-wasm keys trust registry/keys/0123456789abcdef.pub")]
    Trust {
        /// The publisher's public key file
        file: PathBuf,
    },
    /// Print this installation's public key
    #[command(after_help = "Example:\n  orch-wasm keys show")]
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheVerb {
    /// List cached code
    #[command(after_help = "Example:\n  orch-wasm cache ls")]
    Ls {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Check every entry and delete what does not verify
    #[command(after_help = "Example:\n  orch-wasm cache verify")]
    Verify,
    /// Delete what was not used for longest
    #[command(after_help = "Examples:\n  orch-wasm cache gc\n  orch-wasm cache gc --most 0B      # everything")]
    Gc {
        /// How much may stay
        #[arg(long, default_value = "1GiB")]
        most: orch_core::Size,
    },
}

//! The command line. Each verb has an example in its help; `docs/cli.md` is generated from this file.

use crate::commands::language::Language;
use clap::{Args, Parser, Subcommand, ValueEnum};
use orch_core::{PluginName, SecretName, StepId, TaskId};
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
        after_help = "Examples:\n  orch-wasm run\n  orch-wasm run workflow.yaml --input environment=production --jobs 4\n  orch-wasm run workflow.yaml --format json > events.jsonl\n  orch-wasm run workflow.yaml --record my-plugin/recordings"
    )]
    Run(RunArguments),
    /// Go on with a run that was interrupted, paused or waited for people
    #[command(
        after_help = "Examples:\n  orch-wasm resume            # the newest run that is not over\n  orch-wasm resume 4f2a"
    )]
    Resume {
        /// A run: id, unique part of it, or `latest`; else the newest that is not over
        run: Option<String>,
        #[command(flatten)]
        state: StateArguments,
        #[command(flatten)]
        drive: DriveArguments,
    },
    /// Run a part of an earlier run once more; other results of it still hold
    #[command(
        after_help = "Examples:\n  orch-wasm rerun latest --from deploy\n  orch-wasm rerun 4f2a --from scan --with-descendants --input environment=staging"
    )]
    Rerun(RerunArguments),
    /// Ask a run to stop; one that nobody drives is brought to its end here
    #[command(after_help = "Examples:\n  orch-wasm cancel latest\n  orch-wasm cancel 4f2a --undo")]
    Cancel {
        /// A run: id, unique part of it, or `latest`
        run: String,
        /// Take back what its tasks did, as their `undo` says
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        state: StateArguments,
        #[command(flatten)]
        drive: DriveArguments,
    },
    /// Say yes to a task that waits for approval
    #[command(after_help = "Example:\n  orch-wasm approve latest sign-off --comment 'change 4711'")]
    Approve(AnswerArguments),
    /// Say no to a task that waits for approval
    #[command(after_help = "Example:\n  orch-wasm reject latest sign-off --comment 'not before the freeze ends'")]
    Reject(AnswerArguments),
    /// Say how a task ended whose process died in the midst of it
    #[command(after_help = "Example:\n  orch-wasm settle latest deploy --as succeeded")]
    Settle {
        #[command(flatten)]
        answer: AnswerArguments,
        /// How it ended, or `again` to run it once more
        #[arg(long = "as", value_enum)]
        how: Settled,
    },
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
    /// Prove what a run did to somebody who has nothing else of it
    #[command(subcommand)]
    Evidence(EvidenceVerb),
    /// Test what a policy allows and refuses
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Find out which permissions a run needed
    #[command(subcommand)]
    Permissions(PermissionsVerb),
    /// Signing keys, and whose plugins to trust
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Secrets that this installation keeps, encrypted
    #[command(subcommand)]
    Secrets(SecretsVerb),
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

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceVerb {
    /// Write a signed statement of a run: its plan, log, plugins and signers, grants, refusals, findings and approvals
    #[command(
        after_help = "Examples:\n  orch-wasm evidence export latest\n  orch-wasm evidence export 4f2a --out evidence.json --key release.key"
    )]
    Export {
        /// A run that is over: id, unique part of it, or `latest`
        run: String,
        /// The file to write; else `<run>.evidence.json`
        #[arg(long)]
        out: Option<PathBuf>,
        /// The key to sign with; else this installation's
        #[arg(long)]
        key: Option<PathBuf>,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Check such a statement: needs the file and a public key, and nothing of the run
    #[command(
        after_help = "Examples:\n  orch-wasm evidence verify evidence.json --key release.pub\n  orch-wasm evidence verify evidence.json --format json"
    )]
    Verify {
        /// The file
        file: PathBuf,
        /// The public key that has to have signed it; else any that this installation trusts
        #[arg(long)]
        key: Option<PathBuf>,
        /// How to print it
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Ask a policy cases with known answers
    #[command(
        after_help = "Examples:\n  orch-wasm policy test policy-cases.yaml\n  orch-wasm policy test cases.yaml --policy /etc/orch-wasm/policy.yaml --format json"
    )]
    Test {
        /// The file with the cases
        cases: PathBuf,
        /// The policy file; else the one of this installation, else `policy.yaml` beside the cases, else the built-in policy
        #[arg(long, env = "ORCH_WASM_POLICY")]
        policy: Option<PathBuf>,
        /// How to print it
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PermissionsVerb {
    /// Print the smallest grants with which a run would have done the same
    #[command(after_help = "Example:\n  orch-wasm permissions suggest latest")]
    Suggest {
        /// A run: id, unique part of it, or `latest`
        run: String,
        #[command(flatten)]
        state: StateArguments,
    },
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
    /// Changes nothing outside: no file is written, only requests that look are made, only programs that are marked
    /// `read-only` are run, whatever was granted
    #[arg(long)]
    pub(crate) dry_run: bool,
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
    /// Names this request: asked again with the same key, the workflow does not run again. The run that has the key goes on if
    /// it is not over, and its exit code is given if it is
    #[arg(long, value_name = "TEXT")]
    pub(crate) idempotency_key: Option<String>,
    /// Records what each task got from outside into this folder, for `plugin test`: files, answers, output of programs. Values of
    /// secrets are not in it; everything else that the tasks read is
    #[arg(long, value_name = "DIR", conflicts_with = "idempotency_key")]
    pub(crate) record: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) drive: DriveArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RerunArguments {
    /// A run: id, unique part of it, or `latest`
    pub(crate) run: String,
    /// The task that runs again
    #[arg(long)]
    pub(crate) from: TaskId,
    /// Run all tasks again that need it, directly or through others
    #[arg(long)]
    pub(crate) with_descendants: bool,
    /// An input that differs from that of the earlier run, as `name=value`; may be given again
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// The registry folder; else `registry/` beside the workflow or in a folder above it
    #[arg(long, env = "ORCH_WASM_REGISTRY")]
    pub(crate) registry: Option<PathBuf>,
    /// The policy file; else the one of this installation, else `policy.yaml` beside the workflow, else the built-in policy
    #[arg(long, env = "ORCH_WASM_POLICY")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) state: StateArguments,
    #[command(flatten)]
    pub(crate) drive: DriveArguments,
}

impl RerunArguments {
    /// What `run` would be given, with these inputs.
    pub(crate) fn as_workflow(&self, inputs: Vec<String>, dry_run: bool) -> WorkflowArguments {
        WorkflowArguments {
            file: self.state.workflow.clone(),
            inputs,
            dry_run,
            registry: self.registry.clone(),
            policy: self.policy.clone(),
            state: self.state.state.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArguments {
    /// A run: id, unique part of it, or `latest`
    pub(crate) run: String,
    /// The task that waits; may be left out when there is only one
    pub(crate) task: Option<StepId>,
    /// Why, for those who read the log
    #[arg(long)]
    pub(crate) comment: Option<String>,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Settled {
    /// It did its work
    Succeeded,
    /// It did not
    Failed,
    /// Nobody knows, and once more does no harm
    Again,
}

/// How a run is driven and shown.
#[derive(Debug, Args)]
pub(crate) struct DriveArguments {
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
        /// One of its tasks, or `task[3]` for one item of it
        task: Option<StepId>,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Write an artifact of a run to standard output
    #[command(
        after_help = "Example:\n  orch-wasm runs artifact latest sbom sbom.cdx.json > bill.json\n\nThe end of `runs show` lists the artifacts. Guests wrote them, so none goes to a terminal."
    )]
    Artifact {
        /// A run: id, unique part of it, or `latest`
        run: String,
        /// Its task, or `task[3]` for one item of it
        task: StepId,
        /// The artifact
        name: String,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Remove runs that are over, oldest first, with what only they need
    #[command(
        after_help = "Examples:\n  orch-wasm runs prune --older-than 90d --keep 50 --dry-run\n  orch-wasm runs prune --most 10GiB"
    )]
    Prune {
        /// Runs that ended longer ago than this go
        #[arg(long, value_name = "TIME")]
        older_than: Option<orch_core::Period>,
        /// So many of the newest stay; others go
        #[arg(long, value_name = "COUNT")]
        keep: Option<usize>,
        /// What all runs may take together; the oldest go until they fit
        #[arg(long, value_name = "SIZE")]
        most: Option<orch_core::Size>,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
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
    #[command(
        after_help = "Examples:\n  orch-wasm plugin new acme/hello\n  orch-wasm plugin new acme/hello --lang python"
    )]
    New {
        /// `namespace/name`
        name: PluginName,
        /// The folder to write to; else the plugin's name
        folder: Option<PathBuf>,
        /// What it is to be written in
        #[arg(long, value_enum, default_value = "rust")]
        lang: Language,
        /// Uses the Rust SDK in this folder (`sdk/rust` of a checkout) instead of writing one into the plugin's
        #[arg(long)]
        sdk: Option<PathBuf>,
    },
    /// Compile a plugin, in whatever language its folder holds, and put its manifest inside
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
    /// Replay recordings of `run --record` against a plugin: no network, no program, no file of yours
    #[command(
        after_help = "Examples:\n  orch-wasm run workflow.yaml --record my-plugin/recordings\n  orch-wasm plugin test my-plugin              # a folder: builds it first\n  orch-wasm plugin test my-plugin.wasm --recordings recordings --format json"
    )]
    Test {
        /// A folder with `plugin.yaml`, or a built component
        #[arg(default_value = ".")]
        plugin: PathBuf,
        /// The folder with recordings, or one recording; else `recordings/` beside `plugin.yaml` or beside the component
        #[arg(long, value_name = "DIR")]
        recordings: Option<PathBuf>,
        /// How to print it
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
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
        /// A bill of materials to publish with it, in JSON (CycloneDX or SPDX)
        #[arg(long, value_name = "FILE")]
        sbom: Option<PathBuf>,
        /// The signing key; else the one of this installation
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Sign a version that somebody else published, for policies that want more than one signer
    #[command(after_help = "Example:\n  orch-wasm plugin endorse orch/secret-scan 1.2.0 --key review.key")]
    Endorse {
        /// `namespace/name`
        name: PluginName,
        /// The version
        version: semver::Version,
        #[command(flatten)]
        registry: RegistryArguments,
        /// The signing key; else the one of this installation
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Say that the index of a plugin ends here, for policies that want to hear it from time to time
    #[command(after_help = "Example:\n  orch-wasm plugin confirm acme/hello")]
    Confirm {
        /// `namespace/name`
        name: PluginName,
        #[command(flatten)]
        registry: RegistryArguments,
        /// The signing key; else the one of this installation
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Hand a plugin over to another key: the old one signs nothing more of it
    #[command(after_help = "Example:\n  orch-wasm plugin rotate acme/hello --to new.pub --key old.key")]
    Rotate {
        /// `namespace/name`
        name: PluginName,
        /// The new key's public half
        #[arg(long)]
        to: PathBuf,
        #[command(flatten)]
        registry: RegistryArguments,
        /// The old signing key; else the one of this installation
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
pub(crate) enum SecretsVerb {
    /// Keep a value, which is read from standard input or asked for; never an argument
    #[command(
        after_help = "Examples:\n  orch-wasm secrets set github-token\n  orch-wasm secrets set github-token < token.txt"
    )]
    Set {
        /// What workflows call it, as in `from: store:github-token`
        name: SecretName,
    },
    /// List the names of the secrets; values are never shown
    #[command(after_help = "Example:\n  orch-wasm secrets list --format json")]
    List {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Take a secret away
    #[command(after_help = "Example:\n  orch-wasm secrets rm github-token")]
    Rm {
        /// Its name
        name: SecretName,
    },
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

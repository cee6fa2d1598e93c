//! `exec`: programs of the host, by the name that was granted. Every call checks the grant; what is run, and with which arguments, is
//! the grant's to say, and a guest fills its slots.

use crate::bindings::orch::task::exec::{Exit, Host, HostProcess, add_to_linker};
use crate::exec::launch::{Launcher, Order, launch};
use crate::exec::process::{End, Process, Stream};
use crate::exec::{paths, program};
use crate::guest::Guest;
use crate::sandbox::Environment;
use crate::tape::Program;
use orch_core::{Access, ExecGrant, ExecName, RefusedBy, SlotKind, shorten, visible};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{HasSelf, Linker, Resource};

/// Programs that one attempt has at once. One counts until nothing of it is left.
const MOST_PROGRAMS: usize = 16;

/// Bytes that one read returns at most.
const MOST_READ: u32 = 1 << 20;

/// How long the end of an attempt waits for its programs to be dead. Their supervisors go on after that.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// A program that a guest started. Dropped, it is ended with all that it started.
#[expect(unreachable_pub, reason = "the generated bindings re-export it, and a re-export needs the whole of `pub`")]
pub struct OpenProcess {
    alias: String,
    process: Program,
}

/// The programs of one attempt.
pub(crate) struct Programs {
    launcher: Launcher,
    env: Environment,
    all: Vec<Arc<Process>>,
}

impl Programs {
    pub(crate) fn new(launcher: Launcher, env: Environment) -> Programs {
        Programs { launcher, env, all: Vec::new() }
    }

    /// Ends every program, and waits a little for it. Nobody waits for what holds their pipes.
    pub(crate) async fn end_all(&mut self) {
        let all = std::mem::take(&mut self.all);
        all.iter().for_each(|process| process.kill());
        let gone = async {
            for process in &all {
                process.gone().await;
            }
        };
        if tokio::time::timeout(LAST_WAIT, gone).await.is_err() {
            tracing::debug!("programs of an attempt are still being ended");
        }
    }
}

pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

/// A no: who says it, why, and what would make it a yes.
struct No {
    by: RefusedBy,
    reason: String,
    fix: Option<String>,
}

fn no(by: RefusedBy, reason: impl Into<String>) -> No {
    No { by, reason: reason.into(), fix: None }
}

impl Guest {
    /// Records a refusal; gives what the guest is told.
    fn refuse_exec(&mut self, alias: &str, no: No) -> String {
        let No { by, reason, fix } = no;
        // A reason may quote what the guest said.
        let reason = shorten(&visible(&reason), 1_000).into_owned();
        let told = match &fix {
            Some(fix) => format!("the program `{alias}` is not run: {reason}: {fix}"),
            None => format!("the program `{alias}` is not run: {reason}"),
        };
        // Each reason counts as a refusal of its own: the target tells them apart.
        let target = if by == RefusedBy::Workflow { alias.to_owned() } else { format!("{alias}: {reason}") };
        self.audit.refuse("exec", &target, by, &reason, fix);
        shorten(&visible(&told), 2_000).into_owned()
    }

    fn granted(&self, alias: &str) -> Result<ExecGrant, No> {
        let Some(grant) = self.facts.grants.program(alias) else {
            let reason = "no grant names this program".to_owned();
            // What is no name could not be granted, and is not quoted in a line of YAML.
            let fix = ExecName::try_from(alias).ok().map(|alias| {
                format!(
                    "add to the task: permissions: {{ exec: [{{ alias: {alias}, program: /usr/bin/{alias}, args: [] }}] }}; the plugin must ask for it too"
                )
            });
            return Err(No { by: RefusedBy::Workflow, reason, fix });
        };
        if self.facts.dry_run && grant.unconfined {
            let reason = "it is granted as `unconfined: true`, so nothing would hold it to a dry run".to_owned();
            let fix = format!(
                "for a dry run grant a program that needs no such rights: exec: [{{ alias: {alias}, read-only: true, … }}]"
            );
            return Err(No { by: RefusedBy::Engine, reason, fix: Some(fix) });
        }
        if self.facts.dry_run && !grant.read_only {
            let reason = "in a dry run only programs run that are granted as `read-only: true`".to_owned();
            let fix = format!("if it changes nothing, say so: exec: [{{ alias: {alias}, read-only: true, … }}]");
            return Err(No { by: RefusedBy::Engine, reason, fix: Some(fix) });
        }
        Ok(grant.clone())
    }

    /// The arguments, with paths as the host has them.
    fn arguments(&self, grant: &ExecGrant, slots: &[(String, String)]) -> Result<Vec<String>, No> {
        let wrong = |reason: String| no(RefusedBy::Engine, reason);
        let mut values = grant.check_slots(slots).map_err(wrong)?;
        for (slot, value) in &mut values {
            if grant.slots.get(slot) == Some(&SlotKind::Path) {
                self.facts.tape.touch_named(&self.mounts, value);
                *value = paths::of_host(&self.mounts, value, !self.facts.dry_run).map_err(wrong)?;
            }
        }
        grant.arguments(&values).map_err(wrong)
    }

    fn order(
        &mut self,
        alias: &str,
        slots: &[(String, String)],
    ) -> Result<(ExecGrant, Vec<std::path::PathBuf>, Prepared), No> {
        let grant = self.granted(alias)?;
        self.programs.all.retain(|process| !process.is_gone());
        if self.programs.all.len() >= MOST_PROGRAMS {
            return Err(no(RefusedBy::Engine, format!("{MOST_PROGRAMS} programs of this task run already")));
        }
        let arguments = self.arguments(&grant, slots)?;
        let folder = match &grant.cwd {
            None => None,
            Some(name) => {
                let mount = self.mounts.iter().find(|mount| mount.name == name.as_str());
                let fix = format!("add to the task: permissions: {{ fs: [{{ mount: {name}, path: … }}] }}");
                let reason = format!("its folder `{name}` is not granted");
                let missing = || No { by: RefusedBy::Engine, reason, fix: Some(fix) };
                Some(Arc::clone(&mount.ok_or_else(missing)?.folder))
            }
        };
        let writable = self.mounts.iter().filter(|mount| mount.access == Access::Write).map(paths::of_mount);
        let writable = writable.collect::<Result<_, _>>().map_err(|reason| no(RefusedBy::Engine, reason))?;
        let environment =
            grant.env.iter().filter_map(|name| Some((name.to_string(), (self.programs.env)(name.as_str())?)));
        let change = |access| access == Access::Write && !self.facts.dry_run;
        let must_confine = self.facts.dry_run && self.mounts.iter().any(|mount| mount.access == Access::Write);
        let prepared = Prepared {
            must_confine,
            unconfined: grant.unconfined,
            arguments,
            environment: environment.collect(),
            folder,
            mounts: self.mounts.iter().map(|mount| (Arc::clone(&mount.folder), change(mount.access))).collect(),
        };
        Ok((grant, writable, prepared))
    }

    /// The program behind a handle, if its grant still holds.
    fn process(&mut self, process: &Resource<OpenProcess>) -> wasmtime::Result<Result<Program, String>> {
        let open = self.table.get(process)?;
        let (alias, process) = (open.alias.clone(), open.process.clone());
        Ok(match self.granted(&alias) {
            Ok(_) => Ok(process),
            Err(no) => Err(self.refuse_exec(&alias, no)),
        })
    }

    async fn read_output(
        &mut self,
        process: &Resource<OpenProcess>,
        stream: Stream,
        most: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, String>> {
        // An empty answer means the end.
        if most == 0 {
            return Ok(Err("nothing is to be read".to_owned()));
        }
        Ok(match self.process(process)? {
            Ok(process) => process.take(stream, most.min(MOST_READ) as usize).await,
            Err(error) => Err(error),
        })
    }
}

/// What a program gets, besides itself.
struct Prepared {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: Option<Arc<std::fs::File>>,
    mounts: Vec<(Arc<std::fs::File>, bool)>,
    /// A dry run with a folder that a run may write.
    must_confine: bool,
    unconfined: bool,
}

impl Host for Guest {
    async fn spawn(
        &mut self,
        alias: String,
        slots: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<Resource<OpenProcess>, String>> {
        let (grant, writable, prepared) = match self.order(&alias, &slots) {
            Ok(order) => order,
            Err(no) => return Ok(Err(self.refuse_exec(&alias, no))),
        };
        if let Some(replayed) = self.facts.tape.start(&alias, &slots) {
            let opened = replayed.map(|process| self.table.push(OpenProcess { alias, process }));
            return opened.map_or_else(|told| Ok(Err(told)), |opened| Ok(Ok(opened?)));
        }
        let (launcher, time) =
            (self.programs.launcher.clone(), self.stop.deadline.saturating_duration_since(Instant::now()));
        let most_output = self.facts.limits.exec_output;
        // Reads the program's file and starts processes. If the attempt ends meanwhile, what comes of it is dropped, and so ended.
        let started = tokio::task::spawn_blocking(move || {
            let program = program::check(&grant, &writable)
                .map_err(|reason| no(RefusedBy::Engine, format!("`{}`: {reason}", grant.program)))?;
            let Prepared { arguments, environment, folder, mounts, must_confine, unconfined } = prepared;
            let order =
                Order { program, arguments, environment, folder, mounts, must_confine, unconfined, time, most_output };
            launch(&launcher, order).map_err(|error| no(RefusedBy::Engine, error.to_string()))
        });
        let process = match started.await? {
            Ok(process) => Arc::new(process),
            Err(no) => {
                let told = self.refuse_exec(&alias, no);
                self.facts.tape.refused(&alias, &slots, &told);
                return Ok(Err(told));
            }
        };
        self.audit.used(&format!("exec {alias}"));
        self.programs.all.push(Arc::clone(&process));
        let process = self.facts.tape.started(&alias, &slots, process);
        Ok(Ok(self.table.push(OpenProcess { alias, process })?))
    }
}

impl HostProcess for Guest {
    async fn write_stdin(
        &mut self,
        process: Resource<OpenProcess>,
        chunk: Vec<u8>,
    ) -> wasmtime::Result<Result<(), String>> {
        Ok(match self.process(&process)? {
            Ok(process) => process.write(&chunk).await,
            Err(error) => Err(error),
        })
    }

    async fn close_stdin(&mut self, process: Resource<OpenProcess>) -> wasmtime::Result<()> {
        if let Ok(process) = self.process(&process)? {
            process.close_stdin().await;
        }
        Ok(())
    }

    async fn read_stdout(
        &mut self,
        process: Resource<OpenProcess>,
        most: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, String>> {
        self.read_output(&process, Stream::Stdout, most).await
    }

    async fn read_stderr(
        &mut self,
        process: Resource<OpenProcess>,
        most: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, String>> {
        self.read_output(&process, Stream::Stderr, most).await
    }

    async fn wait(&mut self, process: Resource<OpenProcess>) -> wasmtime::Result<Result<Exit, String>> {
        let process = match self.process(&process)? {
            Ok(process) => process,
            Err(error) => return Ok(Err(error)),
        };
        let (end, truncated) = match process.wait().await {
            Ok(ended) => ended,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match end {
            End::Exit { code, signal } => Ok(Exit { code, signal, truncated }),
            End::Crowded => Err("it started too many processes and was ended".to_owned()),
            End::Killed => Ok(Exit { code: None, signal: Some(9), truncated }),
        })
    }

    fn kill(&mut self, process: Resource<OpenProcess>) -> wasmtime::Result<()> {
        if let Ok(process) = self.process(&process)? {
            process.kill();
        }
        Ok(())
    }

    fn drop(&mut self, process: Resource<OpenProcess>) -> wasmtime::Result<()> {
        self.table.delete(process)?.process.kill();
        Ok(())
    }
}

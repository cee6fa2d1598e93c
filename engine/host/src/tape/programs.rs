//! Programs of the host: each with what it was given and what it printed. On replay none is started.

use super::Tape;
use super::files::{Links, Touch, Unrecorded};
use super::http::Fingerprinter;
use super::player::Player;
use super::recorder::Recorder;
use super::recording::{Fingerprint, RecordedEnd, RecordedOutput, RecordedProgram};
use crate::exec::process::{End, Process, Stream};
use crate::mounts::OpenMount;
use orch_core::MaskStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the guest is told of a program that is not in the recording.
const UNRECORDED: &str = "this is a replay, and the recording has no such start of a program";

/// A program that a guest started, in the world or in a recording.
#[derive(Clone)]
pub(crate) enum Program {
    Real(Arc<Process>),
    Recorded(Arc<Process>, Arc<Noted>),
    Played(Arc<Replayed>),
}

/// A program that is being recorded.
pub(crate) struct Noted {
    recorder: Arc<Recorder>,
    number: usize,
    stdin: Mutex<Option<Fingerprinter>>,
    outputs: [Mutex<Printed>; 2],
}

/// An output as far as it was read, without secrets.
struct Printed {
    mask: MaskStream,
    bytes: Vec<u8>,
    whole: bool,
}

/// A program of a recording.
pub(crate) struct Replayed {
    player: Arc<Player>,
    alias: String,
    slots: Vec<(String, String)>,
    state: Mutex<Replaying>,
}

struct Replaying {
    stdin: Option<Fingerprinter>,
    given: Option<Fingerprint>,
    /// Which one of the recording it is: known at the latest when something of it is wanted.
    chosen: Option<Chosen>,
}

struct Chosen {
    number: usize,
    /// What is left of the outputs.
    outputs: [Vec<u8>; 2],
}

pub(super) fn named(alias: &str, slots: &[(String, String)]) -> String {
    let slots: Vec<_> = slots.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("exec {alias} {}", slots.join(" ")).trim_end().to_owned()
}

impl Tape {
    /// A guest names a path of its own for a program, `/mount/…`.
    pub(crate) fn touch_named(&self, mounts: &[OpenMount], path: &str) {
        if matches!(self, Tape::Off) {
            return;
        }
        for mount in mounts {
            let Some(rest) = path.strip_prefix(mount.guest_path.as_str()) else { continue };
            if rest.is_empty() || rest.starts_with('/') {
                let below = Path::new(rest.trim_start_matches('/'));
                // Named if it is unknown; what the program would have done with it is not the question any more.
                let _named = self.touch(mount, &mount.folder, below, Touch::Open(Links::Followed));
            }
        }
    }

    /// A program could not be started, though it was granted.
    pub(crate) fn refused(&self, alias: &str, slots: &[(String, String)], reason: &str) {
        if let Tape::Record(recorder) = self {
            recorder.program(alias, slots, Some(reason));
        }
    }

    /// A program was started.
    pub(crate) fn started(&self, alias: &str, slots: &[(String, String)], process: Arc<Process>) -> Program {
        let Tape::Record(recorder) = self else { return Program::Real(process) };
        let masker = recorder.masker();
        let printed =
            || Mutex::new(Printed { mask: MaskStream::new(Arc::clone(&masker)), bytes: Vec::new(), whole: false });
        let noted = Noted {
            recorder: Arc::clone(recorder),
            number: recorder.program(alias, slots, None),
            stdin: Mutex::new(Some(Fingerprinter::new(Arc::clone(&masker)))),
            outputs: [printed(), printed()],
        };
        Program::Recorded(process, Arc::new(noted))
    }

    /// On replay: the start of a program, from the recording.
    pub(crate) fn start(&self, alias: &str, slots: &[(String, String)]) -> Option<Result<Program, String>> {
        let Tape::Replay(player) = self else { return None };
        let masker = player.masker();
        let slots: Vec<_> = slots.iter().map(|(name, value)| (name.clone(), masker.mask(value).into_owned())).collect();
        let free = player.free_programs(alias, &slots);
        let Some(&first) = free.first() else {
            player.unrecorded(named(alias, &slots));
            return Some(Err(UNRECORDED.to_owned()));
        };
        if let Some(reason) = &player.recording.exec[first].refused {
            player.state().exec.insert(first);
            return Some(Err(reason.clone()));
        }
        let stdin = Some(Fingerprinter::new(masker));
        let state = Mutex::new(Replaying { stdin, given: None, chosen: None });
        let replayed = Replayed { player: Arc::clone(player), alias: alias.to_owned(), slots, state };
        Some(Ok(Program::Played(Arc::new(replayed))))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Program {
    pub(crate) async fn write(&self, chunk: &[u8]) -> Result<(), String> {
        match self {
            Program::Real(process) => process.write(chunk).await,
            Program::Recorded(process, noted) => {
                process.write(chunk).await?;
                if let Some(stdin) = lock(&noted.stdin).as_mut() {
                    stdin.push(chunk);
                }
                Ok(())
            }
            Program::Played(replayed) => match lock(&replayed.state).stdin.as_mut() {
                Some(stdin) => {
                    stdin.push(chunk);
                    Ok(())
                }
                None => Err("its standard input is closed".to_owned()),
            },
        }
    }

    pub(crate) async fn close_stdin(&self) {
        match self {
            Program::Real(process) => process.close_stdin().await,
            Program::Recorded(process, noted) => {
                process.close_stdin().await;
                if let Some(mut stdin) = lock(&noted.stdin).take() {
                    let given = stdin.finish();
                    noted.change(|program| program.stdin = Some(given));
                }
            }
            Program::Played(replayed) => replayed.close(),
        }
    }

    pub(crate) async fn take(&self, stream: Stream, most: usize) -> Result<Vec<u8>, String> {
        match self {
            Program::Real(process) => Ok(process.take(stream, most).await),
            Program::Recorded(process, noted) => {
                let bytes = process.take(stream, most).await;
                noted.printed(stream, &bytes);
                Ok(bytes)
            }
            Program::Played(replayed) => replayed.take(stream, most),
        }
    }

    /// Closes its standard input and waits for its end. Gives also whether more was printed than is kept.
    pub(crate) async fn wait(&self) -> Result<(End, bool), String> {
        self.close_stdin().await;
        match self {
            Program::Real(process) | Program::Recorded(process, _) => {
                let end = process.end().await;
                // Not before all that it printed was read, or `truncated` would be a guess. What holds the pipes is being ended.
                process.read_all().await;
                let truncated = process.is_truncated();
                if let Program::Recorded(_, noted) = self {
                    let recorded = RecordedEnd { end: end.clone(), truncated };
                    noted.change(|program| program.end = Some(recorded));
                }
                Ok((end, truncated))
            }
            Program::Played(replayed) => replayed.wait(),
        }
    }

    pub(crate) fn kill(&self) {
        match self {
            Program::Real(process) => process.kill(),
            Program::Recorded(process, noted) => {
                process.kill();
                noted.write();
            }
            // Which one it was does not matter any more, and it was started.
            Program::Played(replayed) => drop(replayed.choose(&mut lock(&replayed.state))),
        }
    }
}

impl Recorder {
    /// Notes a program; gives its place.
    fn program(&self, alias: &str, slots: &[(String, String)], refused: Option<&str>) -> usize {
        let program = RecordedProgram {
            alias: alias.to_owned(),
            slots: slots.iter().map(|(name, value)| (name.clone(), self.told(value))).collect(),
            refused: refused.map(|reason| self.told(reason)),
            stdin: None,
            stdout: RecordedOutput::default(),
            stderr: RecordedOutput::default(),
            end: None,
        };
        let mut state = self.state();
        state.exec.push(program);
        state.exec.len() - 1
    }
}

impl Noted {
    fn change(&self, change: impl FnOnce(&mut RecordedProgram)) {
        if let Some(program) = self.recorder.state().exec.get_mut(self.number) {
            change(program);
        }
    }

    fn printed(&self, stream: Stream, bytes: &[u8]) {
        let mut printed = lock(&self.outputs[stream as usize]);
        let part = if bytes.is_empty() { printed.mask.finish() } else { printed.mask.push(bytes).into_owned() };
        printed.whole = bytes.is_empty();
        if !self.recorder.is_spoiled() && self.recorder.count(part.len()) {
            printed.bytes.extend_from_slice(&part);
        }
    }

    /// Puts what was read into the recording.
    fn write(&self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut printed = lock(&self.outputs[stream as usize]);
            let rest = printed.mask.finish();
            printed.bytes.extend_from_slice(&rest);
            let (bytes, whole, number) = (printed.bytes.clone(), printed.whole, self.number);
            drop(printed);
            self.recorder.keep_in(bytes, |state, content| {
                if let Some(program) = state.exec.get_mut(number) {
                    let output = RecordedOutput { content, whole };
                    match stream {
                        Stream::Stdout => program.stdout = output,
                        Stream::Stderr => program.stderr = output,
                    }
                }
            });
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.write();
    }
}

impl Replayed {
    fn close(&self) {
        let mut state = lock(&self.state);
        if let Some(mut stdin) = state.stdin.take() {
            let given = stdin.finish();
            if let Some(chosen) = &state.chosen {
                let recorded = &self.player.recording.exec[chosen.number].stdin;
                if recorded.as_ref().is_some_and(|recorded| *recorded != given) {
                    self.other_input(&given);
                }
            }
            state.given = Some(given);
        }
    }

    fn other_input(&self, given: &Fingerprint) -> Unrecorded {
        let what = named(&self.alias, &self.slots);
        let text = format!("{what}: with {} bytes of other standard input ({})", given.bytes, given.digest);
        self.player.unrecorded(text)
    }

    /// Which one of the recording this is: the first that is free and was given the same.
    fn choose<'a>(&self, state: &'a mut Replaying) -> Result<&'a mut Chosen, String> {
        if state.chosen.is_none() {
            let recording = &self.player.recording;
            let free = self.player.free_programs(&self.alias, &self.slots);
            let fits = |number: &usize| match (&state.given, &recording.exec[*number].stdin) {
                (Some(given), Some(recorded)) => given == recorded,
                _ => true,
            };
            let Some(number) = free.iter().copied().find(fits) else {
                match &state.given {
                    Some(given) if !free.is_empty() => self.other_input(given),
                    _ => self.player.unrecorded(named(&self.alias, &self.slots)),
                };
                return Err(UNRECORDED.to_owned());
            };
            self.player.state().exec.insert(number);
            let program = &recording.exec[number];
            let outputs = [recording.content(&program.stdout.content)?, recording.content(&program.stderr.content)?];
            state.chosen = Some(Chosen { number, outputs });
        }
        state.chosen.as_mut().ok_or_else(|| UNRECORDED.to_owned())
    }

    fn take(&self, stream: Stream, most: usize) -> Result<Vec<u8>, String> {
        let mut state = lock(&self.state);
        let chosen = self.choose(&mut state)?;
        let left = &mut chosen.outputs[stream as usize];
        let count = left.len().min(most);
        let bytes: Vec<u8> = left.drain(..count).collect();
        let program = &self.player.recording.exec[chosen.number];
        let output = match stream {
            Stream::Stdout => &program.stdout,
            Stream::Stderr => &program.stderr,
        };
        if bytes.is_empty() && !output.whole {
            let what = named(&self.alias, &self.slots);
            self.player.unrecorded(format!("{what}: reads more of {stream:?} than was recorded"));
            return Err(UNRECORDED.to_owned());
        }
        Ok(bytes)
    }

    fn wait(&self) -> Result<(End, bool), String> {
        let mut state = lock(&self.state);
        let number = self.choose(&mut state)?.number;
        match &self.player.recording.exec[number].end {
            Some(RecordedEnd { end, truncated }) => Ok((end.clone(), *truncated)),
            None => {
                self.player.unrecorded(format!("{}: waits for its end", named(&self.alias, &self.slots)));
                Err(UNRECORDED.to_owned())
            }
        }
    }
}

impl Player {
    /// The recorded starts of a program with these slots that nobody asked for yet.
    fn free_programs(&self, alias: &str, slots: &[(String, String)]) -> Vec<usize> {
        let state = self.state();
        let all = self.recording.exec.iter().enumerate();
        let free = all.filter(|(number, one)| !state.exec.contains(number) && one.alias == alias && one.slots == slots);
        free.map(|(number, _)| number).collect()
    }
}

//! `artifacts`: files that outlive the task, stored by content. Every call checks the grant; names and bytes are bounded.

use crate::bindings::orch::task::artifacts::{Host, HostArtifact, add_to_linker};
use crate::guest::Guest;
use orch_core::{ArtifactName, BlobWriter, RefusedBy, SecretScan, StoredArtifact, shorten, visible};
use std::sync::Arc;
use wasmtime::component::{HasSelf, Linker, Resource};

/// An artifact that is being written. Dropped before its end it leaves nothing behind.
#[expect(unreachable_pub, reason = "the generated bindings re-export it, and a re-export needs the whole of `pub`")]
pub struct OpenArtifact {
    name: ArtifactName,
    media_type: String,
    bytes: u64,
    secrets: SecretScan,
    /// Taken by `finish`, and when a secret was found.
    blob: Option<Box<dyn BlobWriter>>,
    leaks: bool,
}

/// Characters of a media type (RFC 6838 allows 127 for each part).
const MEDIA_TYPE: usize = 255;

/// Why an artifact is refused when it is written: artifacts are kept as they are, and cannot be masked.
const LEAKS: &str = "its content holds a secret of the task";

impl OpenArtifact {
    /// Why nothing can be done with it any more.
    fn closed(&self) -> String {
        match self.leaks {
            true => format!("the artifact `{}` is refused: {LEAKS}", self.name),
            false => format!("the artifact `{}` is finished", self.name),
        }
    }
}

pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

impl Host for Guest {
    fn create(&mut self, name: String, media_type: String) -> wasmtime::Result<Result<Resource<OpenArtifact>, String>> {
        let name = match ArtifactName::try_from(name.as_str()) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if !self.facts.grants.artifacts.contains(&name) {
            let fix = format!(
                "add to the task: permissions: {{ artifacts: [{name}] }}, and to plugin.yaml that it asks for it"
            );
            let reason = "no grant names this artifact";
            self.audit.refuse("artifacts", name.as_str(), RefusedBy::Workflow, reason, Some(fix.clone()));
            return Ok(Err(format!("the artifact `{name}` was not granted: {fix}")));
        }
        if self.secrets.masker().contains(name.as_str().as_bytes()) {
            self.audit.refuse(
                "artifacts",
                name.as_str(),
                RefusedBy::Engine,
                "its name holds a secret of the task",
                None,
            );
            return Ok(Err("the name of the artifact holds a secret of the task".to_owned()));
        }
        if !self.artifacts.names.insert(name.to_string()) {
            return Ok(Err(format!("the artifact `{name}` was created before in this attempt")));
        }
        let blob = match self.artifacts.blobs.create() {
            Ok(blob) => blob,
            Err(error) => return Ok(Err(self.artifacts.broke(&error))),
        };
        self.audit.used(&format!("artifacts {name}"));
        let media_type = shorten(&visible(&self.secrets.masker().mask(&media_type)), MEDIA_TYPE).into_owned();
        let secrets = SecretScan::new(Arc::clone(self.secrets.masker()));
        let open = OpenArtifact { name, media_type, bytes: 0, secrets, blob: Some(blob), leaks: false };
        Ok(Ok(self.table.push(open)?))
    }
}

impl HostArtifact for Guest {
    fn write(&mut self, artifact: Resource<OpenArtifact>, chunk: Vec<u8>) -> wasmtime::Result<Result<u64, String>> {
        let most = self.facts.limits.artifacts;
        let artifact = self.table.get_mut(&artifact)?;
        if self.artifacts.bytes + chunk.len() as u64 > most.bytes() {
            self.artifacts.reached = true;
            return Ok(Err(format!("the limit `artifacts` of {most} is reached")));
        }
        if artifact.blob.is_some() && artifact.secrets.push(&chunk) {
            // Dropped at once, and with it what was written so far.
            artifact.blob = None;
            artifact.leaks = true;
            self.audit.refuse("artifacts", artifact.name.as_str(), RefusedBy::Engine, LEAKS, None);
        }
        let Some(blob) = &mut artifact.blob else {
            return Ok(Err(artifact.closed()));
        };
        if let Err(error) = blob.write(&chunk) {
            return Ok(Err(self.artifacts.broke(&error)));
        }
        self.artifacts.bytes += chunk.len() as u64;
        artifact.bytes += chunk.len() as u64;
        Ok(Ok(artifact.bytes))
    }

    fn finish(&mut self, artifact: Resource<OpenArtifact>) -> wasmtime::Result<Result<String, String>> {
        let artifact = self.table.get_mut(&artifact)?;
        let Some(blob) = artifact.blob.take() else {
            return Ok(Err(artifact.closed()));
        };
        let digest = match blob.finish() {
            Ok(digest) => digest,
            Err(error) => return Ok(Err(self.artifacts.broke(&error))),
        };
        self.audit.live.stored(StoredArtifact {
            name: artifact.name.clone(),
            media_type: artifact.media_type.clone(),
            digest,
            bytes: artifact.bytes,
        });
        Ok(Ok(digest.to_string()))
    }

    fn drop(&mut self, artifact: Resource<OpenArtifact>) -> wasmtime::Result<()> {
        self.table.delete(artifact)?;
        Ok(())
    }
}

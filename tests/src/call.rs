//! One attempt as a test states it, and what came of it.

use crate::Seen;
use camino::Utf8Path;
use orch_core::{
    Access, ArtifactName, AttemptOutput, BucketName, Effective, EffectiveBucket, EffectiveMount, EffectiveNet,
    EffectiveSecret, Entropy, EnvName, ExecGrant, Failure, FailureKind, Limits, MountName, NetRule, Refusal,
    SecretName, Size, UpstreamArtifact, Usage,
};
use serde_json::Value;
use std::time::Duration;

/// A call of a task, with nothing granted and default limits.
pub struct Call {
    pub(crate) task: String,
    pub(crate) input: String,
    pub(crate) grants: Effective,
    pub(crate) limits: Limits,
    pub(crate) timeout: Duration,
    pub(crate) upstream: Vec<UpstreamArtifact>,
    pub(crate) findings: Vec<(orch_core::TaskId, Vec<orch_core::Finding>)>,
    pub(crate) dry_run: bool,
}

impl Call {
    /// A task of a guest with its input.
    pub fn new(task: &str, input: Value) -> Call {
        Call {
            task: task.to_owned(),
            input: input.to_string(),
            grants: Effective::default(),
            limits: Limits::default(),
            // Far above what any case needs, so that a slow machine fails no test; far below what hangs a build.
            timeout: Duration::from_secs(60),
            upstream: Vec::new(),
            findings: Vec::new(),
            dry_run: false,
        }
    }

    /// Hands it what a task before found.
    #[must_use]
    pub fn findings(mut self, task: &str, found: Vec<orch_core::Finding>) -> Call {
        self.findings.push((orch_core::TaskId::try_from(task).unwrap(), found));
        self
    }

    /// Grants a folder.
    #[must_use]
    pub fn mount(mut self, name: &str, folder: &std::path::Path, access: Access) -> Call {
        self.grants.fs.push(EffectiveMount {
            mount: MountName::try_from(name).unwrap(),
            root: Utf8Path::from_path(folder).unwrap().to_owned(),
            below: camino::Utf8PathBuf::new(),
            access,
        });
        self
    }

    /// Narrows the mount that was granted last to a folder below it.
    #[must_use]
    pub fn below(mut self, path: &str) -> Call {
        self.grants.fs.last_mut().unwrap().below = path.into();
        self
    }

    /// Grants a variable.
    #[must_use]
    pub fn env(mut self, name: &str) -> Call {
        self.grants.env.push(EnvName::try_from(name).unwrap());
        self
    }

    /// Lets plugin, workflow and policy all agree to a connection.
    #[must_use]
    pub fn reach(self, rule: &NetRule) -> Call {
        self.net(|net| {
            for rules in [&mut net.asked, &mut net.granted, &mut net.allowed] {
                rules.push(rule.clone());
            }
        })
    }

    /// Changes what may be connected to.
    #[must_use]
    pub fn net(mut self, change: impl FnOnce(&mut EffectiveNet)) -> Call {
        change(&mut self.grants.net);
        self
    }

    /// Grants a place for values.
    #[must_use]
    pub fn bucket(mut self, name: &str, quota: u64) -> Call {
        let bucket = BucketName::try_from(name).unwrap();
        self.grants.kv.push(EffectiveBucket { bucket, quota: Size::from_bytes(quota) });
        self
    }

    /// Fixes time and random numbers.
    #[must_use]
    pub fn fixed(mut self) -> Call {
        (self.grants.clock, self.grants.random) = (Entropy::Fixed, Entropy::Fixed);
        self
    }

    /// Only looks.
    #[must_use]
    pub fn dry_run(mut self) -> Call {
        self.dry_run = true;
        self
    }

    /// Grants an artifact.
    #[must_use]
    pub fn artifact(mut self, name: &str) -> Call {
        self.grants.artifacts.push(ArtifactName::try_from(name).unwrap());
        self
    }

    /// Grants a program.
    #[must_use]
    pub fn program(mut self, grant: ExecGrant) -> Call {
        self.grants.exec.push(grant);
        self
    }

    /// Grants a secret with this value, as a handle.
    #[must_use]
    pub fn secret(self, name: &str, value: &str) -> Call {
        self.secret_from(name, &format!("test:{value}"))
    }

    /// Grants a secret from one of the sources that these tests have.
    #[must_use]
    pub fn secret_from(mut self, name: &str, source: &str) -> Call {
        self.grants.secrets.push(EffectiveSecret {
            name: SecretName::try_from(name).unwrap(),
            from: SecretName::try_from(name).unwrap(),
            source: source.to_owned(),
            audience: Vec::new(),
            within: Vec::new(),
            header: None,
            reveal: false,
        });
        self
    }

    /// Lets the secret that was granted last travel in a header, to whom a rule is about.
    #[must_use]
    pub fn in_header(mut self, header: &str, audience: NetRule) -> Call {
        let secret = self.grants.secrets.last_mut().unwrap();
        secret.header = Some(header.try_into().unwrap());
        secret.audience.push(audience);
        self
    }

    /// Lets the guest see the secret that was granted last.
    #[must_use]
    pub fn revealed(mut self) -> Call {
        self.grants.secrets.last_mut().unwrap().reveal = true;
        self
    }

    /// Gives it an artifact of another task.
    #[must_use]
    pub fn upstream(mut self, artifact: UpstreamArtifact) -> Call {
        self.upstream.push(artifact);
        self
    }

    /// Changes the limits.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Call {
        change(&mut self.limits);
        self
    }

    /// Sets the timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Call {
        self.timeout = timeout;
        self
    }
}

/// What came of a call.
#[derive(Debug)]
pub struct Ended {
    /// The output or what broke.
    pub result: Result<AttemptOutput, Failure>,
    /// What was used.
    pub usage: Usage,
    /// What the guest did on the way.
    pub seen: Seen,
}

impl Ended {
    /// The output of a task that succeeded.
    #[track_caller]
    pub fn output(&self) -> &Value {
        match &self.result {
            Ok(AttemptOutput::Succeeded(output)) => output,
            other => panic!("not succeeded: {other:?}"),
        }
    }

    /// What broke.
    #[track_caller]
    pub fn failure(&self) -> &Failure {
        match &self.result {
            Err(failure) => failure,
            Ok(output) => panic!("nothing broke: {output:?}"),
        }
    }

    /// The name and value of the limit that was reached.
    #[track_caller]
    pub fn limit(&self) -> (&str, &str) {
        match &self.failure().what {
            FailureKind::Limit { limit, value } => (limit, value),
            other => panic!("no limit: {other:?}: {}", self.failure().message),
        }
    }

    /// The message of a trap.
    #[track_caller]
    pub fn trap(&self) -> &str {
        assert_eq!(self.failure().what, FailureKind::Trap, "{}", self.failure().message);
        &self.failure().message
    }

    /// The refusals of one capability.
    pub fn refusals(&self, capability: &str) -> Vec<&Refusal> {
        self.seen.refused.iter().filter(|refusal| refusal.capability == capability).collect()
    }
}

//! What a plugin asks for. It is a ceiling: nothing else can be granted to it.

use super::{Access, Capability};
use crate::names::{BucketName, ExecName, SlotName};
use crate::{ArtifactName, EnvName, HeaderName, MountName, NetRule, SecretName, Size};
use serde::{Deserialize, Serialize};

/// Everything a plugin asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fs: Vec<FsAsk>,
    /// Connections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub net: Vec<NetAsk>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvAsk>,
    /// Secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretAsk>,
    /// Programs of the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ExecAsk>,
    /// Values that outlive the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kv: Vec<KvAsk>,
    /// Files that outlive the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactAsk>,
    /// What the tasks before it found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingsAsk>,
}

macro_rules! ask {
    ($(#[$doc:meta])* $type:ident { $($(#[$field_doc:meta])+ $field:ident: $of:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $type {
            $($(#[$field_doc])+ pub $field: $of,)*
            /// Why, for the person who grants it.
            #[serde(default)]
            pub reason: String,
            /// Whether the plugin works without it.
            #[serde(default)]
            pub optional: bool,
        }
    };
}

ask! {
    /// A plugin asks for a folder.
    FsAsk {
        /// Where the guest will see it.
        mount: MountName,
        /// The most it does with it.
        access: Access,
    }
}

ask! {
    /// A plugin asks for connections.
    NetAsk {
        /// To whom. `addresses` is empty: which special addresses a name may have is nothing a plugin knows.
        rule: NetRule,
    }
}

ask! {
    /// A plugin asks for an environment variable.
    EnvAsk {
        /// Its name.
        name: EnvName,
    }
}

ask! {
    /// A plugin asks for a secret.
    SecretAsk {
        /// What the plugin calls it.
        name: SecretName,
        /// Requests that it may travel with; it never leaves for anybody else.
        audience: Vec<NetRule>,
        /// The header in which it travels; absent when the plugin only signs with it or sees its value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<HeaderName>,
        /// Whether the plugin has to see its value.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reveal: bool,
    }
}

ask! {
    /// A plugin asks for a program of the host.
    ExecAsk {
        /// What the plugin calls it.
        alias: ExecName,
        /// What it fills in when it calls it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        slots: Vec<SlotName>,
    }
}

ask! {
    /// A plugin asks to keep values from run to run.
    KvAsk {
        /// What the plugin calls the place.
        bucket: BucketName,
        /// Bytes of all keys and values.
        quota: Size,
    }
}

ask! {
    /// A plugin asks to store a file.
    ArtifactAsk {
        /// Its name.
        name: ArtifactName,
    }
}

ask! {
    /// A plugin asks to read what the tasks before it found.
    FindingsAsk {}
}

impl Ask {
    /// The kinds of permission that it is about: what is linked.
    pub fn kinds(&self) -> Vec<Capability> {
        let asked = |kind: &Capability| match kind {
            Capability::Fs => !self.fs.is_empty(),
            Capability::Net => !self.net.is_empty(),
            Capability::Env => !self.env.is_empty(),
            Capability::Secrets => !self.secrets.is_empty(),
            Capability::Exec => !self.exec.is_empty(),
            Capability::Kv => !self.kv.is_empty(),
            Capability::Artifacts => !self.artifacts.is_empty(),
            Capability::Findings => self.findings.is_some(),
        };
        Capability::ALL.into_iter().filter(asked).collect()
    }

    /// The same with every reason empty and in one order: what the capability hash is taken over.
    pub fn without_reasons(&self) -> Ask {
        let mut ask = self.clone();
        ask.fs.iter_mut().for_each(|item| item.reason.clear());
        ask.net.iter_mut().for_each(|item| item.reason.clear());
        ask.env.iter_mut().for_each(|item| item.reason.clear());
        ask.secrets.iter_mut().for_each(|item| item.reason.clear());
        ask.exec.iter_mut().for_each(|item| item.reason.clear());
        ask.kv.iter_mut().for_each(|item| item.reason.clear());
        ask.artifacts.iter_mut().for_each(|item| item.reason.clear());
        ask.findings.iter_mut().for_each(|item| item.reason.clear());
        ask.fs.sort_by(|a, b| a.mount.cmp(&b.mount));
        ask.net.sort_by(|a, b| a.rule.cmp(&b.rule));
        ask.env.sort_by(|a, b| a.name.cmp(&b.name));
        ask.secrets.iter_mut().for_each(|item| item.audience.sort());
        ask.secrets.sort_by(|a, b| a.name.cmp(&b.name));
        ask.exec.iter_mut().for_each(|item| item.slots.sort());
        ask.exec.sort_by(|a, b| a.alias.cmp(&b.alias));
        ask.kv.sort_by(|a, b| a.bucket.cmp(&b.bucket));
        ask.artifacts.sort_by(|a, b| a.name.cmp(&b.name));
        ask
    }

    /// One line for each item, for people and for differences: `fs source read`.
    pub fn lines(&self) -> Vec<String> {
        self.without_reasons().items().into_iter().map(|(line, _)| line).collect()
    }

    /// The lines, each with its reason, in the order of the manifest.
    pub fn items(&self) -> Vec<(String, &str)> {
        let Ask { fs, net, env, secrets, exec, kv, artifacts, findings } = self;
        let mut items = Vec::new();
        let mut item = |text: String, optional: bool, reason| {
            items.push((if optional { text + " (optional)" } else { text }, reason));
        };
        fs.iter().for_each(|ask| item(format!("fs {} {}", ask.mount, ask.access), ask.optional, ask.reason.as_str()));
        net.iter().for_each(|ask| item(format!("net {}", ask.rule), ask.optional, ask.reason.as_str()));
        env.iter().for_each(|ask| item(format!("env {}", ask.name), ask.optional, ask.reason.as_str()));
        secrets.iter().for_each(|ask| item(ask.line(), ask.optional, ask.reason.as_str()));
        exec.iter().for_each(|ask| item(ask.line(), ask.optional, ask.reason.as_str()));
        kv.iter().for_each(|ask| item(format!("kv {} {}", ask.bucket, ask.quota), ask.optional, ask.reason.as_str()));
        artifacts.iter().for_each(|ask| item(format!("artifacts {}", ask.name), ask.optional, ask.reason.as_str()));
        findings.iter().for_each(|ask| item("findings of needs".to_owned(), ask.optional, ask.reason.as_str()));
        items
    }

    /// What `self` asks for that `before` did not: the lines that a person has to accept. What is not recognised as less than
    /// before counts as more.
    pub fn more_than(&self, before: &Ask) -> Vec<String> {
        fn new<T: Clone>(now: &[T], before: &[T], covers: impl Fn(&T, &T) -> bool) -> Vec<T> {
            now.iter().filter(|now| !before.iter().any(|before| covers(before, now))).cloned().collect()
        }
        let more = Ask {
            fs: new(&self.fs, &before.fs, |old, new| old.mount == new.mount && old.access >= new.access),
            net: new(&self.net, &before.net, |old, new| old.rule == new.rule),
            env: new(&self.env, &before.env, |old, new| old.name == new.name),
            secrets: new(&self.secrets, &before.secrets, |old, new| {
                old.name == new.name
                    && new.audience.iter().all(|rule| old.audience.contains(rule))
                    && (new.header == old.header || new.header.is_none())
                    && old.reveal >= new.reveal
            }),
            exec: new(&self.exec, &before.exec, |old, new| {
                old.alias == new.alias && new.slots.iter().all(|slot| old.slots.contains(slot))
            }),
            kv: new(&self.kv, &before.kv, |old, new| old.bucket == new.bucket && old.quota >= new.quota),
            artifacts: new(&self.artifacts, &before.artifacts, |old, new| old.name == new.name),
            findings: self.findings.clone().filter(|_| before.findings.is_none()),
        };
        more.lines()
    }
}

impl SecretAsk {
    fn line(&self) -> String {
        let audience: Vec<_> = self.audience.iter().map(ToString::to_string).collect();
        let to = if audience.is_empty() { String::new() } else { format!(" to {}", audience.join(", ")) };
        let header = self.header.as_ref().map_or_else(String::new, |header| format!(" in `{header}`"));
        format!("secrets {}{to}{header}{}", self.name, if self.reveal { ", revealed" } else { "" })
    }
}

impl ExecAsk {
    fn line(&self) -> String {
        let slots: Vec<_> = self.slots.iter().map(|slot| slot.as_str()).collect();
        if slots.is_empty() {
            format!("exec {}", self.alias)
        } else {
            format!("exec {} ({})", self.alias, slots.join(", "))
        }
    }
}

//! `secrets`: handles to values that the guest need not see. Every call looks at the grant; what is used and what is refused is
//! recorded.

use crate::bindings::orch::task::secrets::{Host, HostSecret, add_to_linker};
use crate::guest::Guest;
use crate::held_secrets::HeldSecret;
use hmac::{Hmac, KeyInit, Mac};
use orch_core::{RefusedBy, SecretName};
use sha2::Sha256;
use wasmtime::component::{HasSelf, Linker, Resource};

/// A handle: the place of a secret in the attempt's list. The value is not in it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it, and a re-export needs the whole of `pub`")]
pub struct OpenSecret {
    number: usize,
}

pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

impl Guest {
    fn held(&mut self, secret: &Resource<OpenSecret>) -> wasmtime::Result<&HeldSecret> {
        let number = self.table.get(secret)?.number;
        // A handle is only made for a place in this list, which never changes.
        self.secrets.all().get(number).ok_or_else(|| wasmtime::format_err!("a handle of no secret"))
    }
}

impl Host for Guest {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<OpenSecret>, String>> {
        let name = match SecretName::try_from(name.as_str()) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let number = self.secrets.all().iter().position(|held| held.grant.name == name);
        let granted = self.facts.grants.secret(name.as_str()).is_some();
        let Some(number) = number.filter(|_| granted) else {
            let fix = format!(
                "add to the task: permissions: {{ secrets: [{{ name: {name}, from: {name} }}] }}, and to plugin.yaml that it asks for it"
            );
            let reason = "no grant names this secret";
            self.audit.refuse("secrets", name.as_str(), RefusedBy::Workflow, reason, Some(fix.clone()));
            return Ok(Err(format!("the secret `{name}` was not granted: {fix}")));
        };
        self.audit.used(&format!("secrets {name}"));
        Ok(Ok(self.table.push(OpenSecret { number })?))
    }
}

impl HostSecret for Guest {
    fn placeholder(&mut self, secret: Resource<OpenSecret>) -> wasmtime::Result<String> {
        Ok(self.held(&secret)?.placeholder.clone())
    }

    fn hmac_sha256(&mut self, secret: Resource<OpenSecret>, message: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let key = self.held(&secret)?.value.expose().as_bytes();
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| wasmtime::format_err!("{error}"))?;
        hmac.update(&message);
        Ok(hmac.finalize().into_bytes().to_vec())
    }

    fn reveal(&mut self, secret: Resource<OpenSecret>) -> wasmtime::Result<Option<String>> {
        let held = self.held(&secret)?;
        let (name, from) = (held.grant.name.clone(), held.grant.from.clone());
        if !held.grant.reveal {
            let fix = format!(
                "the plugin has to ask with `reveal: true` in plugin.yaml, the task to grant {{ name: {name}, from: {from}, reveal: true }}, and the policy to allow it"
            );
            let reason = "it may travel with requests, and not be seen";
            self.audit.refuse("secrets", &format!("{name} revealed"), RefusedBy::Plugin, reason, Some(fix));
            return Ok(None);
        }
        let value = held.value.expose().to_owned();
        self.secrets.taint();
        self.audit.used(&format!("secrets {name} revealed"));
        Ok(Some(value))
    }

    fn drop(&mut self, secret: Resource<OpenSecret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

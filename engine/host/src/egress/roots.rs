//! The authorities whose certificates are trusted.

use orch_core::NetworkOptions;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;

/// Where platforms keep them as one file. Looked at here, because the usual ways to find them ask the environment first.
#[cfg(all(unix, not(target_os = "macos")))]
const FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// The authorities of the options.
pub(super) fn load(options: &NetworkOptions) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for file in &options.root_files {
        let broken = |reason: String| format!("the certificates of {} cannot be used: {reason}", file);
        let certificates = read(file.as_std_path()).map_err(broken)?;
        if certificates.is_empty() {
            return Err(broken("there are none in it".to_owned()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| broken(error.to_string()))?;
        }
    }
    if options.platform_roots {
        // Platforms ship some that no library reads; the others are good.
        let _ = roots.add_parsable_certificates(platform());
    }
    Ok(roots)
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    certificates.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

#[cfg(all(unix, not(target_os = "macos")))]
fn platform() -> Vec<CertificateDer<'static>> {
    let file = FILES.iter().map(Path::new).find(|file| file.exists());
    file.map_or_else(Vec::new, |file| rustls_native_certs::load_certs_from_paths(Some(file), None).certs)
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn platform() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

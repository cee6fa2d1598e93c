//! `plugin new`: a plugin to start from, in any of the languages.

use super::language::{Language, vendored};
use crate::failure::Failure;
use crate::terminal;
use orch_core::{Code, Exit, PluginName};
use std::path::{Path, PathBuf};

type File = (&'static str, &'static str);

/// What every template has.
const SHARED: [File; 2] = [
    ("plugin.yaml", include_str!("../../assets/plugin/plugin.yaml.in")),
    ("workflow.yaml", include_str!("../../assets/plugin/workflow.yaml.in")),
];

fn own(language: Language) -> &'static [File] {
    match language {
        Language::Rust => &[
            ("Cargo.toml", include_str!("../../assets/plugin/Cargo.toml.in")),
            ("src/lib.rs", include_str!("../../assets/plugin/lib.rs.in")),
        ],
        Language::Python => &[
            ("src/app.py", include_str!("../../assets/plugin/app.py.in")),
            ("tests/test_app.py", include_str!("../../assets/plugin/test_app.py.in")),
        ],
        Language::Js => &[
            ("package.json", include_str!("../../assets/plugin/package.json.in")),
            ("src/plugin.js", include_str!("../../assets/plugin/plugin.js.in")),
        ],
        Language::Ts => &[
            ("package.json", include_str!("../../assets/plugin/package-ts.json.in")),
            ("tsconfig.json", include_str!("../../assets/plugin/tsconfig.json.in")),
            ("src/plugin.ts", include_str!("../../assets/plugin/plugin.ts.in")),
        ],
        Language::C => &[("src/plugin.c", include_str!("../../assets/plugin/plugin.c.in"))],
        Language::Go => &[
            ("go.mod", include_str!("../../assets/plugin/go.mod.in")),
            ("src/main.go", include_str!("../../assets/plugin/main.go.in")),
        ],
    }
}

/// The tools and the test of a language: a line each, for the README and for the person.
fn steps(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => &["cargo test                    # its logic, natively"],
        Language::Python => &[
            "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
            "PYTHONPATH=src:sdk python3 -m unittest discover tests   # its logic, natively",
        ],
        Language::Js | Language::Ts => &["npm install                   # componentize-qjs"],
        Language::C => &["python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1   # a C compiler"],
        Language::Go => &["go version                    # 1.24 or newer"],
    }
}

pub(crate) fn run(
    name: &PluginName,
    folder: Option<&Path>,
    language: Language,
    sdk: Option<&Path>,
) -> anyhow::Result<Exit> {
    let folder = folder.map_or_else(|| PathBuf::from(name.name()), Path::to_owned);
    let sdk = sdk.map(|sdk| checkout(sdk, language)).transpose()?;
    let next = next(language);
    let readme = format!(
        "# {name}\n\nFinds TODO marks in text files. A plugin of orch-wasm, in {}.\n\n```sh\n{next}\n```\n\n`sdk/` is the SDK, written by `orch-wasm plugin new`. Remove it to get the one of a newer orch-wasm at the next build.\n",
        language.name()
    );
    let ignored = "/target\n/node_modules\n/.venv\n__pycache__/\n*.wasm\n.orch-wasm/\n";
    let files =
        || SHARED.iter().chain(own(language)).copied().chain([("README.md", readme.as_str()), (".gitignore", ignored)]);
    for (file, _) in files().chain([("sdk", "")]) {
        if folder.join(file).exists() {
            let message = format!("`{}` is there already; nothing was written", folder.join(file).display());
            return Err(Failure::new(Code::Usage, message).help("name another folder").into());
        }
    }
    let crate_name = format!("{}-{}", name.namespace(), name.name());
    let sdk_path = sdk.as_ref().map_or_else(|| "sdk".to_owned(), |sdk| sdk.display().to_string());
    for (file, text) in files() {
        let text = text.replace("{{plugin}}", name.as_str()).replace("{{crate}}", &crate_name);
        vendored::put(&folder.join(file), &text.replace("{{sdk}}", &sdk_path))?;
        terminal::print(&format!("{}\n", folder.join(file).display()))?;
    }
    if sdk.is_none() {
        vendored::write(language, &folder)?;
        terminal::print(&format!("{}\n", folder.join("sdk").display()))?;
    }
    terminal::talk(&format!("next:\n  cd {}\n  {}", folder.display(), next.replace('\n', "\n  ")));
    Ok(Exit::Succeeded)
}

fn next(language: Language) -> String {
    let last = [
        "orch-wasm plugin publish .    # build, sign, add to ./registry",
        "orch-wasm run                 # the example workflow",
    ];
    steps(language).iter().chain(&last).copied().collect::<Vec<_>>().join("\n")
}

/// The Rust SDK of a checkout.
fn checkout(sdk: &Path, language: Language) -> Result<PathBuf, Failure> {
    if language != Language::Rust {
        let message = format!("--sdk is for Rust; the SDK for {} is written into the plugin's folder", language.name());
        return Err(Failure::new(Code::Usage, message).help("leave --sdk out"));
    }
    std::fs::canonicalize(sdk).ok().filter(|sdk| sdk.join("Cargo.toml").is_file()).ok_or_else(|| {
        Failure::new(Code::MissingTool, format!("there is no Rust SDK in `{}`", sdk.display()))
            .help("name the folder `sdk/rust` of a checkout with --sdk, or leave --sdk out")
    })
}

//! Files in archives, and archives that want to do harm.

mod support;
mod write;

use orch_plugin_secret_scan::{ByteSize, Input};
use orch_sdk::Status;
use support::{Tree, github_token};
use write::{Zipped, bzip2, gzip, tar, tar_entry, xz, zip, zipped, zstd};

fn token() -> Vec<u8> {
    github_token("archives").into_bytes()
}

fn text() -> Vec<u8> {
    [b"first line\nkey = ", &token()[..], b"\n"].concat()
}

#[track_caller]
fn check(files: &[(&str, Vec<u8>)], expected: &[&str]) {
    check_with(Input::default(), files, expected);
}

#[track_caller]
fn check_with(input: Input, files: &[(&str, Vec<u8>)], expected: &[&str]) {
    let tree = Tree::new(&[]);
    for (path, content) in files {
        tree.write(path, content);
    }
    assert_eq!(tree.found(input), expected);
}

/// The reason why an archive could not be read, which is the only finding.
#[track_caller]
fn check_incomplete(name: &str, content: &[u8], reason: &str) {
    let tree = Tree::new(&[]);
    tree.write(name, content);
    let (output, findings, _) = tree.scan(Input::default());
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.rule.as_str(), finding.status), ("archive-incomplete", Status::Error));
    assert!(finding.title.contains(reason), "{}", finding.title);
    assert_eq!((output.findings, output.incomplete), (0, 1));
}

#[test]
fn every_form() {
    let text = text();
    let whole = tar(&[("./dir/a.txt", &text)]);
    check(
        &[
            ("a.jar", zip(&[zipped("x/a.properties", &text)])),
            ("b.whl", zip(&[Zipped { method: 0, ..zipped("a.py", &text) }])),
            ("c.tar", whole.clone()),
            ("d.tgz", gzip(&whole)),
            ("e.tar.bz2", bzip2(&whole)),
            ("f.tar.xz", xz(&whole)),
            ("g.tar.zst", zstd(&whole)),
            ("h.sql.gz", gzip(&text)),
            ("i.log.xz", xz(&text)),
            ("j.txt", [b"x", &zip(&[zipped("a", &text)])[..]].concat()),
            // What it is counts, and not what it is called.
            ("k", zip(&[zipped("a.env", &text)])),
        ],
        &[
            "a.jar!x/a.properties:2 github-pat",
            "b.whl!a.py:2 github-pat",
            "c.tar!dir/a.txt:2 github-pat",
            "d.tgz!dir/a.txt:2 github-pat",
            "e.tar.bz2!dir/a.txt:2 github-pat",
            "f.tar.xz!dir/a.txt:2 github-pat",
            "g.tar.zst!dir/a.txt:2 github-pat",
            "h.sql.gz!h.sql:2 github-pat",
            "i.log.xz!i.log:2 github-pat",
            "k!a.env:2 github-pat",
        ],
    );
}

#[test]
fn they_can_be_left_alone() {
    let input = Input { archives: false, ..Input::default() };
    let files = [("a.zip", zip(&[zipped("a", &text())])), ("b.gz", gzip(&text())), ("c.tar", tar(&[("a", &text())]))];
    check_with(input.clone(), &files, &[]);
    let tree = Tree::new(&[]);
    tree.write("a.zip", &files[0].1);
    assert_eq!(tree.scan(input).0.files_skipped.binary, 1);
}

#[test]
fn archives_in_archives() {
    let text = text();
    let one = zip(&[zipped("a", &text)]);
    let two = tar(&[("one.zip", &one)]);
    let three = zip(&[zipped("two.tar", &two)]);
    check(&[("three.zip", three.clone())], &["three.zip!two.tar!one.zip!a:2 github-pat"]);
    let four = zip(&[zipped("three.zip", &three)]);
    check_incomplete("four.zip", &four, "it is more than 3 archives deep");
}

#[test]
fn what_is_in_them_is_like_a_tree() {
    let text = text();
    let long = [&b"x".repeat(5000)[..], &text].concat();
    let archive = zip(&[
        zipped("text", &text),
        zipped("binary", &[b"\0", &text[..]].concat()),
        zipped("a.png", &text),
        zipped("large", &long),
        zipped("folder/", b""),
        zipped("cert.p12", b"x"),
    ]);
    let tree = Tree::new(&[]);
    tree.write("a.zip", &archive);
    tree.write("b.zip", &archive);
    let input = Input { max_file_size: ByteSize(1000), exclude: vec!["b.zip".into()], ..Input::default() };
    let (output, findings, _) = tree.scan(input);
    let found: Vec<_> = findings.iter().map(support::place).collect();
    assert_eq!(found, ["a.zip!text:2 github-pat", "a.zip!cert.p12 pkcs12-file"]);
    let skipped = &output.files_skipped;
    assert_eq!((skipped.binary, skipped.too_large, skipped.ignored), (3, 1, 1));
    assert_eq!((output.files_scanned, output.archives), (1, 1));
}

#[test]
fn names_in_them_are_only_shown() {
    let text = text();
    let names = ["../../etc/x", "/abs", "a\u{1b}[31m", "a!b"];
    let entries: Vec<_> = names.iter().map(|name| zipped(name, &text)).collect();
    let parts: Vec<_> = names.iter().map(|name| (*name, &text[..])).collect();
    let expected: Vec<String> = ["a.zip", "b.tar"]
        .iter()
        .flat_map(|archive| {
            ["../../etc/x", "abs", "a\u{fffd}[31m", "a!b"].map(|name| format!("{archive}!{name}:2 github-pat"))
        })
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("a.zip", zip(&entries)), ("b.tar", tar(&parts))], &expected);
}

#[test]
fn forms_of_tar() {
    let text = text();
    let long = format!("{}/end.txt", "d".repeat(120));
    let mut gnu = tar_entry("././@LongLink", b'L', format!("{long}\0").as_bytes());
    gnu.extend(tar_entry("cut", b'0', &text));
    gnu.extend(tar_entry("link", b'2', b""));
    gnu.extend(tar_entry("next", 0, &text));
    let record = |text: &str| {
        // The length counts itself.
        let length = (text.len() + 1..).find(|length| length.to_string().len() + 1 + text.len() == *length).unwrap();
        format!("{length} {text}")
    };
    let header = record(&format!("path={long}\n")) + &record("mtime=1.5\n");
    let mut pax = tar_entry("PaxHeaders/x", b'x', header.as_bytes());
    pax.extend(tar_entry("cut", b'0', &text));
    // Without the blocks of zeros at its end, as some programs write it.
    let expected =
        [format!("a.tar!{long}:2 github-pat"), "a.tar!next:2 github-pat".into(), format!("b.tar!{long}:2 github-pat")];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&[("a.tar", gnu), ("b.tar", pax)], &expected);
}

#[test]
fn a_bomb_ends_in_a_finding() {
    // 1:1000, and beyond what a small archive may unpack to. Of each file in a zip so much is unpacked as shows that it is too large.
    let letters = vec![b'a'; 3 << 20];
    let entries: Vec<_> = (0..40).map(|_| zipped("a", &letters)).collect();
    check_incomplete("bomb.zip", &zip(&entries), "it unpacks to more than 64 MiB");
    let part = tar_entry("a", b'0', &letters);
    check_incomplete("bomb.tgz", &gzip(&part.repeat(25)), "it unpacks to more than 64 MiB");
    // In archives of archives it is the same sum.
    let inner = zip(&entries[..20]);
    let nested = zip(&[zipped("a.zip", &inner), zipped("b.zip", &inner)]);
    check_incomplete("bomb.zip", &nested, "it unpacks to more than 64 MiB");
}

#[test]
fn too_many_entries() {
    let entries: Vec<u8> = tar_entry("a", b'0', b"").repeat(100_001);
    check_incomplete("many.tgz", &gzip(&entries), "it has more than 100000 entries");
}

#[test]
fn what_cannot_be_read_is_told() {
    let text = text();
    check_incomplete("a.zip", &zip(&[zipped("a", &text)])[..60], "it has no index: it is cut off");
    let secret = Zipped { encrypted: true, ..zipped("secret.txt", &text) };
    check_incomplete(
        "b.zip",
        &zip(&[zipped("plain", b"x"), secret]),
        "1 of its 2 files cannot be read: `secret.txt`: it is encrypted",
    );
    let lzma = Zipped { method: 14, ..zipped("l", &text) };
    check_incomplete("c.zip", &zip(&[lzma]), "`l`: it is packed with LZMA");
    let odd = Zipped { method: 77, ..zipped("l", &text) };
    check_incomplete("d.zip", &zip(&[odd]), "method 77");
    check_incomplete("e.gz", &gzip(&text)[..30], "");
    let mut damaged = tar(&[("a", &text)]);
    damaged[3] = b'x';
    check_incomplete("f.tar", &damaged, "a header's checksum is wrong");
    check_incomplete("g.tar", &tar(&[("a", &text)])[..530], "it ends within an entry");
    check_incomplete("h.tgz", &gzip(&tar_entry("a", b'S', &text)), "holes");
    for broken in [bzip2(&text), xz(&text), zstd(&text)] {
        check_incomplete("i", &broken[..broken.len() / 2], "");
    }
    let tree = Tree::new(&[]);
    tree.write("large.zip", &zip(&[Zipped { method: 0, ..zipped("a", &[b'x'; 3000]) }]));
    let (_, findings, _) = tree.scan(Input { max_archive_size: ByteSize(1000), ..Input::default() });
    assert!(findings[0].title.contains("larger than 1000 bytes, the input `max-archive-size`"), "{findings:?}");
}

#[test]
fn any_damage_ends_somehow() {
    let text = text();
    let whole = tar(&[("dir/a.txt", &text), ("b.zip", &zip(&[zipped("c", &text)]))]);
    for archive in [zip(&[zipped("a", &text), zipped("t.tar", &whole)]), gzip(&whole), whole.clone()] {
        let tree = Tree::new(&[]);
        for at in (0..archive.len()).step_by(1 + archive.len() / 150) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = archive.clone();
                damaged[at] ^= flip;
                tree.write(&format!("{at}-{flip}"), &damaged);
            }
            tree.write(&format!("{at}-cut"), &archive[..at]);
        }
        let (output, findings, _) = tree.scan(Input::default());
        assert_eq!(output.findings + output.incomplete, findings.len() as u64);
        assert!(output.incomplete > 10, "{output:?}");
    }
}

#[test]
fn text_in_utf16() {
    let text = format!("erste Zeile é\n  key = {}\n", github_token("wide"));
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = [0xfeff].iter().chain(&units).flat_map(|unit: &u16| unit.to_le_bytes()).collect();
    let big: Vec<u8> = [0xfeff].iter().chain(&units).flat_map(|unit: &u16| unit.to_be_bytes()).collect();
    let mut odd = little.clone();
    odd.extend([0x00, 0xd8, 0x41]);
    let unmarked = little[2..].to_vec();
    check(
        &[("big.txt", big), ("little.txt", little), ("odd.txt", odd), ("unmarked.txt", unmarked)],
        &["big.txt:2 github-pat", "little.txt:2 github-pat", "odd.txt:2 github-pat"],
    );
}

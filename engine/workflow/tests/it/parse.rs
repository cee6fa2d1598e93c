//! Every rule of the language, by its message.

use crate::support::{check, check_whole, workflow};

/// A task that is right, for cases that are about something else.
const A: &str = "tasks: { a: { uses: orch/a@1 } }";

#[test]
fn the_head() {
    check(A, &[]);
    check_whole(
        "name: x\ntasks: { a: { uses: o/a@1 } }",
        &["1:1 OW0105 a workflow needs the key `schema` (start the file with `schema: orch-wasm/v1`)"],
    );
    check_whole(
        "schema: orch-wasm/v2\nname: x\ntasks: { a: { uses: o/a@1 } }",
        &["1:9 OW0104 this version cannot read `orch-wasm/v2` (known: `orch-wasm/v1`)"],
    );
    check_whole(
        "schema: orch-wasm/v1",
        &["1:1 OW0105 a workflow needs the key `name`", "1:1 OW0105 a workflow needs the key `tasks`"],
    );
    check_whole(
        "schema: orch-wasm/v1\nname: ''\ntasks: {}",
        &["2:7 OW0109 `` is no name of a workflow: it is empty", "3:8 OW0105 a workflow needs a task"],
    );
    check_whole(
        "- a",
        &[
            "1:1 OW0104 a workflow is a mapping, not a list (known: `schema`, `name`, `description`, `labels`, `priority`, `timeout`, `inputs`, `secrets`, `concurrency`, `defaults`, `tasks`, `on-failure`, `finally`, `outputs`)",
        ],
    );
    check_whole(
        "schema: orch-wasm/v1\nname: \"a\\u202eb\"\ntasks: { a: { uses: o/a@1 } }",
        &["2:7 OW0109 `a\\u{202e}b` is no name of a workflow: it holds characters that cannot be seen"],
    );
}

#[test]
fn keys() {
    check(
        &format!("{A}\nlabls: {{}}"),
        &[
            "4:1 OW0103 a workflow has no key `labls` (did you mean `labels`? known: `schema`, `name`, `description`, `labels`, `priority`, `timeout`, `inputs`, `secrets`, `concurrency`, `defaults`, `tasks`, `on-failure`, `finally`, `outputs`)",
        ],
    );
    check(
        "tasks: { a: { uses: o/a@1, neds: [], 12: 3 } }",
        &[
            "3:28 OW0103 a task has no key `neds` (did you mean `needs`? known: `uses`, `gate`, `approval`, `workflow`, `with`, `needs`, `if`, `permissions`, `limits`, `timeout`, `retry`, `strategy`, `for-each`, `max-parallel`, `fail-fast`, `continue-on-error`, `cache`, `undo`, `outputs`)",
            "3:38 OW0103 a task has no key `12` (known: `uses`, `gate`, `approval`, `workflow`, `with`, `needs`, `if`, `permissions`, `limits`, `timeout`, `retry`, `strategy`, `for-each`, `max-parallel`, `fail-fast`, `continue-on-error`, `cache`, `undo`, `outputs`)",
        ],
    );
    check("tasks:\n  a: { uses: o/a@1 }\n  a: { uses: o/b@1 }", &["5:3 OW0103 the key `a` stands twice"]);
    check("tasks: { a: { uses: o/a@1, uses: o/b@1 } }", &["3:28 OW0103 the key `uses` stands twice"]);
    check(
        "description: Grüße 漢字\nlabels: { a: true }\ntasks: { ä: { uses: o/a@1 } }",
        &[
            "4:14 OW0104 `labels` is text, not a boolean (put it in quotes)",
            "5:10 OW0109 `ä` is not a valid task id: `ä` at byte 0 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
    check(
        "tasks: { a: { rollout: 3 }, b: { uses: o/a@1, priority: 2 } }",
        &["3:15 OW0106 `rollout` is not supported yet", "3:47 OW0106 `priority` is not supported yet"],
    );
}

#[test]
fn scalars() {
    // Numbers stay what was written where text is wanted, `no` and dates are text, octal is only what says so.
    let (_, flow) =
        workflow(&format!("labels: {{ version: 1.10, country: no, day: 2026-01-02, hex: 0x1F, on: off }}\n{A}"));
    let labels: Vec<_> = flow.labels().iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["country=no", "day=2026-01-02", "hex=0x1F", "on=off", "version=1.10"]);
    check(
        &format!("description: [a]\nlabels: 3\ntimeout: 10\n{A}"),
        &[
            "3:14 OW0104 `description` is text, not a list",
            "4:9 OW0104 `labels` is a mapping, not an integer",
            "5:10 OW0104 `10` is not a duration: write a whole number and a unit, `90s`, `10m`, `2h` or `1d`, at most `366d`",
        ],
    );
    check(&format!("timeout: 0s\n{A}"), &["3:10 OW0104 a timeout of nothing would end every task at once"]);
    check(
        "defaults: { timeout: 5m, continue-on-error: yes }\ntasks: { a: { uses: o/a@1 } }",
        &["3:45 OW0104 `continue-on-error` is a boolean, not text (known: `true`, `false`)"],
    );
    check(
        "tasks: { a: { uses: o/a@1, limits: { memory: 10, findings: -1, log: 64KiB, cpu: 1 } } }",
        &[
            "3:46 OW0104 `10` is not a size: write a whole number and a unit, `512B`, `64KiB`, `10MiB` or `1GiB`",
            "3:60 OW0104 `findings` is a whole number from 0, not `-1`",
            "3:76 OW0106 `cpu` is not supported yet",
        ],
    );
}

#[test]
fn forms_of_a_file() {
    let json = r#"{ "schema": "orch-wasm/v1", "name": "x", "tasks": { "a": { "uses": "orch/a@1", "with": { "a": [1, "\u00e9", null] } } } }"#;
    check_whole(json, &[]);
    check_whole(&json.replace(", ", ",\n\t"), &[]);
    check_whole(
        "\u{feff}schema: orch-wasm/v1\r\nname: x\r\ntasks:\r\n  a: { uses: o/a@1, foo: 1 }\r\n",
        &[
            "4:21 OW0103 a task has no key `foo` (known: `uses`, `gate`, `approval`, `workflow`, `with`, `needs`, `if`, `permissions`, `limits`, `timeout`, `retry`, `strategy`, `for-each`, `max-parallel`, `fail-fast`, `continue-on-error`, `cache`, `undo`, `outputs`)",
        ],
    );
    check(
        "x: &x { uses: o/a@1 }\ntasks: { a: *x }",
        &[
            "3:1 OW0103 a workflow has no key `x` (known: `schema`, `name`, `description`, `labels`, `priority`, `timeout`, `inputs`, `secrets`, `concurrency`, `defaults`, `tasks`, `on-failure`, `finally`, `outputs`)",
        ],
    );
    check("tasks: { a: &x { uses: o/a@1 }, b: *x }", &[]);
}

#[test]
fn needs() {
    check(
        "tasks: { deploy: { uses: orch/copy@1, needs: [biuld] }, build: { uses: o/a@1 } }",
        &[
            "3:47 OW0107 the task `deploy` needs `biuld`, which is not in this workflow (did you mean `build`? known: `deploy`, `build`)",
        ],
    );
    check("tasks: { a: { uses: o/a@1, needs: a } }", &["3:35 OW0108 the task `a` needs itself"]);
    check(
        "tasks:\n  a: { uses: o/a@1, needs: [b] }\n  b: { uses: o/a@1, needs: [a] }",
        &["4:29 OW0108 tasks need each other in a circle: a -> b -> a (remove one of these needs)"],
    );
    check(
        "tasks: { a: { uses: o/a@1 }, b: { uses: o/a@1, needs: [a, a, '?', 1] } }",
        &[
            "3:59 OW0112 `a` stands twice in `needs`",
            "3:62 OW0109 `?` is not a valid task id: `?` at byte 0 is not allowed (a letter, then letters, digits, `_` and `-`)",
            "3:67 OW0109 `1` is not a valid task id: `1` at byte 0 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
    let (_, flow) = workflow("tasks:\n  c: { uses: o/a@1, needs: [a, b] }\n  b: { uses: o/a@1 }\n  a: { uses: o/a@1 }");
    let order: Vec<_> = flow.graph().iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(order, ["b", "a", "c"]);
}

#[test]
fn what_a_task_is() {
    check(
        "tasks: { a: {} }",
        &["3:10 OW0105 the task `a` says nothing to do (add `uses`, `gate`, `approval` or `workflow`)"],
    );
    check(
        "tasks: { a: hello }",
        &[
            "3:13 OW0104 a task is a mapping, not text (known: `uses`, `gate`, `approval`, `workflow`, `with`, `needs`, `if`, `permissions`, `limits`, `timeout`, `retry`, `strategy`, `for-each`, `max-parallel`, `fail-fast`, `continue-on-error`, `cache`, `undo`, `outputs`)",
        ],
    );
    check(
        "tasks: { a: { uses: o/a@1, gate: { checks: [{ id: x, assert: 'true' }] } } }",
        &["3:28 OW0112 the task `a` has both `uses` and `gate` (make two tasks of it)"],
    );
    check(
        "tasks: { a: { gate: { checks: [{ id: x, assert: 'true' }] }, with: {}, limits: {} } }",
        &[
            "3:62 OW0112 a gate runs no plugin, so it takes no `with`",
            "3:72 OW0112 a gate runs no plugin, so it takes no `limits`",
        ],
    );
    check("tasks: { a: { rollout: { steps: [1] } } }", &["3:15 OW0106 `rollout` is not supported yet"]);
    check(
        "tasks: { a: { approval: { prompt: x }, gate: { checks: [{ id: x, assert: true }] }, workflow: ./a.yaml } }",
        &[
            "3:15 OW0112 the task `a` has both `gate` and `approval` (make two tasks of it)",
            "3:85 OW0112 the task `a` has both `gate` and `workflow` (make two tasks of it)",
        ],
    );
    check(
        "tasks: { a/b: { uses: o/a@1 } }",
        &[
            "3:10 OW0109 `a/b` is not a valid task id: `/` at byte 1 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
    check("tasks: { a: { uses: o/a@1, with: [1] } }", &["3:34 OW0104 `with` is a mapping, not a list"]);
}

#[test]
fn references_to_plugins() {
    let case = |uses: &str, expected: &[&str]| check(&format!("tasks: {{ a: {{ uses: {uses} }} }}"), expected);
    for right in [
        "orch/a@^1",
        "orch/packages/list@^1.2",
        "orch/a@=1.2.3",
        "orch/a@*",
        "./a.wasm",
        "./dir/a.wasm#list",
        "../a.wasm",
        "/a.wasm",
    ] {
        case(right, &[]);
    }
    let form = "(write `namespace/name@^1.2` for the registry or `./file.wasm` for a file)";
    case("orch/a", &[&format!("3:21 OW0201 `orch/a` names no version {form}")]);
    case("a@1", &[&format!("3:21 OW0201 `a` is not a valid plugin name: it has the form `namespace/name` {form}")]);
    case(
        "Orch/a@1",
        &[&format!(
            "3:21 OW0201 `Orch/a` is not a valid plugin name: `O` at byte 0 is not allowed (each part is a lower-case letter, then \
         lower-case letters, digits and `-`) {form}"
        )],
    );
    case(
        "orch/a/B@1",
        &[
            "3:21 OW0109 `B` is not a valid plugin task name: `B` at byte 0 is not allowed (a lower-case letter, then lower-case \
         letters, digits and `-`)",
        ],
    );
    case(
        "orch/a@banana",
        &[
            "3:21 OW0201 `banana` is no version requirement: unexpected character 'b' while parsing major version number (write \
         `^1.2`, `~1.2.3` or `=1.2.3`)",
        ],
    );
    case("a.wasm", &["3:21 OW0201 `a.wasm` is no plugin reference (a file's path starts with `./`)"]);
    case("./a", &["3:21 OW0201 `./a` does not end with `.wasm` (name the component's file)"]);
    case("oci://host/a@sha256:00", &["3:21 OW0106 `oci://` references are not supported yet"]);
    case("[a]", &["3:21 OW0104 `uses` is text, not a list"]);
    case("''", &[&format!("3:21 OW0201 `` names no version {form}")]);
    case(
        "\"o/a@\\e[31m1\"",
        &[
            "3:21 OW0201 `\\u{1b}[31m1` is no version requirement: unexpected character '\\u{1b}' while parsing major version number \
         (write `^1.2`, `~1.2.3` or `=1.2.3`)",
        ],
    );
    let (_, flow) = workflow("tasks: { a: { uses: o/a@1 }, b: { uses: ./x.wasm }, c: { uses: o/a@1 } }");
    let plugins: Vec<_> = flow.plugin_references().iter().map(|used| used.uses.clone()).collect();
    assert_eq!(plugins, ["o/a@1", "./x.wasm"]);
}

#[test]
fn inputs() {
    let case = |input: &str, expected: &[&str]| check(&format!("inputs: {{ i: {{ {input} }} }}\n{A}"), expected);
    for right in [
        "type: string",
        "type: string, default: 1.10",
        "type: integer, default: -3, description: how many",
        "type: number, default: 0.5",
        "type: number, default: 1",
        "type: boolean, default: false",
        "type: choice, options: [a, b], default: b",
        "type: directory, default: .",
        "type: file, required: false",
        "type: string, default: '$${{ no expression }}'",
    ] {
        case(right, &[]);
    }
    case("default: 1", &["3:16 OW0105 an input needs the key `type`"]);
    case(
        "type: strin",
        &[
            "3:22 OW0104 `strin` is no type of an input (did you mean `string`? known: `string`, `integer`, `number`, `boolean`, \
         `choice`, `directory`, `file`)",
        ],
    );
    case(
        "type: integer, default: 1.5",
        &["3:40 OW0104 the default of the input `i` is an integer of 64 bits, not a number"],
    );
    case(
        "type: integer, default: '1'",
        &["3:40 OW0104 the default of the input `i` is an integer of 64 bits, not text"],
    );
    case("type: boolean, default: yes", &["3:40 OW0104 the default of the input `i` is `true` or `false`, not text"]);
    case("type: choice", &["3:22 OW0105 an input of type `choice` needs the key `options`"]);
    case("type: choice, options: []", &["3:39 OW0104 `options` is empty"]);
    case("type: choice, options: [a, a]", &["3:43 OW0112 the option `a` stands twice"]);
    case(
        "type: choice, options: [staging, production], default: prod",
        &["3:71 OW0104 `prod` is no option of the input `i` (known: `staging`, `production`)"],
    );
    case("type: string, options: [a]", &["3:30 OW0112 only an input of type `choice` has `options`"]);
    case(
        "type: string, default: a, required: true",
        &["3:52 OW0112 an input that is `required` has no use for a `default`"],
    );
    case("type: string, default: '${{ run.id }}'", &["3:39 OW0110 the default of an input holds no expressions"]);
    check(
        &format!("inputs: {{ 'a b': {{ type: string }} }}\n{A}"),
        &[
            "3:11 OW0109 `a b` is not a valid input name: ` ` at byte 1 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
}

#[test]
fn granted_connections() {
    let case = |text: &str, expected: &[&str]| {
        check(&format!("tasks: {{ a: {{ uses: o/a@1, permissions: {{ net: [{{ {text} }}] }} }} }}"), expected);
    };
    case("host: api.example.com", &[]);
    case(
        "host: '*.example.com', ports: [8443], methods: [GET, POST], paths: [/v1/*, /health], addresses: [10.0.0.0/8]",
        &[],
    );
    case("host: API.Example.COM.", &[]);
    case("host: 192.0.2.7, scheme: tcp, ports: [22]", &[]);
    case("scheme: https", &["3:51 OW0105 a connection needs the key `host`"]);
    let host = |text: &str, reason: &str| case(&format!("host: '{text}'"), &[&format!("3:57 OW0104 {reason}")]);
    host("*", "a task names the hosts that it grants (write a host, or `*.example.com` for all below one)");
    host(
        "https://a.example",
        "`https://a.example` is no host of a rule: write the host alone; scheme, port and path have keys of their own",
    );
    host(
        "a.example:443",
        "`a.example:443` is no host of a rule: write the host alone; scheme, port and path have keys of their own",
    );
    host(
        "user@a.example",
        "`user@a.example` is no host of a rule: write the host alone; scheme, port and path have keys of their own",
    );
    host(
        "a*.example",
        "`a*.example` is no host of a rule: a star stands for the whole first part only, as in `*.example.com`",
    );
    host("0x7f.1", "`0x7f.1` is no host: write the address as `127.0.0.1`");
    host("2130706433", "`2130706433` is no host: write the address as `127.0.0.1`");
    host("a..example", "`a..example` is no host: a part between dots is empty");
    host("a%2eexample", "`a%2eexample` is no host: `%` is not allowed");
    case("host: a.example, ports: []", &["3:75 OW0104 `ports` is empty (leave the key out if all are meant)"]);
    case("host: a.example, ports: [0]", &["3:76 OW0104 `ports` is a whole number from 1 to 65535, not `0`"]);
    case(
        "host: a.example, methods: [get]",
        &["3:78 OW0104 `get` is no method: it has 1 to 20 capital letters, as in `GET`"],
    );
    case("host: a.example, methods: [CONNECT]", &["3:78 OW0104 `CONNECT` is no method: it is allowed to nobody"]);
    case(
        "host: a.example, paths: ['/v1*']",
        &["3:76 OW0104 `/v1*` is no path of a rule: a star stands for everything below a folder, as in `/v1/*`"],
    );
    case(
        "host: a.example, paths: [/a/../b]",
        &["3:76 OW0104 `/a/../b` is no path of a rule: it has an empty part, `.` or `..`"],
    );
    case(
        "host: a.example, addresses: [10.0.0.0/33]",
        &["3:80 OW0104 `10.0.0.0/33` is no range of addresses: the number after `/` is 0 to 32"],
    );
    case(
        "scheme: tcp, host: a.example, ports: [22]",
        &["3:51 OW0112 raw connections are granted by address and port, without methods and paths"],
    );
    case("scheme: tcp, host: 192.0.2.7", &["3:51 OW0105 a connection by `tcp` needs `ports`"]);
}

#[test]
fn granted_programs_and_places() {
    let case = |text: &str, expected: &[&str]| {
        check(&format!("tasks: {{ a: {{ uses: o/a@1, permissions: {{ {text} }} }} }}"), expected);
    };
    case("exec: [{ alias: wc, program: /usr/bin/wc, args: [-l, '{file}'], slots: { file: path } }]", &[]);
    case(
        "exec: [{ alias: wc, program: wc }]",
        &[
            "3:72 OW0104 `wc` is no absolute path of a program (write it whole, without `.` and `..`: nothing is looked up in PATH)",
        ],
    );
    case(
        "exec: [{ alias: sh, program: /bin/sh }]",
        &[
            "3:72 OW0112 `/bin/sh` runs other programs or text that it is given, so granting it grants everything (grant a program \
           that does only what is needed, or say `interpreter: true`)",
        ],
    );
    case("exec: [{ alias: py, program: /usr/bin/python3.12, interpreter: true }]", &[]);
    case("exec: [{ alias: up, program: /usr/bin/apt-get, interpreter: true, unconfined: true }]", &[]);
    case(
        "exec: [{ alias: up, program: /usr/bin/up, unconfined: true, read-only: true }]",
        &[
            "3:72 OW0112 `/usr/bin/up` is `unconfined`, so nothing holds it to being `read-only` (leave out one of them; a dry run \
           runs confined programs only)",
        ],
    );
    case(
        "exec: [{ alias: a, program: /b/a, args: ['{x}'] }]",
        &["3:84 OW0105 what may fill the slot `{x}` is not said (add `slots: { x: text }`)"],
    );
    case("exec: [{ alias: a, program: /b/a, slots: { x: text } }]", &["3:50 OW0112 no argument has the slot `{x}`"]);
    case(
        "exec: [{ alias: a, program: /b/a, args: ['{x'], slots: { x: text } }]",
        &[
            "3:50 OW0112 no argument has the slot `{x}`",
            "3:84 OW0104 `{x` has a lone `{`; write it twice if it is meant",
        ],
    );
    case(
        "exec: [{ alias: a, program: /b/a }, { alias: a, program: /b/b }]",
        &["3:79 OW0112 the program `a` is granted twice"],
    );
    case("kv: [{ bucket: seen, quota: 1MiB }, { bucket: seen }]", &["3:79 OW0112 the bucket `seen` is granted twice"]);
    case(
        "secrets: [{ name: t, from: x, reveal: true }, { name: t }]",
        &["3:89 OW0112 the secret `t` is granted twice"],
    );
}

#[test]
fn permissions() {
    let case = |text: &str, expected: &[&str]| {
        check(&format!("tasks: {{ a: {{ uses: o/a@1, permissions: {{ {text} }} }} }}"), expected);
    };
    case("fs: [{ mount: source, path: ., access: read }], env: [A, B_1], artifacts: [report.json]", &[]);
    case("fs: [{ mount: source, path: . }]", &["3:50 OW0105 a granted folder needs the key `access`"]);
    case(
        "fs: [{ mount: Source, path: ., access: rw }]",
        &[
            "3:57 OW0109 `Source` is not a valid mount name: `S` at byte 0 is not allowed (a lower-case letter, then lower-case \
         letters, digits and `-`)",
            "3:82 OW0104 `rw` is not a value of `access` (known: `read`, `write`)",
        ],
    );
    case(
        "fs: [{ mount: a, path: ., access: read }, { mount: a, path: b, access: read }]",
        &["3:85 OW0112 the mount `a` is granted twice"],
    );
    case("fs: { mount: a }", &["3:47 OW0104 `fs` is a list, not a mapping"]);
    case(
        "env: ['A=B'], artifacts: ['../x']",
        &[
            "3:49 OW0109 `A=B` is not a valid environment variable name: `=` at byte 1 is not allowed (a letter or `_`, then \
         letters, digits and `_`)",
            "3:69 OW0109 `../x` is not a valid artifact name: `.` at byte 0 is not allowed (a letter, digit or `_`, then letters, \
         digits, `_`, `-` and `.`)",
        ],
    );
    case("env: [A, A]", &["3:52 OW0112 `A` is granted twice"]);
    case(
        "exec: {}, kv: 1",
        &["3:49 OW0104 `exec` is a list, not a mapping", "3:57 OW0104 `kv` is a list, not an integer"],
    );
    case("clock: fixed, random: real", &[]);
    case("clock: often", &["3:50 OW0104 `often` is not a value of `clock` (known: `real`, `fixed`)"]);
}

#[test]
fn gates() {
    let case = |text: &str, expected: &[&str]| check(&format!("tasks: {{ g: {{ gate: {{ {text} }} }} }}"), expected);
    case("baseline: last-succeeded, waivers: w.yaml, checks: [{ id: a, assert: 'true', on-fail: warn }]", &[]);
    case("baseline: 0123abcd, checks: [{ id: a, assert: true }]", &[]);
    case(
        "baseline: yesterday, checks: [{ id: a, assert: true }]",
        &[
            "3:33 OW0104 `yesterday` is no baseline (write `last-succeeded` or the id of a run, at least 4 of its hexadecimal digits)",
        ],
    );
    case("baseline: last-succeeded", &["3:23 OW0105 a gate needs the key `checks`"]);
    case("checks: []", &["3:31 OW0104 a gate without checks lets everything through"]);
    case("checks: [{ id: a, assert: 'true' }, { id: a, assert: 'true' }]", &["3:65 OW0112 the check `a` stands twice"]);
    case(
        "checks: [{ assert: 'true', on-fail: stop }, { id: b }]",
        &[
            "3:34 OW0105 a check needs the key `id`",
            "3:59 OW0104 `stop` is not a value of `on-fail` (known: `block`, `warn`)",
            "3:69 OW0105 a check needs the key `assert`",
        ],
    );
    case("checks: [{ id: a, assert: '1 + 1' }]", &["3:50 OW0104 a condition is a boolean, and this yields a number"]);
    let many = vec!["{ id: a, assert: 'true' }"; 1_001].join(", ");
    case(&format!("checks: [{many}]"), &["3:31 OW0115 the gate has 1001 checks, at most 1000 are allowed"]);
    let (_, flow) = workflow("tasks: { g: { gate: { waivers: w.yaml, checks: [{ id: a, assert: true }] } } }");
    assert_eq!(flow.waivers_files(), [("w.yaml".to_owned(), 63..69)]);
}

#[test]
fn all_problems_at_once_and_not_too_many() {
    check(
        "timeout: x\nfoo: 1\ntasks: { a: { uses: o/a, needs: [b], if: '1 +' } }",
        &[
            "3:10 OW0104 `x` is not a duration: write a whole number and a unit, `90s`, `10m`, `2h` or `1d`, at most `366d`",
            "4:1 OW0103 a workflow has no key `foo` (known: `schema`, `name`, `description`, `labels`, `priority`, `timeout`, `inputs`, `secrets`, `concurrency`, `defaults`, `tasks`, `on-failure`, `finally`, `outputs`)",
            "5:21 OW0201 `o/a` names no version (write `namespace/name@^1.2` for the registry or `./file.wasm` for a file)",
            "5:34 OW0107 the task `a` needs `b`, which is not in this workflow (known: `a`)",
            "5:46 OW0110 the expression is not valid: mismatched input the end",
        ],
    );
}

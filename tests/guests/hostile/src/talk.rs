//! What a guest may say and learn.

use crate::{Answer, done, text};
use orch_sdk::guest::orch::task::{context, findings, report};
use orch_sdk::{Host, Outcome, TaskError};
use serde_json::{Value, json};

/// Everything that `context.info` tells.
pub fn info(_input: Value, _host: &dyn Host) -> Answer {
    let info = context::info();
    done(json!({
        "run": info.run, "task": info.task, "attempt": info.attempt, "key": info.idempotency_key, "plugin": info.plugin,
        "digest": info.digest, "deadline-ms": info.deadline_ms, "dry-run": info.dry_run,
    }))
}

/// Which of `names` are granted.
pub fn has(input: Value, _host: &dyn Host) -> Answer {
    let names = input["names"].as_array().cloned().unwrap_or_default();
    let held = names.iter().filter_map(Value::as_str).filter(|name| context::has_capability(name)).collect::<Vec<_>>();
    done(json!(held))
}

/// Reads standard input to its end: how many bytes, and whether a read of the stream says that it is closed.
pub fn input(_input: Value, _host: &dyn Host) -> Answer {
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).unwrap_or(usize::MAX);
    let stream = wasip2::cli::stdin::get_stdin();
    stream.subscribe().block();
    done(json!([read, stream.blocking_read(10).is_err()]))
}

/// The whole environment.
pub fn env(_input: Value, _host: &dyn Host) -> Answer {
    let variables = wasip2::cli::environment::get_environment();
    let arguments = wasip2::cli::environment::get_arguments();
    let folder = wasip2::cli::environment::initial_cwd();
    done(json!({ "variables": variables, "arguments": arguments, "folder": folder }))
}

/// Reaches for a network in every way there is.
pub fn net(input: Value, _host: &dyn Host) -> Answer {
    use wasip2::sockets::{instance_network, ip_name_lookup, network, tcp_create_socket, udp_create_socket};
    let address = text(&input, "address");
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(9_u16);
    let v4 = network::IpAddressFamily::Ipv4;
    let local = network::IpSocketAddress::Ipv4(network::Ipv4SocketAddress { port, address: (127, 0, 0, 1) });
    let net = instance_network::instance_network();
    let tcp = tcp_create_socket::create_tcp_socket(v4).and_then(|socket| {
        socket.start_connect(&net, local)?;
        socket.subscribe().block();
        socket.finish_connect().map(|_| ())
    });
    let udp = udp_create_socket::create_udp_socket(v4).map(|_| ());
    let name = ip_name_lookup::resolve_addresses(&net, "localhost").map(|_| ());
    let std_tcp = std::net::TcpStream::connect(address).map(|_| ()).map_err(|error| error.kind().to_string());
    let std_udp = std::net::UdpSocket::bind("127.0.0.1:0").map(|_| ()).map_err(|error| error.kind().to_string());
    let word = |answer: Result<(), network::ErrorCode>| {
        answer.map_or_else(|error| error.name().to_owned(), |()| "ok".to_owned())
    };
    let std_word = |answer: Result<(), String>| answer.map_or_else(|error| error, |()| "ok".to_owned());
    done(json!([word(tcp), word(udp), word(name), std_word(std_tcp), std_word(std_udp)]))
}

/// Says `text` in every place where a guest can say something, and returns it.
pub fn say(input: Value, _host: &dyn Host) -> Answer {
    let said = crate::secret::said(&input);
    report::log(report::Level::Warn, &said, &[(said.clone(), said.clone())]);
    report::progress(1, Some(2), Some(&said));
    println!("{said}");
    eprintln!("{said}");
    let finding = findings::Finding {
        rule: said.clone(),
        severity: findings::Severity::High,
        status: findings::Status::Open,
        title: said.clone(),
        detail: Some(said.clone()),
        fingerprint: said.clone(),
        location: Some(findings::Location { path: said.clone(), line: Some(1), column: Some(1), end_line: None }),
        remediation: Some(said.clone()),
        references: vec![said.clone()],
        data: Some(json!({ said.clone(): said.clone() }).to_string()),
    };
    findings::emit(&[finding]).map_err(TaskError::Failed)?;
    done(json!({ said.clone(): said }))
}

/// Ends in the way that `how` names, with `text`.
pub fn fail(input: Value, _host: &dyn Host) -> Answer {
    let said = crate::secret::said(&input);
    match text(&input, "how") {
        "invalid" => Err(TaskError::InvalidInput(said)),
        "denied" => Err(TaskError::Denied { capability: said.clone(), target: said }),
        "dependency" => Err(TaskError::Dependency { target: said.clone(), message: said, retryable: true }),
        "skipped" => Ok(Outcome::Skipped(said)),
        "rejected" => Ok(Outcome::Rejected(json!(said))),
        "panic" => panic!("{said}"),
        _ => Err(TaskError::Failed(said)),
    }
}

/// Ends its process instead of returning.
pub fn exit(input: Value, _host: &dyn Host) -> Answer {
    std::process::exit(i32::try_from(crate::number(&input, "code")).unwrap_or(1))
}

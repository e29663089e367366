//! `no_proxy` and the other variables mean the same as for curl.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use netstack_websocket::proxy::from_variables;
use socket2::{Domain, Socket, Type};

/// A proxy that answers every request itself: a client that gets an answer has asked it.
fn proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

/// Whether curl asks the proxy for a URL. Without the proxy it reaches nothing: names are this machine's, and
/// nothing listens on the port.
fn curl_asks(url: &str, host: &str, port: u16, variables: &[(&str, String)]) -> Option<bool> {
    let mut curl = Command::new("curl");
    curl.env_clear().args(["-q", "-s", "-o", "/dev/null", "--max-time", "20"]);
    curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1"), url]);
    curl.envs(variables.iter().map(|(name, value)| (*name, value)));
    match curl.status() {
        Ok(status) => Some(status.success()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("curl: {error}"),
    }
}

fn we_ask(host: &str, variables: &[(&str, String)]) -> bool {
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.clone())
    };
    let server = from_variables(false, variable).unwrap();
    server.and_then(|server| server.unless_excluded(host)).is_some()
}

#[test]
fn we_and_curl_agree() {
    // Bound, but not listening.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    taken.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let closed = taken.local_addr().unwrap().as_socket().unwrap().port();
    let at = format!("127.0.0.1:{}", proxy());
    // Not 0.0.0.0/0, which curl takes for an address.
    let lists = [
        "",
        "*",
        "example.com",
        ".example.com",
        "EXAMPLE.com",
        "example.com,",
        " example.com",
        "a,example.com",
        "a example.com",
        "www.example.com",
        "xample.com",
        "e.com",
        "com",
        "example.com.",
        "127.1.2.3",
        "127.0.0.0/8",
        "127.1.2.0/24",
        "127.1.3.0/24",
        "127.1.2.3/32",
        "127.1",
        "::1",
        "[::1]",
        "localhost",
    ];
    let hosts = ["example.com", "www.example.com", "notexample.com", "127.1.2.3", "localhost"];
    let mut compared = 0;
    let mut compare = |host: &str, variables: &[(&str, String)]| {
        let url = format!("http://{host}:{closed}/");
        let Some(curl) = curl_asks(&url, host, closed, variables) else { return };
        assert_eq!(we_ask(host, variables), curl, "{host} {variables:?}");
        compared += 1;
    };
    for list in lists {
        for host in hosts {
            compare(host, &[("http_proxy", at.clone()), ("no_proxy", list.into())]);
        }
    }
    for variables in [
        vec![("HTTP_PROXY", at.clone())],
        vec![("https_proxy", at.clone())],
        vec![("all_proxy", at.clone())],
        vec![("ALL_PROXY", at.clone())],
        vec![("http_proxy", String::new()), ("ALL_PROXY", at.clone())],
        vec![("http_proxy", at.clone()), ("NO_PROXY", "example.com".into())],
        vec![("http_proxy", at.clone()), ("no_proxy", "a".into()), ("NO_PROXY", "example.com".into())],
        vec![("http_proxy", at.clone()), ("no_proxy", String::new()), ("NO_PROXY", "example.com".into())],
    ] {
        compare("example.com", &variables);
    }
    println!("{compared} cases compared with curl");
}

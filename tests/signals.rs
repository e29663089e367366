//! The threads of the library take none of the program's signals. Alone in its process, whose threads it looks at.

use std::fs;
use std::mem::MaybeUninit;

use netstack_websocket::ffi::{nsws_client_create, nsws_shutdown};

/// The masks of blocked signals of this process's threads, by name.
fn masks() -> Vec<(String, u64)> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let mask = |task: fs::DirEntry| {
        // A thread may end meanwhile.
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let value =
            |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
        Some((value("Name:")?, u64::from_str_radix(&value("SigBlk:")?, 16).unwrap()))
    };
    tasks.filter_map(mask).collect()
}

fn blocks(mask: u64, signal: libc::c_int) -> bool {
    mask & 1 << (signal - 1) != 0
}

#[test]
fn the_librarys_threads_block_signals_and_the_programs_do_not() {
    let own_mask = || {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        status.lines().find(|line| line.starts_with("SigBlk:")).unwrap().to_owned()
    };
    let before = own_mask();
    let mut client = MaybeUninit::uninit();
    // SAFETY: the output is writable.
    assert_eq!(unsafe { nsws_client_create(client.as_mut_ptr()) }, 0);
    // A thread gives itself its name.
    let own = loop {
        let mut own = masks();
        own.retain(|(name, _)| name.starts_with("OS_NET_WS"));
        if own.len() >= 2 {
            break own;
        }
        std::thread::yield_now();
    };
    for (name, mask) in own {
        for signal in
            [libc::SIGUSR1, libc::SIGTERM, libc::SIGINT, libc::SIGCHLD, libc::SIGALRM, libc::SIGPROF]
        {
            assert!(blocks(mask, signal), "{name}: {signal}");
        }
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT] {
            assert!(!blocks(mask, fault), "{name}: {fault}");
        }
    }
    assert_eq!(own_mask(), before);
    assert_eq!(nsws_shutdown(10_000), 0);
}

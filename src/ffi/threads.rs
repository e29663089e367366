//! Starts the library's threads, with the program's signals blocked, and the thread of a shutdown in an exit
//! handler.

use std::mem::MaybeUninit;

use crate::error::{Code, Error, Result};

/// Signals that a thread gets for its own fault; the crash handler of the program must get them.
const FAULTS: [libc::c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT, libc::SIGSYS];

/// While this lives, the calling thread takes no signals; the threads that it starts meanwhile, and those that they start, never do:
/// the signals of a process are for the program's own threads.
struct Blocked(libc::sigset_t);

impl Blocked {
    fn new() -> Blocked {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: sigfillset() initializes `all` and pthread_sigmask() `before`: neither fails with valid arguments.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            for fault in FAULTS {
                libc::sigdelset(all.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Blocked(before.assume_init())
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: a mask that pthread_sigmask() gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

/// Does what may start threads of the library.
pub fn starting<T>(work: impl FnOnce() -> T) -> T {
    let _blocked = Blocked::new();
    work()
}

/// Does what drives the runtime: on this thread or, in an exit handler, whose thread has lost its thread-locals, on another.
pub fn driving(work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    if crate::runtime::can_be_driven_here() {
        return work();
    }
    std::thread::scope(|scope| {
        let thread =
            starting(|| std::thread::Builder::new().name("OS_NET_WSend".into()).spawn_scoped(scope, work));
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(Error::code(Code::Internal))),
            Err(error) => Err(Error::call(Code::NoResources, format!("No thread can be started: {error}."))),
        }
    })
}

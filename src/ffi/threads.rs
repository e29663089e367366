//! Starts the library's threads, with the program's signals blocked, and the thread of a shutdown in an exit
//! handler.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{catch_unwind, AssertUnwindSafe};

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

/// Does what ends the runtime, on this thread or, in an exit handler, where the thread-locals are gone, on another.
pub fn driving(work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    if crate::runtime::can_be_driven_here() {
        return work();
    }
    elsewhere(work)
}

struct Errand<W> {
    work: Option<W>,
    result: Result<()>,
}

/// Does it on a thread of its own, and waits for it. In Rust 1.85, `std::thread` needs thread-locals of its caller.
fn elsewhere<W: FnOnce() -> Result<()> + Send>(work: W) -> Result<()> {
    extern "C" fn run<W: FnOnce() -> Result<()>>(errand: *mut c_void) -> *mut c_void {
        // SAFETY: the thread that made it waits for this one, and leaves it alone meanwhile.
        let errand = unsafe { &mut *errand.cast::<Errand<W>>() };
        // SAFETY: the calling thread's own name, NUL-terminated and short enough.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), c"OS_NET_WSend".as_ptr()) };
        if let Some(Ok(result)) = errand.work.take().map(|work| catch_unwind(AssertUnwindSafe(work))) {
            errand.result = result;
        }
        std::ptr::null_mut()
    }
    let mut errand = Errand { work: Some(work), result: Err(Error::code(Code::Internal)) };
    let mut thread = MaybeUninit::uninit();
    // SAFETY: `thread` is writable, and the errand outlives the thread: it is waited for below.
    let code = starting(|| unsafe {
        libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), run::<W>, (&raw mut errand).cast())
    });
    if code != 0 {
        let error = std::io::Error::from_raw_os_error(code);
        return Err(Error::call(Code::NoResources, format!("No thread can be started: {error}.")));
    }
    // SAFETY: pthread_create() has written the thread, which nobody else joins.
    unsafe { libc::pthread_join(thread.assume_init(), std::ptr::null_mut()) };
    errand.result
}

//! Whether this process is a forked child, at the cost of one read.

use std::sync::OnceLock;

/// A page that the kernel clears in a child, or the process id where it can't.
enum Mark {
    Page(*const u8),
    Process(libc::pid_t),
}

// SAFETY: the page is never written after it was published, and never unmapped.
unsafe impl Send for Mark {}
// SAFETY: as above; it is only read.
unsafe impl Sync for Mark {}

static MARK: OnceLock<Mark> = OnceLock::new();

/// Remembers this process. Called when the first object is created, or when the log's receiver or the platform's hooks are set.
pub fn remember_process() {
    MARK.get_or_init(|| wiped_on_fork().unwrap_or_else(|| Mark::Process(process_id())));
}

/// Whether the library was used before this process was forked off: its threads are not here, and its locks
/// may be held for ever.
pub fn in_child() -> bool {
    match MARK.get() {
        None => false,
        // SAFETY: the page stays mapped and readable; volatile, since the kernel changes it.
        Some(Mark::Page(page)) => unsafe { page.read_volatile() == 0 },
        Some(Mark::Process(process)) => process_id() != *process,
    }
}

fn process_id() -> libc::pid_t {
    // SAFETY: getpid has no preconditions.
    unsafe { libc::getpid() }
}

fn wiped_on_fork() -> Option<Mark> {
    const LENGTH: usize = 4096;
    // SAFETY: a new private mapping that nothing else knows of; every result is checked.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            LENGTH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return None;
        }
        if libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, LENGTH);
            return None;
        }
        let page = page.cast::<u8>();
        page.write(1);
        Some(Mark::Page(page))
    }
}

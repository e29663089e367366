//! What the system says about a process, and which cores it may use.

use std::time::Duration;

/// The cores that this process may use.
pub fn cores() -> Vec<usize> {
    // SAFETY: a zeroed set is an empty one, and the call fills it.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        set
    };
    // SAFETY: the number is below the set's size.
    (0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
}

/// Pins the first thread of a process, 0 for this one, to these cores. Threads that it starts later inherit it.
pub fn pin(process: u32, cores: &[usize]) {
    // SAFETY: a zeroed set is an empty one; the numbers came from such a set.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for &core in cores {
            libc::CPU_SET(core, &mut set);
        }
        libc::sched_setaffinity(process as libc::pid_t, size_of::<libc::cpu_set_t>(), &set)
    };
    assert_eq!(result, 0, "sched_setaffinity: {}", std::io::Error::last_os_error());
}

/// The CPU time of this process, all threads.
pub fn cpu_time() -> Duration {
    // SAFETY: the call fills the struct.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Lets the process have as many descriptors as it may.
pub fn raise_descriptor_limit() {
    // SAFETY: both calls only use the struct.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// What this process holds.
#[derive(Clone, Copy)]
pub struct Holdings {
    pub private_kib: f64,
    pub descriptors: f64,
    pub threads: f64,
}

pub fn holdings() -> Holdings {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("smaps_rollup");
    let private = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).expect("Private_Dirty");
    let count = |path| std::fs::read_dir(path).expect(path).count() as f64;
    Holdings {
        private_kib: private.trim().trim_end_matches(" kB").parse().expect("kB"),
        descriptors: count("/proc/self/fd"),
        threads: count("/proc/self/task"),
    }
}

//! The C API as two threads of a program use it at the same time.
//!
//! The input is the program: a byte of settings, and steps of three bytes, of which the first says which thread does what, the second
//! to which object, and the third with which argument. Each thread has clients and a server of its own, of which it knows what each
//! call answers, and both share others. Clients connect to the servers over loopback, and callbacks call functions themselves.
//!
//! A failure may depend on how the threads meet: run its input many times (`-runs=10000 FILE`).
#![no_main]

#[path = "capi/calls.rs"]
mod calls;
#[path = "capi/inside.rs"]
mod inside;
#[path = "capi/payload.rs"]
mod payload;
#[path = "capi/steps.rs"]
mod steps;
#[path = "capi/world.rs"]
mod world;

use std::ffi::{c_char, c_void, CStr};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Barrier;

use libfuzzer_sys::fuzz_target;
use netstack_websocket::ffi::*;

use calls::{judge_handle, Caller, Target};
use steps::{Step, Thread};
use world::{Setting, World, ENDED, ENDING, IS_OWN, LIVE, MOST_SLOTS, THREADS};

const MOST_STEPS: usize = 96;

unsafe extern "C" fn on_line(_: i32, line: *const c_char, _: *mut c_void) {
    let line = unsafe { CStr::from_ptr(line) }.to_str().expect("a line of the log is UTF-8");
    assert!(!line.contains("panicked") && !line.contains("Internal error"), "{line}");
}

fn prepare() {
    let mut options = unsafe { std::mem::zeroed::<nsws_runtime_options>() };
    unsafe { nsws_runtime_options_init(&mut options, size_of::<nsws_runtime_options>()) };
    options.io_threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(2));
    assert_eq!(unsafe { nsws_runtime_configure(&options) }, NSWS_OK);
    let set = unsafe { nsws_set_log_callback(NSWS_LOG_INFO, Some(on_line), std::ptr::null_mut(), None) };
    assert_eq!(set, NSWS_OK);
    IS_OWN.set(true);
}

fn run(data: &[u8]) {
    let Some((flags, rest)) = data.split_first() else { return };
    let bit = |number: u8| flags >> number & 1 == 1;
    let world = World::begin(Setting {
        compression: bit(0),
        client_parts: bit(1),
        server_parts: bit(2),
        small_messages: bit(3),
        small_queue: bit(4),
        ends_by_release: bit(5),
        ends_by_shutdown: bit(6) && bit(7),
    });
    let mut steps: [Vec<Step>; THREADS] = Default::default();
    for step in rest.chunks_exact(3).take(MOST_STEPS) {
        let [function, object, argument] = *step else { continue };
        steps[usize::from(function >> 7)].push(Step { function: function & 127, object, argument });
    }
    let begin = Barrier::new(THREADS);
    let live = |number: usize, steps: &[Step]| {
        IS_OWN.set(true);
        let mut thread = Thread::new(&world, number);
        begin.wait();
        steps.iter().for_each(|step| thread.run(*step));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| live(1, &steps[1]));
        live(0, &steps[0]);
    });
    end(&world);
}

fn end(world: &World) {
    let caller = Caller { world, sender: 0 };
    let objects = world.objects();
    if world.setting.ends_by_shutdown {
        for object in &objects {
            let _ = object.ended.compare_exchange(LIVE, ENDING, SeqCst, SeqCst);
        }
        let answer = nsws_shutdown(9000);
        assert_eq!(answer, NSWS_OK, "nsws_shutdown");
        for object in &objects {
            // None was destroyed by a call, but all are.
            let was_live = object.ended.swap(ENDED, SeqCst) != ENDED;
            let by_call = object.destroyed.load(SeqCst);
            assert_eq!(by_call, u32::from(!was_live), "successful calls of destroy");
        }
    }
    for object in &objects {
        caller.end(&Target::of(object), world.setting.ends_by_release, !object.is_shared);
    }
    world.wait_for_releases();
    for object in &objects {
        let target = Target::of(object);
        assert!(world.setting.ends_by_shutdown || object.destroyed.load(SeqCst) == 1);
        judge_handle("nsws_client_pause", &target, nsws_client_pause(object.client()));
        judge_handle("nsws_server_release", &target, nsws_server_release(object.server()));
    }
    world.finish();
    check_slots();
}

/// A handle's slot shows how many there have been at once.
fn check_slots() {
    let (mut client, mut server) = (nsws_client { id: 0 }, nsws_server { id: 0 });
    assert_eq!(unsafe { nsws_client_create(&mut client) }, NSWS_OK);
    assert_eq!(unsafe { nsws_server_create(&mut server) }, NSWS_OK);
    for id in [client.id, server.id] {
        assert!(id & 0xFF_FFFF < MOST_SLOTS, "handles are not given back: {id:#x}");
    }
    assert_eq!((nsws_client_destroy(client), nsws_server_destroy(server)), (NSWS_OK, NSWS_OK));
}

fuzz_target!(init: prepare(), |data: &[u8]| run(data));

//! The calls, with what each may answer. The answers are those of `include/netstack_websocket.h`: a call fails with the code of one of
//! the conditions that it breaks for sure (`sure`), or may break (`maybe`), and succeeds if it breaks none for sure.

use std::ffi::{c_char, c_void, CStr, CString};
use std::ptr::null;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, LazyLock};

use netstack_websocket::ffi::*;

use super::payload::{self, Header, ANONYMOUS};
use super::world::*;

/// The states that a client may be in, in the terms of the header.
pub const IDLE: u8 = 1;
pub const CONNECTING: u8 = 2;
/// Closed while connecting.
pub const ABANDONED: u8 = 4;
pub const OPEN: u8 = 8;
pub const CLOSING: u8 = 16;
pub const ANY: u8 = 31;

/// What is known of a client, or of a connection.
#[derive(Clone, Copy)]
pub struct Facts {
    pub states: u8,
    /// A message in parts waits for its last one. `None`: if anybody has sent a part, it may.
    pub unfinished: Option<bool>,
}

impl Facts {
    /// Of an object that others use as well.
    pub const ANY: Facts = Facts { states: ANY, unfinished: None };
}

/// What a call is about: a handle and, unless it is made up, what it names.
pub struct Target {
    pub id: u64,
    pub object: Option<Arc<Object>>,
    is_stale: bool,
    /// Which of the server's connections, and whether it was closed.
    connection: Option<(usize, bool)>,
}

impl Target {
    pub fn of(object: &Arc<Object>) -> Target {
        let is_stale = object.ended.load(SeqCst) == ENDED;
        Target { id: object.id, object: Some(object.clone()), is_stale, connection: None }
    }

    pub fn foreign(id: u64) -> Target {
        Target { id, object: None, is_stale: true, connection: None }
    }

    pub fn connection(server: &Arc<Object>, number: usize) -> Target {
        let is_stale = server.ended.load(SeqCst) == ENDED;
        let told = server.told();
        let (id, is_closed) = (told.connections[number].id, told.connections[number].is_closed);
        drop(told);
        Target { id, object: Some(server.clone()), is_stale, connection: Some((number, is_closed)) }
    }

    pub fn is_closed(&self) -> bool {
        self.connection.is_some_and(|(_, is_closed)| is_closed)
    }

    /// Somebody may have ended what it names by now.
    fn may_be_stale(&self) -> bool {
        let Some(object) = &self.object else { return true };
        object.ended.load(SeqCst) != LIVE
            || self.connection.is_some_and(|(number, _)| object.told().connections[number].is_closed)
    }

    /// Somebody may have sent a part by now.
    fn has_parts(&self) -> bool {
        let Some(object) = &self.object else { return false };
        match self.connection {
            Some((number, _)) => object.told().connections[number].has_parts,
            None => object.has_parts.load(SeqCst),
        }
    }

    pub fn client(&self) -> nsws_client {
        nsws_client { id: self.id }
    }

    pub fn server(&self) -> nsws_server {
        nsws_server { id: self.id }
    }

    fn named(&self) -> nsws_connection {
        nsws_connection { id: self.id }
    }
}

/// Whether the call succeeded.
pub fn judge(what: &str, target: &Target, answer: i32, sure: &[i32], maybe: &[i32]) -> bool {
    let allowed = match answer {
        NSWS_OK => !target.is_stale && sure.is_empty(),
        NSWS_ERR_BAD_HANDLE => target.is_stale || target.may_be_stale(),
        NSWS_ERR_MESSAGE_UNFINISHED if !target.has_parts() => false,
        code => sure.contains(&code) || maybe.contains(&code),
    };
    if answer != NSWS_OK || !allowed {
        let name =
            |code: i32| unsafe { CStr::from_ptr(nsws_error_name(code)) }.to_string_lossy().into_owned();
        let names = |codes: &[i32]| codes.iter().map(|code| name(*code)).collect::<Vec<_>>();
        let sentence = unsafe { CStr::from_ptr(nsws_last_error()) }.to_string_lossy().into_owned();
        assert!(!sentence.is_empty(), "{what}: no sentence");
        assert!(
            allowed,
            "{what} of {:#x} (object {:?}, ended: {}) answers {}: {sentence} (for sure {:?}, perhaps {:?})",
            target.id,
            target.object.as_ref().map(|object| object.number),
            target.is_stale,
            name(answer),
            names(sure),
            names(maybe),
        );
    }
    answer == NSWS_OK
}

/// The answers of a call with no condition but its handle.
pub fn judge_handle(what: &str, target: &Target, answer: i32) -> bool {
    judge(what, target, answer, &[], &[])
}

/// A call needs one of these states.
fn need(good: u8, states: u8, code: i32, sure: &mut Vec<i32>, maybe: &mut Vec<i32>) {
    if states & good == 0 {
        sure.push(code);
    } else if states & !good != 0 {
        maybe.push(code);
    }
}

static LONG: LazyLock<Vec<u8>> = LazyLock::new(|| vec![ANONYMOUS; (5 << 20) + 1]);

/// What a call sends, right or wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Nothing,
    Null,
    TooLong,
    NotText,
}

impl Wrong {
    pub fn choose(variant: u8) -> Wrong {
        match variant & 7 {
            5 => Wrong::Null,
            6 => Wrong::TooLong,
            7 => Wrong::NotText,
            _ => Wrong::Nothing,
        }
    }
}

pub const SIZES: [usize; 16] = [0, 1, 7, 8, 9, 20, 63, 64, 65, 125, 126, 300, 1100, 4000, 16385, 70000];

pub struct Caller<'a> {
    pub world: &'a World,
    pub sender: usize,
}

/// What sends a message: the function and its name.
type Send<'a> = (&'a str, &'a dyn Fn(*const u8, usize) -> i32);

impl Caller<'_> {
    fn size(&self, choice: u8) -> usize {
        SIZES[usize::from(choice) % 16].min(self.world.setting.max_send())
    }

    /// Sends a message of `kind`. `number`: the sender's next one, or `None` when there is nobody to count for.
    fn send_numbered(
        &self,
        (what, send): Send<'_>,
        target: &Target,
        (kind, number): (u8, u32),
        is_text: bool,
        (wrong, size): (Wrong, usize),
        (mut sure, maybe): (Vec<i32>, Vec<i32>),
    ) -> Option<bool> {
        let about = target.object.as_ref().map_or(0, |object| object.number);
        let header = Header { kind, sender: self.sender, number, about };
        let has_number = wrong == Wrong::Nothing && size >= 8;
        let message = match wrong {
            Wrong::Nothing if has_number => payload::write(&header, size, true),
            Wrong::NotText => vec![ANONYMOUS, 0xFF],
            _ => vec![ANONYMOUS; size],
        };
        let most = self.world.setting.max_send();
        let answer = match wrong {
            Wrong::Null => send(null(), size.max(1)),
            Wrong::TooLong => send(LONG.as_ptr(), most + 1),
            _ if message.is_empty() => send(null(), 0),
            _ => send(message.as_ptr(), message.len()),
        };
        if matches!(wrong, Wrong::Null | Wrong::TooLong) || (wrong == Wrong::NotText && is_text) {
            sure.push(NSWS_ERR_PARAMETER);
        }
        judge(what, target, answer, &sure, &maybe).then_some(has_number)
    }

    fn sending(&self, facts: Facts) -> (Vec<i32>, Vec<i32>) {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        need(OPEN, facts.states, NSWS_ERR_NOT_CONNECTED, &mut sure, &mut maybe);
        if self.world.setting.small_queue {
            maybe.push(NSWS_ERR_QUEUE_FULL);
        }
        match facts.unfinished {
            Some(true) => sure.push(NSWS_ERR_MESSAGE_UNFINISHED),
            Some(false) => {}
            None => maybe.push(NSWS_ERR_MESSAGE_UNFINISHED),
        }
        (sure, maybe)
    }

    pub fn client_send(
        &self,
        target: &Target,
        facts: Facts,
        is_text: bool,
        (wrong, size): (Wrong, u8),
    ) -> bool {
        let client = target.client();
        let number = target.object.as_ref().map_or(0, |object| object.told().accepted[self.sender]);
        let send: Send<'_> = match is_text {
            true => ("nsws_client_send_text", &|data: *const u8, length| unsafe {
                nsws_client_send_text(client, data.cast(), length)
            }),
            false => ("nsws_client_send_binary", &|data: *const u8, length| unsafe {
                nsws_client_send_binary(client, data.cast(), length)
            }),
        };
        let size = (wrong, self.size(size));
        let accepted = self.send_numbered(send, target, (0, number), is_text, size, self.sending(facts));
        self.count(target, accepted)
    }

    fn count(&self, target: &Target, accepted: Option<bool>) -> bool {
        let (Some(object), Some(has_number)) = (&target.object, accepted) else { return false };
        let mut told = object.told();
        match has_number {
            true => told.accepted[self.sender] += 1,
            false => told.anonymous += 1,
        }
        true
    }

    /// Sends a part. `own`: the whole message is this sender's, and begins with this part or does not.
    pub fn client_part(
        &self,
        target: &Target,
        facts: Facts,
        part: PartOf,
        flags: (u8, u8),
        (wrong, size): (Wrong, u8),
    ) -> bool {
        let client = target.client();
        let number = target.object.as_ref().map_or(0, |object| object.told().accepted[self.sender]);
        let about = target.object.as_ref().map_or(0, |object| object.number);
        // With room for what follows.
        let mut bytes = vec![ANONYMOUS; self.size(size).min(self.world.setting.max_send() - 4)];
        if part.is_first && part.has_number {
            let header = Header { kind: 0, sender: self.sender, number, about };
            bytes = payload::write(&header, bytes.len(), false);
        }
        if part.completes {
            bytes.insert(0, 0xA9);
        }
        if part.leaves {
            bytes.push(0xC3);
        }
        let (mut sure, mut maybe) = self.sending(Facts { unfinished: Some(false), ..facts });
        if wrong == Wrong::NotText {
            bytes.push(0xFF);
        }
        if part.is_invalid || matches!(wrong, Wrong::Null | Wrong::TooLong) || flags.0 > 1 || flags.1 > 1 {
            sure.push(NSWS_ERR_PARAMETER);
        }
        if part.may_be_invalid {
            maybe.push(NSWS_ERR_PARAMETER);
        }
        if let (Some(object), false) = (&target.object, flags.1 == 1) {
            object.has_parts.store(true, SeqCst);
        }
        let (data, length) = match wrong {
            Wrong::Null => (null(), 3),
            Wrong::TooLong => (LONG.as_ptr(), self.world.setting.max_send() + 1),
            _ => (bytes.as_ptr(), bytes.len()),
        };
        let answer = unsafe { nsws_client_send_part(client, data.cast(), length, flags.0, flags.1) };
        let accepted = judge("nsws_client_send_part", target, answer, &sure, &maybe);
        if accepted && flags.1 == 1 {
            self.count(target, Some(part.has_number));
        }
        accepted
    }

    pub fn client_ping(&self, target: &Target, facts: Facts, (wrong, size): (Wrong, u8)) {
        let (mut sure, maybe) = self.sending(Facts { unfinished: Some(false), ..facts });
        let (data, length) = match wrong {
            Wrong::Null => (null(), 1),
            Wrong::TooLong => (LONG.as_ptr(), 126),
            _ => (LONG.as_ptr(), usize::from(size) % 126),
        };
        if matches!(wrong, Wrong::Null | Wrong::TooLong) {
            sure.push(NSWS_ERR_PARAMETER);
        }
        let answer = unsafe { nsws_client_ping(target.client(), data.cast(), length) };
        judge("nsws_client_ping", target, answer, &sure, &maybe);
    }

    pub fn client_close(&self, target: &Target, facts: Facts, code: u16, reason: u8) -> bool {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        need(CONNECTING | OPEN, facts.states, NSWS_ERR_NOT_CONNECTED, &mut sure, &mut maybe);
        let reason = wrong_close(code, reason, &mut sure);
        let answer = unsafe { nsws_client_close(target.client(), code, reason) };
        judge("nsws_client_close", target, answer, &sure, &maybe)
    }

    /// Cork, uncork and check.
    pub fn client_act(
        &self,
        what: &str,
        target: &Target,
        facts: Facts,
        wrong: bool,
        act: impl FnOnce(nsws_client) -> i32,
    ) -> bool {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        need(OPEN, facts.states, NSWS_ERR_NOT_CONNECTED, &mut sure, &mut maybe);
        if wrong {
            sure.push(NSWS_ERR_PARAMETER);
        }
        judge(what, target, act(target.client()), &sure, &maybe)
    }

    pub fn client_pause(&self, target: &Target, pauses: bool) {
        if let (Some(object), true) = (&target.object, pauses) {
            object.has_paused.store(true, SeqCst);
        }
        match pauses {
            true => judge_handle("nsws_client_pause", target, nsws_client_pause(target.client())),
            false => judge_handle("nsws_client_resume", target, nsws_client_resume(target.client())),
        };
    }

    pub fn client_state(&self, target: &Target, facts: Facts, is_null: bool) -> Option<i32> {
        let mut state = -1;
        let out = if is_null { std::ptr::null_mut() } else { &raw mut state };
        let sure = if is_null { &[NSWS_ERR_PARAMETER][..] } else { &[] };
        let answer = unsafe { nsws_client_get_state(target.client(), out) };
        if !judge("nsws_client_get_state", target, answer, sure, &[]) {
            assert_eq!(state, -1, "an output of a call that failed");
            return None;
        }
        let states: u8 = match state {
            NSWS_STATE_IDLE => IDLE,
            NSWS_STATE_CONNECTING => CONNECTING,
            NSWS_STATE_OPEN => OPEN,
            NSWS_STATE_CLOSING => ABANDONED | CLOSING,
            other => panic!("the state {other}"),
        };
        // A destroyed client is idle until its handle is stale.
        let is_ending = target.object.as_ref().is_some_and(|object| object.ended.load(SeqCst) != LIVE);
        assert!(is_ending || facts.states & states != 0, "the state {state}, not one of {:#b}", facts.states);
        Some(state)
    }

    pub fn client_stats(&self, target: &Target, choice: u8) {
        let size = struct_size(choice, size_of::<nsws_client_stats>());
        sized("nsws_client_get_stats", target, size, |stats, size| unsafe {
            nsws_client_get_stats(target.client(), stats.cast(), size)
        });
    }

    /// All connections are ws, so there never are any.
    pub fn client_certificates(&self, target: &Target, is_null: bool) {
        unsafe extern "C" fn on_certificate(_: nsws_client, _: *const nsws_certificate, _: *mut c_void) {
            unreachable!("a certificate of ws");
        }
        let function = if is_null { None } else { Some(on_certificate as _) };
        let sure = if is_null { [NSWS_ERR_PARAMETER] } else { [NSWS_ERR_NOT_CONNECTED] };
        let answer =
            unsafe { nsws_client_list_certificates(target.client(), function, std::ptr::null_mut()) };
        judge("nsws_client_list_certificates", target, answer, &sure, &[]);
    }

    /// `options`: which rule they break.
    pub fn client_connect(
        &self,
        target: &Target,
        facts: Facts,
        server: Option<&Arc<Object>>,
        wrong: u8,
        reconnects: bool,
    ) -> bool {
        let setting = self.world.setting;
        let mut options = unsafe { std::mem::zeroed::<nsws_connect_options>() };
        let answer = unsafe { nsws_connect_options_init(&mut options, size_of::<nsws_connect_options>()) };
        assert_eq!(answer, NSWS_OK);
        options.proxy_mode = NSWS_PROXY_NONE;
        options.close_timeout_ms = 50;
        options.max_send_size = setting.max_send();
        options.compression = setting.compression.into();
        options.compression_threshold = 100;
        options.receive_parts = setting.client_parts.into();
        if setting.small_queue {
            options.send_queue_size = 200;
        }
        if reconnects {
            (options.reconnect_max_attempts, options.reconnect_min_delay_ms) = (2, 1);
        }
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        let mut url = None;
        match wrong {
            1 => options.struct_size = 0,
            2 => options.struct_size = 4097,
            3 => options.proxy_mode = 9,
            4 => options.compression = 2,
            5 => options.connect_timeout_ms = 0,
            6 => options.pong_timeout_ms = options.ping_interval_ms + 1,
            7 => options.max_receive_size = 0,
            8 => options.proxy_port = 8080,
            9 => options.min_tls_version = 7,
            10 => url = Some(&b"ws://127.0.0.1:0x1/\0"[..]),
            11 => url = Some(b"http://127.0.0.1/\0"),
            12 => url = Some(b"ws://127.0.0.1/#fragment\0"),
            13 => url = Some(b"ws://\xff/\0"),
            14 => url = Some(b"\0"),
            15 => options.ca_path = c"/nowhere/ca.pem".as_ptr(),
            _ => {}
        }
        match wrong {
            1..=9 => sure.push(NSWS_ERR_PARAMETER),
            10..=14 => sure.push(NSWS_ERR_URL),
            15 => sure.push(NSWS_ERR_CERT_FILE),
            _ => {}
        }
        need(IDLE, facts.states, NSWS_ERR_ALREADY_CONNECTED, &mut sure, &mut maybe);
        let (attempt, mut right) = (self.begin_attempt(target), Vec::new());
        if let (Some(object), Some(attempt)) = (&target.object, attempt) {
            let path = self.world.path(object, attempt);
            right = format!("ws://{}{path}\0", Object::address(server)).into_bytes();
            *object.server.lock().unwrap() = server.cloned();
            if reconnects {
                object.reconnects.store(true, SeqCst);
            }
        }
        let url = url.unwrap_or(if right.is_empty() { b"ws://127.0.0.1:1/\0" } else { &right });
        let answer = unsafe { nsws_client_connect(target.client(), url.as_ptr().cast(), &options) };
        let begun = judge("nsws_client_connect", target, answer, &sure, &maybe);
        if let (Some(object), Some(attempt)) = (&target.object, attempt) {
            let mut told = object.told();
            match begun {
                true => told.url = right,
                false => {
                    told.attempts -= 1;
                    told.bases.remove(&attempt);
                }
            }
        }
        begun
    }

    /// The events of an attempt may come before the call returns.
    fn begin_attempt(&self, target: &Target) -> Option<u32> {
        let mut told = target.object.as_ref()?.told();
        told.attempts += 1;
        told.last_attempt += 1;
        let (attempt, base) = (told.last_attempt, (told.accepted, told.anonymous));
        told.bases.insert(attempt, base);
        Some(attempt)
    }

    /// Destroys or releases. `waits`: outside callbacks, and nobody else uses the object.
    pub fn end(&self, target: &Target, by_release: bool, waits: bool) -> bool {
        if let Some(object) = &target.object {
            let _ = object.ended.compare_exchange(LIVE, ENDING, SeqCst, SeqCst);
            object.has_meddled.store(true, SeqCst);
            object.port.store(0, SeqCst);
        }
        let kind = target.object.as_ref().map_or(Kind::Client, |object| object.kind);
        let (what, answer) = match (kind, by_release) {
            (Kind::Client, true) => ("nsws_client_release", nsws_client_release(target.client())),
            (Kind::Client, false) => ("nsws_client_destroy", nsws_client_destroy(target.client())),
            (Kind::Server, true) => ("nsws_server_release", nsws_server_release(target.server())),
            (Kind::Server, false) => ("nsws_server_destroy", nsws_server_destroy(target.server())),
        };
        // By now another call may have ended it, but only one succeeds.
        if !judge_handle(what, target, answer) {
            return false;
        }
        let Some(object) = &target.object else { return false };
        assert_eq!(object.destroyed.fetch_add(1, SeqCst), 0, "{what} succeeds twice");
        object.ended.store(ENDED, SeqCst);
        if waits && !by_release {
            object.is_quiet.store(true, SeqCst);
            self.world.check_released(object);
        }
        true
    }

    /// Registers a listener.
    pub fn listen(&self, target: &Target, event: Event, action: Option<u8>, is_null: bool) {
        let Some(object) = &target.object else {
            let answer = listen(target.id, event, std::ptr::null_mut(), Some(Some(free_never)), is_null);
            let sure = if is_null { &[NSWS_ERR_PARAMETER][..] } else { &[] };
            judge("a registration", target, answer, sure, &[]);
            return;
        };
        let registration = self.world.add_registration(object, event, action);
        let is_hook = matches!(event, Event::Accept | Event::Http);
        if is_null {
            registration.state.store(REFUSED, SeqCst);
        }
        let sure = if is_null && !is_hook { &[NSWS_ERR_PARAMETER][..] } else { &[] };
        let answer = listen(target.id, event, self.world.user_data(&registration), Some(Some(free)), is_null);
        let registered = judge(&format!("nsws_..._on_{event:?}"), target, answer, sure, &[]);
        if !is_null {
            registration.state.store(if registered { REGISTERED } else { REFUSED }, SeqCst);
        }
        if is_hook && registered {
            // The one before, of which a call may be about to begin.
            for one in self.world.registrations(object, event) {
                if one.number != registration.number || is_null {
                    let _ = one.removed.compare_exchange(0, 1, SeqCst, SeqCst);
                }
            }
        }
    }

    /// Removes one listener, or all of the event. `removed`: 2 inside a callback of the same object.
    pub fn unlisten(&self, target: &Target, event: Event, one: Option<&Registration>, removed: u8) -> bool {
        let user_data = one.map_or(std::ptr::null_mut(), |one| self.world.user_data(one));
        let answer = listen(target.id, event, user_data, None, one.is_none());
        let done = judge(&format!("nsws_..._off_{event:?}"), target, answer, &[], &[]);
        let Some(object) = &target.object else { return false };
        for registration in self.world.registrations(object, event) {
            if done && one.is_none_or(|one| one.number == registration.number) {
                // One that is being registered may not have been there.
                if registration.state.load(SeqCst) == REGISTERED {
                    registration.removed.store(removed, SeqCst);
                }
            }
        }
        done
    }
}

/// What a part is to its message.
#[derive(Clone, Copy, Default)]
pub struct PartOf {
    pub is_first: bool,
    pub has_number: bool,
    /// Of a character that the part before has begun.
    pub completes: bool,
    pub leaves: bool,
    pub is_invalid: bool,
    pub may_be_invalid: bool,
}

fn wrong_close(code: u16, reason: u8, sure: &mut Vec<i32>) -> *const c_char {
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        sure.push(NSWS_ERR_PARAMETER);
    }
    const LONGEST: &[u8; 125] = &{
        let mut text = [b'r'; 125];
        text[124] = 0;
        text
    };
    match reason & 7 {
        5 => {
            sure.push(NSWS_ERR_PARAMETER);
            c"\xff".as_ptr()
        }
        // 124 bytes are one too many.
        6 => {
            sure.push(NSWS_ERR_PARAMETER);
            LONGEST.as_ptr().cast()
        }
        7 => LONGEST[1..].as_ptr().cast(),
        4 => c"a reason".as_ptr(),
        3 => c"".as_ptr(),
        _ => null(),
    }
}

pub fn struct_size(choice: u8, right: usize) -> Option<usize> {
    match choice & 15 {
        0 => None,
        1 => Some(0),
        2 => Some(7),
        3 => Some(8),
        4 => Some(4096),
        5 => Some(4097),
        6 => Some(usize::MAX),
        7 => Some(right - 1),
        8 => Some(right + 16),
        9 => Some(20),
        _ => Some(right),
    }
}

/// A call that fills a struct of a size. `None`: the pointer is NULL.
pub fn sized(what: &str, target: &Target, size: Option<usize>, fill: impl FnOnce(*mut c_void, usize) -> i32) {
    #[repr(align(16))]
    struct Room([u8; 4200]);
    let mut room = Room([0xA5; 4200]);
    let (pointer, given) = match size {
        None => (std::ptr::null_mut(), 16),
        Some(size) => (room.0.as_mut_ptr().cast(), size),
    };
    let is_wrong = size.is_none_or(|size| !(8..=4096).contains(&size));
    let sure = if is_wrong { &[NSWS_ERR_PARAMETER][..] } else { &[] };
    let filled = judge(what, target, fill(pointer, given), sure, &[]);
    let written = if filled { given } else { 0 };
    assert!(room.0[written..].iter().all(|byte| *byte == 0xA5), "{what} writes behind the struct");
    if filled {
        assert_eq!(room.0[..8], given.to_ne_bytes(), "{what}: struct_size");
    }
}

/// What is known of a server.
#[derive(Clone, Copy, Default)]
pub struct ServerFacts {
    pub listens: Option<bool>,
    pub may_have_clients: bool,
}

impl ServerFacts {
    pub const ANY: ServerFacts = ServerFacts { listens: None, may_have_clients: true };

    fn need(&self, listens: bool, code: i32, sure: &mut Vec<i32>, maybe: &mut Vec<i32>) {
        match self.listens {
            None => maybe.push(code),
            Some(now) if now != listens => sure.push(code),
            Some(_) => {}
        }
    }
}

impl Caller<'_> {
    pub fn server_start(&self, target: &Target, facts: ServerFacts, wrong: u8) -> bool {
        let setting = self.world.setting;
        let mut options = unsafe { std::mem::zeroed::<nsws_server_options>() };
        let answer = unsafe { nsws_server_options_init(&mut options, size_of::<nsws_server_options>()) };
        assert_eq!(answer, NSWS_OK);
        let host = CString::new(HOST.as_str()).unwrap();
        options.server_ip = host.as_ptr();
        options.close_timeout_ms = 50;
        (options.max_connections_per_client, options.max_upgrades_per_minute) = (1000, 0);
        options.max_send_size = setting.max_send();
        options.compression = setting.compression.into();
        options.compression_threshold = 100;
        options.receive_parts = setting.server_parts.into();
        if setting.small_queue {
            options.send_queue_size = 200;
        }
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        match wrong {
            1 => options.struct_size = 5,
            2 => options.struct_size = 5000,
            3 => options.receive_parts = 7,
            4 => options.handshake_timeout_ms = 0,
            5 => options.reuse_port = 1,
            6 => options.health_path = c"healthz".as_ptr(),
            7 => options.proxy_protocol = 1,
            8 => options.server_port = 65536,
            9 => options.server_ip = c"192.0.2.1".as_ptr(),
            10 => options.server_ip = c"localhost".as_ptr(),
            11 => options.server_ip = c"\xff".as_ptr(),
            12 => options.cert_path = c"/nowhere/cert.pem".as_ptr(),
            _ => {}
        }
        match wrong {
            1..=7 => sure.push(NSWS_ERR_PARAMETER),
            8 => sure.push(NSWS_ERR_LISTEN_PORT),
            9..=11 => sure.push(NSWS_ERR_LISTEN_ADDRESS),
            12 => sure.push(NSWS_ERR_CERT_FILE),
            _ => {}
        }
        facts.need(false, NSWS_ERR_ALREADY_CONNECTED, &mut sure, &mut maybe);
        let answer = unsafe { nsws_server_start(target.server(), &options) };
        let started = judge("nsws_server_start", target, answer, &sure, &maybe);
        if let (Some(object), true) = (&target.object, started) {
            let mut port = 0;
            if unsafe { nsws_server_get_port(target.server(), &mut port) } == NSWS_OK {
                object.port.store(port.into(), SeqCst);
            }
        }
        started
    }

    /// Stops, gracefully with a time.
    pub fn server_stop(
        &self,
        target: &Target,
        facts: ServerFacts,
        gracefully: Option<u32>,
        inside: bool,
    ) -> bool {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        facts.need(true, NSWS_ERR_NOT_LISTENING, &mut sure, &mut maybe);
        if gracefully == Some(0) {
            sure.push(NSWS_ERR_PARAMETER);
        }
        if gracefully.is_some() && inside {
            sure.push(NSWS_ERR_WOULD_DEADLOCK);
        }
        if let Some(object) = &target.object {
            object.has_meddled.store(true, SeqCst);
        }
        let (what, answer) = match gracefully {
            None => ("nsws_server_stop", nsws_server_stop(target.server())),
            Some(ms) => ("nsws_server_stop_gracefully", nsws_server_stop_gracefully(target.server(), ms)),
        };
        // Those that are left are cut.
        if answer == NSWS_ERR_BUSY && gracefully.is_some() {
            let may = facts.may_have_clients && sure.is_empty() && !target.is_stale;
            assert!(may, "{what} answers NSWS_ERR_BUSY");
        } else if !judge(what, target, answer, &sure, &maybe) {
            return false;
        }
        if let Some(object) = &target.object {
            object.port.store(0, SeqCst);
        }
        true
    }

    pub fn server_port(&self, target: &Target, facts: ServerFacts, is_null: bool) {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        facts.need(true, NSWS_ERR_NOT_LISTENING, &mut sure, &mut maybe);
        if is_null {
            sure.push(NSWS_ERR_PARAMETER);
        }
        let mut port = 0;
        let out = if is_null { std::ptr::null_mut() } else { &raw mut port };
        let answer = unsafe { nsws_server_get_port(target.server(), out) };
        let done = judge("nsws_server_get_port", target, answer, &sure, &maybe);
        assert_eq!(done, port != 0, "the port");
    }

    pub fn server_state(&self, target: &Target, facts: ServerFacts, is_null: bool) {
        let sure = if is_null { &[NSWS_ERR_PARAMETER][..] } else { &[] };
        let mut state = -1;
        let out = if is_null { std::ptr::null_mut() } else { &raw mut state };
        let answer = unsafe { nsws_server_get_state(target.server(), out) };
        if !judge("nsws_server_get_state", target, answer, sure, &[]) {
            return;
        }
        let may = match (state, facts.listens) {
            (NSWS_STATE_OPEN, listens) => listens != Some(false),
            (NSWS_STATE_IDLE, listens) => listens != Some(true),
            (NSWS_STATE_CLOSING, listens) => listens != Some(true) && facts.may_have_clients,
            _ => false,
        };
        let is_ending = target.object.as_ref().is_some_and(|object| object.ended.load(SeqCst) != LIVE);
        assert!(may || is_ending, "the state {state} of a server, {:?}", facts.listens);
    }

    pub fn server_list(&self, target: &Target, facts: ServerFacts, choice: u8) {
        let mut list = [nsws_connection { id: 0 }; 8];
        let mut count = usize::MAX;
        let capacity = usize::from(choice) % 9;
        let (list_is_null, count_is_null) = (choice & 32 != 0, choice & 64 != 0);
        let null_list = std::ptr::null_mut();
        let answer = unsafe {
            nsws_server_list_connections(
                target.server(),
                if list_is_null { null_list } else { list.as_mut_ptr() },
                capacity,
                if count_is_null { std::ptr::null_mut() } else { &raw mut count },
            )
        };
        let is_wrong = count_is_null || (list_is_null && capacity > 0);
        let sure = if is_wrong { &[NSWS_ERR_PARAMETER][..] } else { &[] };
        let done = judge("nsws_server_list_connections", target, answer, sure, &[]);
        let written = if done && !list_is_null { capacity.min(count) } else { 0 };
        assert!(list[written..].iter().all(|one| one.id == 0), "more handles than there is room for");
        assert!(list[..written].iter().all(|one| one.id >> 50 == 3), "handles of connections");
        assert!(!done || facts.may_have_clients || count == 0, "a server without clients has {count}");
    }

    pub fn server_find(&self, target: &Target, facts: ServerFacts, choice: u8) {
        let known = target.object.as_ref().and_then(|object| {
            let told = object.told();
            let count = told.connections.len().max(1);
            told.connections.get(usize::from(choice) % count).map(|one| one.port)
        });
        let ip = match choice >> 5 {
            6 => null(),
            7 => c"nobody".as_ptr(),
            5 => c"\xff".as_ptr(),
            4 => c"::ffff:127.0.0.1".as_ptr(),
            _ => c"127.0.0.1".as_ptr(),
        };
        let sure = if choice >> 5 >= 5 { &[NSWS_ERR_PARAMETER][..] } else { &[] };
        let mut found = nsws_connection { id: 0 };
        let port = known.unwrap_or(9);
        let answer = unsafe { nsws_server_find_connection(target.server(), ip, port, &mut found) };
        let done = judge("nsws_server_find_connection", target, answer, sure, &[NSWS_ERR_NO_CONNECTION]);
        assert!(!done || facts.may_have_clients, "a server without clients finds one");
        assert_eq!(done, found.id >> 50 == 3, "the handle of a connection");
    }

    /// Sends to all, or to a group.
    pub fn server_broadcast(
        &self,
        target: &Target,
        facts: ServerFacts,
        group: Option<u8>,
        (wrong, size): (Wrong, u8),
        is_text: u8,
    ) {
        let kind = if group.is_some() { 3 } else { 2 };
        let number = target
            .object
            .as_ref()
            .map_or(0, |object| object.told().broadcasts[usize::from(kind) - 2][self.sender]);
        let (name, name_is_wrong) = group_name(group.unwrap_or_default());
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        if is_text > 1 || (group.is_some() && name_is_wrong) {
            sure.push(NSWS_ERR_PARAMETER);
        }
        // Without options there is no limit.
        let wrong = match (wrong, facts.listens) {
            (Wrong::TooLong, Some(true)) => wrong,
            (Wrong::TooLong, _) => Wrong::Nothing,
            _ => wrong,
        };
        if wrong == Wrong::NotText && is_text > 1 {
            maybe.push(NSWS_ERR_PARAMETER);
        }
        let mut accepted = usize::MAX;
        let server = target.server();
        let out = &raw mut accepted;
        let send: Send<'_> = match group {
            Some(_) => ("nsws_server_broadcast_group", &|data: *const u8, length| unsafe {
                nsws_server_broadcast_group(server, name, data.cast(), length, is_text, out)
            }),
            None => ("nsws_server_broadcast", &|data: *const u8, length| unsafe {
                nsws_server_broadcast(server, data.cast(), length, is_text, out)
            }),
        };
        let size = (wrong, self.size(size));
        let done = self.send_numbered(send, target, (kind, number), is_text == 1, size, (sure, maybe));
        assert_eq!(done.is_some(), accepted != usize::MAX, "the output of a broadcast");
        assert!(done.is_none() || facts.may_have_clients || accepted == 0, "nobody accepts a broadcast");
        if let (Some(object), Some(true)) = (&target.object, done) {
            object.told().broadcasts[usize::from(kind) - 2][self.sender] += 1;
        }
    }

    pub fn server_bans(&self, target: &Target, facts: ServerFacts, choice: u8) {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        facts.need(true, NSWS_ERR_NOT_LISTENING, &mut sure, &mut maybe);
        if choice & 1 == 0 {
            let mut count = usize::MAX;
            let null_list = std::ptr::null_mut();
            let capacity = usize::from(choice >> 1 & 1);
            if capacity > 0 {
                sure.push(NSWS_ERR_PARAMETER);
            }
            let answer = unsafe { nsws_server_list_bans(target.server(), null_list, capacity, &mut count) };
            let done = judge("nsws_server_list_bans", target, answer, &sure, &maybe);
            assert_eq!(count, if done { 0 } else { usize::MAX }, "bans");
            return;
        }
        let ip =
            [c"127.0.0.1", c"::1", c"2001:db8:0:1::/64", c"nobody", c"\xff"][usize::from(choice >> 1) % 5];
        if usize::from(choice >> 1) % 5 > 2 {
            sure.push(NSWS_ERR_PARAMETER);
        }
        let answer = unsafe { nsws_server_unban(target.server(), ip.as_ptr()) };
        judge("nsws_server_unban", target, answer, &sure, &maybe);
    }

    /// Sends to one client. Of messages in parts, nobody knows who has begun them.
    pub fn connection_send(
        &self,
        target: &Target,
        states: u8,
        is_text: bool,
        (wrong, size): (Wrong, u8),
    ) -> bool {
        let number = match (&target.object, target.connection) {
            (Some(object), Some((place, _))) => object.told().connections[place].sent[self.sender],
            _ => 0,
        };
        let facts = Facts { states, unfinished: None };
        let connection = target.named();
        let send: Send<'_> = match is_text {
            true => ("nsws_connection_send_text", &|data: *const u8, length| unsafe {
                nsws_connection_send_text(connection, data.cast(), length)
            }),
            false => ("nsws_connection_send_binary", &|data: *const u8, length| unsafe {
                nsws_connection_send_binary(connection, data.cast(), length)
            }),
        };
        let size = (wrong, self.size(size));
        let done = self.send_numbered(send, target, (4, number), is_text, size, self.sending(facts));
        if let (Some(object), Some((place, _)), Some(true)) = (&target.object, target.connection, done) {
            object.told().connections[place].sent[self.sender] += 1;
        }
        done.is_some()
    }

    /// Sends back what a server has received.
    pub fn connection_echo(&self, server: &Arc<Object>, id: u64, data: &[u8], is_text: bool) {
        let place = server.told().connections.iter().position(|one| one.id == id).unwrap();
        let target = Target::connection(server, place);
        let (mut sure, maybe) = self.sending(Facts::ANY);
        if data.len() > self.world.setting.max_send() {
            sure.push(NSWS_ERR_PARAMETER);
        }
        let data = payload::echo(data);
        let (connection, pointer) = (target.named(), data.as_ptr());
        let answer = match is_text {
            true => unsafe { nsws_connection_send_text(connection, pointer.cast(), data.len()) },
            false => unsafe { nsws_connection_send_binary(connection, pointer.cast(), data.len()) },
        };
        judge("the echo", &target, answer, &sure, &maybe);
    }

    pub fn connection_part(&self, target: &Target, states: u8, (wrong, size): (Wrong, u8), flags: (u8, u8)) {
        let (mut sure, mut maybe) = self.sending(Facts { states, unfinished: Some(false) });
        if let (Some(object), Some((place, _))) = (&target.object, target.connection) {
            object.told().connections[place].has_parts |= flags.1 != 1;
        }
        let mut bytes = vec![ANONYMOUS; self.size(size)];
        if wrong == Wrong::NotText {
            bytes.truncate(3);
            bytes.push(0xFF);
            maybe.push(NSWS_ERR_PARAMETER);
        }
        if matches!(wrong, Wrong::Null | Wrong::TooLong) || flags.0 > 1 || flags.1 > 1 {
            sure.push(NSWS_ERR_PARAMETER);
        }
        let (data, length) = match wrong {
            Wrong::Null => (null(), 3),
            Wrong::TooLong => (LONG.as_ptr(), self.world.setting.max_send() + 1),
            _ => (bytes.as_ptr(), bytes.len()),
        };
        let answer =
            unsafe { nsws_connection_send_part(target.named(), data.cast(), length, flags.0, flags.1) };
        judge("nsws_connection_send_part", target, answer, &sure, &maybe);
    }

    pub fn connection_ping(&self, target: &Target, states: u8, (wrong, size): (Wrong, u8)) {
        let (mut sure, maybe) = self.sending(Facts { states, unfinished: Some(false) });
        let (data, length) = match wrong {
            Wrong::Null => (null(), 1),
            Wrong::TooLong => (LONG.as_ptr(), 126),
            _ => (LONG.as_ptr(), usize::from(size) % 126),
        };
        if matches!(wrong, Wrong::Null | Wrong::TooLong) {
            sure.push(NSWS_ERR_PARAMETER);
        }
        let answer = unsafe { nsws_connection_ping(target.named(), data.cast(), length) };
        judge("nsws_connection_ping", target, answer, &sure, &maybe);
    }

    pub fn connection_close(&self, target: &Target, states: u8, code: u16, reason: u8) {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        need(OPEN, states, NSWS_ERR_NOT_CONNECTED, &mut sure, &mut maybe);
        let reason = wrong_close(code, reason, &mut sure);
        if let Some(object) = &target.object {
            object.has_meddled.store(true, SeqCst);
        }
        let answer = unsafe { nsws_connection_close(target.named(), code, reason) };
        judge("nsws_connection_close", target, answer, &sure, &maybe);
    }

    pub fn connection_cork(&self, target: &Target, states: u8, corks: bool) {
        let (mut sure, mut maybe) = (Vec::new(), Vec::new());
        need(OPEN, states, NSWS_ERR_NOT_CONNECTED, &mut sure, &mut maybe);
        let (what, answer) = match corks {
            true => ("nsws_connection_cork", nsws_connection_cork(target.named())),
            false => ("nsws_connection_uncork", nsws_connection_uncork(target.named())),
        };
        judge(what, target, answer, &sure, &maybe);
    }

    pub fn connection_pause(&self, target: &Target, pauses: bool) {
        if let (Some(object), true) = (&target.object, pauses) {
            object.has_paused.store(true, SeqCst);
        }
        match pauses {
            true => judge_handle("nsws_connection_pause", target, nsws_connection_pause(target.named())),
            false => judge_handle("nsws_connection_resume", target, nsws_connection_resume(target.named())),
        };
    }

    pub fn connection_info(&self, target: &Target, choice: u8) {
        let size = struct_size(choice, size_of::<nsws_connection_info>());
        sized("nsws_connection_get_info", target, size, |info, size| unsafe {
            nsws_connection_get_info(target.named(), info.cast(), size)
        });
    }

    pub fn connection_group(&self, target: &Target, choice: u8, joins: bool) {
        let (name, is_wrong) = group_name(choice);
        let sure = if is_wrong { &[NSWS_ERR_PARAMETER][..] } else { &[] };
        let (what, answer) = match joins {
            true => ("nsws_connection_join", unsafe { nsws_connection_join(target.named(), name) }),
            false => ("nsws_connection_leave", unsafe { nsws_connection_leave(target.named(), name) }),
        };
        judge(what, target, answer, sure, &[]);
    }
}

/// A name, and whether it is wrong.
fn group_name(choice: u8) -> (*const c_char, bool) {
    match choice & 15 {
        13 => (null(), true),
        14 => (c"".as_ptr(), true),
        15 => (c"\xff".as_ptr(), true),
        even if even & 1 == 0 => (c"one".as_ptr(), false),
        _ => (c"\xc3\xa9".as_ptr(), false),
    }
}

//! What the two threads and the callbacks of one program share: the objects, the registrations, and what events have told.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_void, CStr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use netstack_websocket::ffi::*;

use super::payload::{parse, Header};

pub const THREADS: usize = 2;
pub const MOST_OBJECTS: usize = 20;
/// Each thread sends, and so does each object in its callbacks, which never run two at once.
pub const SENDERS: usize = THREADS + MOST_OBJECTS;
/// More handles of a kind are never valid at once; their slots show it.
pub const MOST_SLOTS: u64 = 128;
/// Longer than anything takes here.
const GUARD: Duration = Duration::from_secs(9);

thread_local! {
    /// The thread is one of the program's own, on which no callback may run.
    pub static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

static CURRENT: RwLock<Option<Arc<World>>> = RwLock::new(None);
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// An address of loopback that no other process of this kind uses: ports come back.
pub static HOST: LazyLock<String> = LazyLock::new(|| {
    let process = std::process::id();
    format!("127.77.{}.{}", process >> 8 & 255, process & 255)
});

/// What all objects of a program have in common.
#[derive(Clone, Copy, Default)]
pub struct Setting {
    pub compression: bool,
    pub client_parts: bool,
    pub server_parts: bool,
    pub small_messages: bool,
    pub small_queue: bool,
    pub ends_by_release: bool,
    pub ends_by_shutdown: bool,
}

impl Setting {
    pub fn max_send(&self) -> usize {
        if self.small_messages {
            64
        } else {
            5 << 20
        }
    }
}

pub struct World {
    generation: u32,
    pub setting: Setting,
    objects: RwLock<Vec<Arc<Object>>>,
    registrations: RwLock<Vec<Arc<Registration>>>,
    freed: (Mutex<()>, Condvar),
    /// The objects that both threads use.
    pub shared_clients: [Mutex<Option<Arc<Object>>>; 2],
    pub shared_server: Mutex<Option<Arc<Object>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Client,
    Server,
}

pub const LIVE: u8 = 0;
pub const ENDING: u8 = 1;
pub const ENDED: u8 = 2;

pub struct Object {
    pub number: usize,
    pub kind: Kind,
    pub id: u64,
    pub is_shared: bool,
    /// A server sends back what it receives.
    pub echoes: bool,
    /// Whether a destroy or release was begun, and whether one has returned.
    pub ended: AtomicU8,
    /// How many of them succeeded.
    pub destroyed: AtomicU32,
    /// Callbacks may do with it what its thread doesn't know.
    pub is_wild: AtomicBool,
    /// A server, or a thread through it, may have ended or refused a connection.
    pub has_meddled: AtomicBool,
    pub has_paused: AtomicBool,
    /// A part that is not the last was sent.
    pub has_parts: AtomicBool,
    pub reconnects: AtomicBool,
    /// Of a server that listens.
    pub port: AtomicU32,
    /// The last server that a client has connected to.
    pub server: Mutex<Option<Arc<Object>>>,
    /// No callback may start any more.
    pub is_quiet: AtomicBool,
    is_running: AtomicBool,
    told: Mutex<Events>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Quiet,
    Answered,
    Open,
}

/// What events have told of an object, and what it was given.
#[derive(Default)]
pub struct Events {
    pub stage: Stage,
    /// Attempts that were begun, the one that is being begun among them, and how many have ended.
    pub attempts: u32,
    pub ends: u32,
    /// The number of the last attempt, also of one that failed at once.
    pub last_attempt: u32,
    last: Option<(Event, u64)>,
    awaits_data_end: bool,
    part: Option<Vec<u8>>,
    /// The last number of each kind of message and sender.
    heard: HashMap<(u8, usize), u32>,
    /// How many numbered messages were accepted of each sender, and how many others.
    pub accepted: [u32; SENDERS],
    pub anonymous: u32,
    /// What was accepted before each attempt.
    pub bases: BTreeMap<u32, ([u32; SENDERS], u32)>,
    /// The URL of the last attempt.
    pub url: Vec<u8>,
    pub connections: Vec<Connection>,
    /// Broadcasts to all, and to a group.
    pub broadcasts: [[u32; SENDERS]; 2],
}

/// A connection of a server.
pub struct Connection {
    pub id: u64,
    pub client: usize,
    pub attempt: u32,
    pub is_closed: bool,
    pub port: u16,
    /// It was closed by the client, and by nobody else.
    is_clients_close: bool,
    part: Option<Vec<u8>>,
    /// First and last number of each sender.
    pub received: HashMap<usize, (u32, u32)>,
    pub anonymous: u32,
    pub sent: [u32; SENDERS],
    pub has_parts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    HeaderReceive,
    Open,
    Message,
    MessagePart,
    DataEnd,
    Close,
    Error,
    Drain,
    Reconnecting,
    ServerConnect,
    ServerMessage,
    ServerMessagePart,
    ServerClose,
    ServerError,
    ServerDrain,
    Accept,
    Http,
}

pub const CLIENT_EVENTS: [Event; 9] = [
    Event::HeaderReceive,
    Event::Open,
    Event::Message,
    Event::MessagePart,
    Event::DataEnd,
    Event::Close,
    Event::Error,
    Event::Drain,
    Event::Reconnecting,
];
pub const SERVER_EVENTS: [Event; 6] = [
    Event::ServerConnect,
    Event::ServerMessage,
    Event::ServerMessagePart,
    Event::ServerClose,
    Event::ServerError,
    Event::ServerDrain,
];

impl Event {
    /// Whether each object has a listener of it from the beginning, which knows the order of events.
    pub fn is_tracked(self) -> bool {
        !matches!(self, Event::Drain | Event::Reconnecting | Event::ServerDrain | Event::Accept | Event::Http)
    }
}

pub const PENDING: u8 = 0;
pub const REGISTERED: u8 = 1;
pub const REFUSED: u8 = 2;

/// A listener or a hook. Its number is the `user_data`.
pub struct Registration {
    pub number: usize,
    pub object: usize,
    pub event: Event,
    /// `None`: it tracks the order of events.
    pub action: Option<u8>,
    pub state: AtomicU8,
    /// 1: removed; 2: removed by a callback of its own object.
    pub removed: AtomicU8,
    late: AtomicU32,
    freed: AtomicU32,
    /// How often it still acts.
    budget: AtomicU32,
}

/// What an event brings.
pub enum Told<'a> {
    Nothing,
    Message { data: &'a [u8], is_text: bool },
    Part { data: &'a [u8], is_text: bool, is_first: bool, is_last: bool },
    Close { code: u16, was_clean: bool },
    Connect { path: &'a str, port: u16 },
}

impl World {
    pub fn begin(setting: Setting) -> Arc<World> {
        let world = Arc::new(World {
            generation: GENERATION.fetch_add(1, SeqCst) + 1,
            setting,
            objects: RwLock::default(),
            registrations: RwLock::default(),
            freed: Default::default(),
            shared_clients: Default::default(),
            shared_server: Default::default(),
        });
        *CURRENT.write().unwrap() = Some(world.clone());
        world
    }

    pub fn object(&self, number: usize) -> Arc<Object> {
        self.objects.read().unwrap()[number].clone()
    }

    pub fn objects(&self) -> Vec<Arc<Object>> {
        self.objects.read().unwrap().clone()
    }

    /// A number for another object, if there may be one.
    pub fn add_object(
        &self,
        kind: Kind,
        is_shared: bool,
        echoes: bool,
        create: impl FnOnce() -> u64,
    ) -> Option<Arc<Object>> {
        let mut objects = self.objects.write().unwrap();
        if objects.len() == MOST_OBJECTS {
            return None;
        }
        let id = create();
        assert!(objects.iter().all(|object| object.id != id), "the handle {id:#x} comes back");
        let object = Arc::new(Object {
            number: objects.len(),
            kind,
            id,
            is_shared,
            echoes,
            ended: AtomicU8::new(LIVE),
            destroyed: AtomicU32::new(0),
            is_wild: AtomicBool::new(false),
            has_meddled: AtomicBool::new(false),
            has_paused: AtomicBool::new(false),
            has_parts: AtomicBool::new(false),
            reconnects: AtomicBool::new(false),
            port: AtomicU32::new(0),
            server: Mutex::default(),
            is_quiet: AtomicBool::new(false),
            is_running: AtomicBool::new(false),
            told: Mutex::default(),
            changed: Condvar::new(),
        });
        objects.push(object.clone());
        Some(object)
    }

    pub fn add_registration(&self, object: &Object, event: Event, action: Option<u8>) -> Arc<Registration> {
        let mut registrations = self.registrations.write().unwrap();
        let registration = Arc::new(Registration {
            number: registrations.len(),
            object: object.number,
            event,
            action,
            state: AtomicU8::new(PENDING),
            removed: AtomicU8::new(0),
            late: AtomicU32::new(0),
            freed: AtomicU32::new(0),
            budget: AtomicU32::new(3),
        });
        registrations.push(registration.clone());
        registration
    }

    /// The registrations of an object's event.
    pub fn registrations(&self, object: &Object, event: Event) -> Vec<Arc<Registration>> {
        let all = self.registrations.read().unwrap();
        all.iter().filter(|one| one.object == object.number && one.event == event).cloned().collect()
    }

    /// No number of an earlier program is this one's.
    pub fn user_data(&self, registration: &Registration) -> *mut c_void {
        ((self.generation as usize) << 16 | registration.number) as *mut c_void
    }

    pub fn path(&self, object: &Object, attempt: u32) -> String {
        format!("/{}/{}/{attempt}", self.generation, object.number)
    }

    /// Each registration that succeeded is released once, and the others never.
    pub fn wait_for_releases(&self) {
        let until = Instant::now() + GUARD;
        let registrations = self.registrations.read().unwrap().clone();
        for one in registrations {
            let is_registered = one.state.load(SeqCst) == REGISTERED;
            let mut lock = self.freed.0.lock().unwrap();
            while is_registered && one.freed.load(SeqCst) == 0 {
                let left = until.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "no free_fn of {:?} of object {}", one.event, one.object);
                lock = self.freed.1.wait_timeout(lock, left).unwrap().0;
            }
            assert_eq!(
                one.freed.load(SeqCst),
                u32::from(is_registered),
                "calls of free_fn of {:?}",
                one.event
            );
        }
    }

    /// [`World::wait_for_releases`] of an object whose destroy has waited for it.
    pub fn check_released(&self, object: &Object) {
        for one in self.registrations.read().unwrap().iter().filter(|one| one.object == object.number) {
            if one.state.load(SeqCst) == REGISTERED {
                assert_eq!(
                    one.freed.load(SeqCst),
                    1,
                    "calls of free_fn of {:?} when destroy returns",
                    one.event
                );
            }
        }
    }

    /// When no callback can run any more: what has arrived is what was sent.
    pub fn finish(&self) {
        *CURRENT.write().unwrap() = None;
        let objects = self.objects();
        for client in objects.iter().filter(|object| object.kind == Kind::Client) {
            let told = client.told();
            let reconnects = client.reconnects.load(SeqCst);
            assert!(reconnects || told.ends <= told.attempts, "more ends than attempts");
            let servers: Vec<_> = objects.iter().filter(|object| object.kind == Kind::Server).collect();
            let all: Vec<MutexGuard<'_, Events>> = servers.iter().map(|server| server.told()).collect();
            let mut own: Vec<&Connection> = all
                .iter()
                .flat_map(|events| &events.connections)
                .filter(|connection| connection.client == client.number)
                .collect();
            own.sort_by_key(|connection| connection.attempt);
            let anonymous: u32 = own.iter().map(|connection| connection.anonymous).sum();
            assert!(
                anonymous <= told.anonymous,
                "{anonymous} messages arrived, {} were sent",
                told.anonymous
            );
            for pair in own.windows(2) {
                assert!(reconnects || pair[0].attempt != pair[1].attempt, "two connections for one attempt");
            }
            let exact = !client.is_shared && !client.is_wild.load(SeqCst);
            for sender in 0..SENDERS {
                let mut least = 0;
                for connection in &own {
                    let Some(&(first, last)) = connection.received.get(&sender) else { continue };
                    assert!(reconnects || first >= least, "message {first} arrived after {least}");
                    assert!(last < told.accepted[sender], "message {last} arrived and was not accepted");
                    least = last + 1;
                    if exact {
                        assert_eq!(first, told.bases[&connection.attempt].0[sender], "the first message");
                    }
                }
            }
            for connection in own.iter().filter(|connection| exact && connection.is_clients_close) {
                let now = (told.accepted, told.anonymous);
                let next = told.bases.range(connection.attempt + 1..).next().map_or(&now, |(_, base)| base);
                for sender in 0..SENDERS {
                    let arrived =
                        connection.received.get(&sender).map_or(0, |(first, last)| last - first + 1);
                    let sent = next.0[sender] - told.bases[&connection.attempt].0[sender];
                    assert_eq!(arrived, sent, "messages that arrived before the client's close frame");
                }
                assert_eq!(connection.anonymous, next.1 - told.bases[&connection.attempt].1, "the others");
            }
        }
    }
}

impl Object {
    pub fn told(&self) -> MutexGuard<'_, Events> {
        self.told.lock().unwrap()
    }

    pub fn client(&self) -> nsws_client {
        nsws_client { id: self.id }
    }

    pub fn server(&self) -> nsws_server {
        nsws_server { id: self.id }
    }

    /// Where a server listens; a port where nothing does if it doesn't. Another server may get the port of one that is over.
    pub fn address(server: Option<&Arc<Object>>) -> String {
        let port = server.map_or(0, |server| server.port.load(SeqCst)).max(1);
        format!("{}:{port}", *HOST)
    }

    /// Waits for what must come.
    pub fn wait(&self, what: &str, mut came: impl FnMut(&mut Events) -> bool) {
        let until = Instant::now() + GUARD;
        let mut told = self.told();
        while !came(&mut told) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} does not come");
            told = self.changed.wait_timeout(told, left).unwrap().0;
        }
    }
}

/// A callback begins: it may, and runs alone.
fn enter(user_data: *mut c_void, id: u64, event: Event, connection: u64, told: Told<'_>) -> u16 {
    assert!(!IS_OWN.get(), "{event:?} is called inside a call");
    let world = CURRENT.read().unwrap().clone().expect("a callback after the end of the program");
    let registration = find(&world, user_data);
    assert_eq!(registration.event, event);
    let object = world.object(registration.object);
    assert_eq!(object.id, id, "the handle of {event:?}");
    assert!(!object.is_quiet.load(SeqCst), "{event:?} after the destroy");
    assert!(!object.is_running.swap(true, SeqCst), "{event:?} beside another callback");
    assert_eq!(registration.freed.load(SeqCst), 0, "{event:?} after its free_fn");
    assert_ne!(registration.state.load(SeqCst), REFUSED, "{event:?} of a registration that was refused");
    match registration.removed.load(SeqCst) {
        0 => {}
        // It may have been about to begin.
        1 => assert_eq!(registration.late.fetch_add(1, SeqCst), 0, "{event:?} after its removal"),
        _ => panic!("{event:?} after a callback has removed it"),
    }
    let mut answer = 0;
    match registration.action {
        None => {
            object.track(&world, event, connection, &told);
            object.changed.notify_all();
            if let (true, Told::Message { data, is_text }) = (object.echoes, &told) {
                if event == Event::ServerMessage {
                    super::inside::echo(&world, &object, connection, data, *is_text);
                }
            }
        }
        Some(action) => {
            if event.is_tracked() {
                assert_eq!(object.told().last, Some((event, connection)), "the order of listeners");
            }
            let left = registration.budget.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
            if left.is_ok() {
                answer = super::inside::act(&world, &object, &registration, action, connection);
            }
        }
    }
    object.is_running.store(false, SeqCst);
    answer
}

fn find(world: &World, user_data: *mut c_void) -> Arc<Registration> {
    let number = user_data as usize;
    assert_eq!(number >> 16, world.generation as usize, "a call for an earlier program");
    world.registrations.read().unwrap()[number & 0xFFFF].clone()
}

impl Object {
    /// The order of events.
    fn track(&self, world: &World, event: Event, connection: u64, told: &Told<'_>) {
        let mut events = self.told();
        let events = &mut *events;
        events.last = Some((event, connection));
        if self.kind == Kind::Server {
            return self.track_server(world, events, event, connection, told);
        }
        let is_pending = self.reconnects.load(SeqCst) || events.ends < events.attempts;
        assert!(is_pending, "{event:?} without an attempt");
        let awaited = events.awaits_data_end;
        events.awaits_data_end = false;
        assert_eq!(awaited, event == Event::DataEnd, "data_end right after each message, before {event:?}");
        match (event, events.stage, told) {
            (Event::HeaderReceive, Stage::Quiet, _) => events.stage = Stage::Answered,
            (Event::Open, Stage::Answered, _) => {
                (events.stage, events.part) = (Stage::Open, None);
                events.heard.clear();
            }
            (Event::Message, Stage::Open, Told::Message { data, is_text }) => {
                assert!(!world.setting.client_parts, "message with receive_parts");
                self.heard(events, data, *is_text);
                events.awaits_data_end = true;
            }
            (Event::MessagePart, Stage::Open, &Told::Part { data, is_text, is_first, is_last }) => {
                assert!(world.setting.client_parts, "message_part without receive_parts");
                if let Some(whole) = assemble(&mut events.part, data, is_text, is_first, is_last) {
                    self.heard(events, &whole, is_text);
                    events.awaits_data_end = true;
                }
            }
            (Event::DataEnd | Event::Error, Stage::Open, _) => {}
            (Event::Error, Stage::Quiet, _) => events.ends += 1,
            (Event::Close, Stage::Open, _) => (events.stage, events.ends) = (Stage::Quiet, events.ends + 1),
            // Closed while connecting.
            (Event::Close, _, Told::Close { code: 1006, was_clean: false }) => {
                (events.stage, events.ends) = (Stage::Quiet, events.ends + 1);
            }
            (event, stage, _) => panic!("{event:?} of a client that is {stage:?}"),
        }
    }

    /// What a server has sent.
    fn heard(&self, events: &mut Events, data: &[u8], is_text: bool) {
        let Some(Header { kind, sender, number, about }) = parse(data, is_text) else { return };
        match (kind, events.heard.insert((kind, sender), number)) {
            (0, _) => panic!("a client's message comes to a client"),
            (1, _) if about != self.number => panic!("another client's echo"),
            (4, last) => assert_eq!(number, last.map_or(0, |last| last + 1), "messages of a connection"),
            (_, last) => assert!(last.is_none_or(|last| last < number), "{kind}: {number} after {last:?}"),
        }
    }

    fn track_server(&self, world: &World, events: &mut Events, event: Event, id: u64, told: &Told<'_>) {
        let known = events.connections.iter_mut().rev().find(|known| known.id == id);
        match (event, known, told) {
            (Event::ServerConnect, None, &Told::Connect { path, port }) => {
                let mut path = path.split('/').skip(1).map(|part| part.parse::<u32>().expect("the path"));
                assert_eq!(path.next(), Some(world.generation), "a client of an earlier program");
                assert_eq!(id >> 50, 3, "the handle of a connection");
                assert!(id & 0xFF_FFFF < MOST_SLOTS, "handles of connections are not given back: {id:#x}");
                events.connections.push(Connection {
                    id,
                    client: path.next().unwrap() as usize,
                    attempt: path.next().unwrap(),
                    port,
                    is_closed: false,
                    is_clients_close: false,
                    part: None,
                    received: HashMap::new(),
                    anonymous: 0,
                    sent: [0; SENDERS],
                    has_parts: false,
                });
            }
            (Event::ServerError, None, _) if id == 0 => {}
            (_, Some(known), _) if known.is_closed => panic!("{event:?} after close"),
            (Event::ServerMessage, Some(known), Told::Message { data, is_text }) => {
                assert!(!world.setting.server_parts, "message with receive_parts");
                known.heard(data, *is_text);
            }
            (Event::ServerMessagePart, Some(known), &Told::Part { data, is_text, is_first, is_last }) => {
                assert!(world.setting.server_parts, "message_part without receive_parts");
                if let Some(whole) = assemble(&mut known.part, data, is_text, is_first, is_last) {
                    known.heard(&whole, is_text);
                }
            }
            (Event::ServerError, Some(_), _) => {}
            (Event::ServerClose, Some(known), &Told::Close { code, was_clean }) => {
                known.is_closed = true;
                let is_clients = was_clean && code == close_code(known.client);
                known.is_clients_close = is_clients && !self.has_meddled.load(SeqCst);
            }
            (event, known, _) => panic!("{event:?} of a connection that is known: {}", known.is_some()),
        }
    }
}

/// The code that a client closes with, and nothing else.
pub fn close_code(client: usize) -> u16 {
    4000 + client as u16
}

impl Connection {
    /// What its client has sent.
    fn heard(&mut self, data: &[u8], is_text: bool) {
        let Some(Header { kind, sender, number, about }) = parse(data, is_text) else {
            self.anonymous += 1;
            return;
        };
        assert_eq!((kind, about), (0, self.client), "another client's message");
        let (_, last) = self.received.entry(sender).or_insert((number, number.wrapping_sub(1)));
        assert_eq!(number, last.wrapping_add(1), "the message after {last}");
        *last = number;
    }
}

fn assemble(
    part: &mut Option<Vec<u8>>,
    data: &[u8],
    is_text: bool,
    is_first: bool,
    is_last: bool,
) -> Option<Vec<u8>> {
    assert_eq!(is_first, part.is_none(), "is_first");
    assert!(!is_text || std::str::from_utf8(data).is_ok(), "a part of a text is not whole characters");
    part.get_or_insert_default().extend_from_slice(data);
    is_last.then(|| part.take()).flatten()
}

pub unsafe extern "C" fn free(user_data: *mut c_void) {
    let world = CURRENT.read().unwrap().clone().expect("a free_fn after the end of the program");
    let registration = find(&world, user_data);
    assert_ne!(registration.state.load(SeqCst), REFUSED, "free_fn of a registration that was refused");
    assert_eq!(registration.freed.fetch_add(1, SeqCst), 0, "free_fn runs again");
    drop(world.freed.0.lock().unwrap());
    world.freed.1.notify_all();
}

/// Of a pair that is registered already.
pub unsafe extern "C" fn free_never(_: *mut c_void) {
    panic!("the free_fn of a registration that does not count");
}

macro_rules! callbacks {
    ($($name:ident($($handle:ident: $kind:ty),*; $struct:ty) $event:ident $told:expr;)*) => { $(
        unsafe extern "C" fn $name($($handle: $kind,)* event: *const $struct, user_data: *mut c_void) {
            let event = unsafe { &*event };
            assert_eq!(event.struct_size, size_of::<$struct>());
            let (id, connection) = ids(&[$($handle.id),*]);
            let told: fn(&$struct) -> Told<'_> = $told;
            enter(user_data, id, Event::$event, connection, told(event));
        }
    )* };
}

fn ids(ids: &[u64]) -> (u64, u64) {
    (ids[0], ids.get(1).copied().unwrap_or_default())
}

fn bytes<'a>(data: *const u8, length: usize) -> &'a [u8] {
    assert!(!data.is_null());
    unsafe { std::slice::from_raw_parts(data, length) }
}

fn text<'a>(text: *const std::ffi::c_char) -> &'a str {
    unsafe { CStr::from_ptr(text) }.to_str().expect("UTF-8")
}

fn error(event: &nsws_error_event) -> Told<'_> {
    assert!(!text(event.message).is_empty());
    assert_eq!(event.code, NSWS_ERR_CONNECT_FAILED, "{}", text(event.message));
    assert_ne!(text(nsws_error_name(event.detail)), "NSWS_ERR_UNKNOWN");
    Told::Nothing
}

fn message(event: &nsws_message_event) -> Told<'_> {
    Told::Message { data: bytes(event.data, event.length), is_text: event.is_text == 1 }
}

fn part(event: &nsws_message_part_event) -> Told<'_> {
    Told::Part {
        data: bytes(event.data, event.length),
        is_text: event.is_text == 1,
        is_first: event.is_first == 1,
        is_last: event.is_last == 1,
    }
}

fn close(event: &nsws_close_event) -> Told<'_> {
    assert!(event.reason_length <= 123);
    Told::Close { code: event.code, was_clean: event.was_clean == 1 }
}

callbacks! {
    on_header_receive(client: nsws_client; nsws_header_receive_event) HeaderReceive |event| {
        assert_eq!(event.status, 101);
        Told::Nothing
    };
    on_open(client: nsws_client; nsws_open_event) Open |event| {
        assert_eq!((event.status, text(event.protocol)), (101, ""));
        Told::Nothing
    };
    on_message(client: nsws_client; nsws_message_event) Message message;
    on_message_part(client: nsws_client; nsws_message_part_event) MessagePart part;
    on_data_end(client: nsws_client; nsws_data_end_event) DataEnd |_| Told::Nothing;
    on_close(client: nsws_client; nsws_close_event) Close close;
    on_error(client: nsws_client; nsws_error_event) Error error;
    on_drain(client: nsws_client; nsws_drain_event) Drain |_| Told::Nothing;
    on_reconnecting(client: nsws_client; nsws_reconnecting_event) Reconnecting |_| Told::Nothing;
    on_server_connect(server: nsws_server, connection: nsws_connection; nsws_connect_event) ServerConnect |event| {
        Told::Connect { path: text(event.path), port: event.client_port }
    };
    on_server_message(server: nsws_server, connection: nsws_connection; nsws_message_event) ServerMessage message;
    on_server_part(server: nsws_server, connection: nsws_connection; nsws_message_part_event) ServerMessagePart part;
    on_server_close(server: nsws_server, connection: nsws_connection; nsws_close_event) ServerClose close;
    on_server_error(server: nsws_server, connection: nsws_connection; nsws_error_event) ServerError error;
    on_server_drain(server: nsws_server, connection: nsws_connection; nsws_drain_event) ServerDrain |_| Told::Nothing;
}

unsafe extern "C" fn on_accept(
    server: nsws_server,
    _: *const nsws_connect_event,
    user_data: *mut c_void,
) -> u16 {
    enter(user_data, server.id, Event::Accept, 0, Told::Nothing)
}

unsafe extern "C" fn on_http(
    server: nsws_server,
    _: *const nsws_http_request,
    _: *mut nsws_http_answer,
    user_data: *mut c_void,
) {
    enter(user_data, server.id, Event::Http, 0, Told::Nothing);
}

/// Calls the function that registers or removes a listener of an event. `free_fn`: `None` removes.
pub fn listen(
    id: u64,
    event: Event,
    user_data: *mut c_void,
    add: Option<nsws_free_fn>,
    is_null: bool,
) -> i32 {
    let (client, server) = (nsws_client { id }, nsws_server { id });
    macro_rules! call {
        ($handle:ident, $fn:ident, $type:ty, $on:ident, $off:ident) => {{
            let function: $type = if is_null { None } else { Some($fn) };
            match add {
                Some(free_fn) => unsafe { $on($handle, function, user_data, free_fn) },
                None => unsafe { $off($handle, function, user_data) },
            }
        }};
    }
    macro_rules! hook {
        ($fn:ident, $type:ty, $set:ident) => {{
            let function: $type = if is_null { None } else { Some($fn) };
            unsafe { $set(server, function, user_data, add.unwrap_or_default()) }
        }};
    }
    match event {
        Event::HeaderReceive => call!(
            client,
            on_header_receive,
            nsws_header_receive_fn,
            nsws_client_on_header_receive,
            nsws_client_off_header_receive
        ),
        Event::Open => call!(client, on_open, nsws_open_fn, nsws_client_on_open, nsws_client_off_open),
        Event::Message => {
            call!(client, on_message, nsws_message_fn, nsws_client_on_message, nsws_client_off_message)
        }
        Event::MessagePart => call!(
            client,
            on_message_part,
            nsws_message_part_fn,
            nsws_client_on_message_part,
            nsws_client_off_message_part
        ),
        Event::DataEnd => {
            call!(client, on_data_end, nsws_data_end_fn, nsws_client_on_data_end, nsws_client_off_data_end)
        }
        Event::Close => call!(client, on_close, nsws_close_fn, nsws_client_on_close, nsws_client_off_close),
        Event::Error => call!(client, on_error, nsws_error_fn, nsws_client_on_error, nsws_client_off_error),
        Event::Drain => call!(client, on_drain, nsws_drain_fn, nsws_client_on_drain, nsws_client_off_drain),
        Event::Reconnecting => call!(
            client,
            on_reconnecting,
            nsws_reconnecting_fn,
            nsws_client_on_reconnecting,
            nsws_client_off_reconnecting
        ),
        Event::ServerConnect => call!(
            server,
            on_server_connect,
            nsws_server_connect_fn,
            nsws_server_on_connect,
            nsws_server_off_connect
        ),
        Event::ServerMessage => call!(
            server,
            on_server_message,
            nsws_server_message_fn,
            nsws_server_on_message,
            nsws_server_off_message
        ),
        Event::ServerMessagePart => call!(
            server,
            on_server_part,
            nsws_server_message_part_fn,
            nsws_server_on_message_part,
            nsws_server_off_message_part
        ),
        Event::ServerClose => {
            call!(server, on_server_close, nsws_server_close_fn, nsws_server_on_close, nsws_server_off_close)
        }
        Event::ServerError => {
            call!(server, on_server_error, nsws_server_error_fn, nsws_server_on_error, nsws_server_off_error)
        }
        Event::ServerDrain => {
            call!(server, on_server_drain, nsws_server_drain_fn, nsws_server_on_drain, nsws_server_off_drain)
        }
        Event::Accept => hook!(on_accept, nsws_accept_fn, nsws_server_set_accept_hook),
        Event::Http => hook!(on_http, nsws_http_fn, nsws_server_set_http_hook),
    }
}

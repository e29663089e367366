//! The steps of one thread, and what it knows of the objects that it alone uses.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Arc;

use netstack_websocket::ffi::*;

use super::calls::*;
use super::inside::is_tame;
use super::world::*;

/// A function, which handle it gets, and an argument.
#[derive(Clone, Copy)]
pub struct Step {
    pub function: u8,
    pub object: u8,
    pub argument: u8,
}

pub struct Thread<'a> {
    world: &'a World,
    caller: Caller<'a>,
    clients: [Option<Arc<Object>>; 2],
    server: Option<Arc<Object>>,
    models: HashMap<usize, ClientModel>,
    servers: HashMap<usize, ServerFacts>,
}

/// A client that its thread alone uses.
#[derive(Default)]
struct ClientModel {
    /// What it was in after the last call, of [`IDLE`] to [`CLOSING`].
    states: u8,
    /// The server that it has connected to, if that is this thread's.
    server: Option<Arc<Object>>,
    part: Option<Unfinished>,
    is_corked: bool,
}

#[derive(Clone, Copy)]
struct Unfinished {
    is_text: bool,
    has_number: bool,
    /// It has ended within a character.
    is_pending: bool,
}

impl ClientModel {
    /// Nothing has happened that could end the connection, or the attempt.
    fn is_stable(&self, client: &Object) -> bool {
        let is_quiet = |object: &Object| !object.is_wild.load(SeqCst) && !object.has_meddled.load(SeqCst);
        self.server.as_ref().is_some_and(|server| is_quiet(server) && is_quiet(client))
    }

    /// What it may be in by now.
    fn now(&mut self, client: &Object) -> u8 {
        let (ended, open) = {
            let told = client.told();
            (told.ends == told.attempts, told.stage == Stage::Open)
        };
        let is_stable = self.is_stable(client);
        let mut states = self.states;
        if states & CONNECTING != 0 {
            states |= OPEN;
        }
        if states & OPEN != 0 && !is_stable {
            states |= CLOSING;
        }
        if states & (ABANDONED | CLOSING) != 0 || (states & CONNECTING != 0 && !is_stable) {
            states |= IDLE;
        }
        if ended {
            assert!(states & IDLE != 0, "a connection that nobody has ended is over ({:#b})", self.states);
            states = IDLE;
        } else if open {
            states &= !(CONNECTING | ABANDONED);
        }
        if states & (OPEN | CLOSING) == 0 {
            (self.part, self.is_corked) = (None, false);
        }
        self.states = states;
        states
    }

    fn facts(&mut self, client: &Object) -> Facts {
        let states = self.now(client);
        Facts { states, unfinished: Some(self.part.is_some()) }
    }

    /// What a call has answered says what it is in.
    fn narrow(&mut self, states: u8) {
        assert!(self.states & states != 0, "{:#b} and {states:#b}", self.states);
        self.states &= states;
    }
}

impl<'a> Thread<'a> {
    pub fn new(world: &'a World, number: usize) -> Self {
        Thread {
            world,
            caller: Caller { world, sender: number },
            clients: [None, None],
            server: None,
            models: HashMap::new(),
            servers: HashMap::new(),
        }
    }

    pub fn run(&mut self, step: Step) {
        let Step { object, argument, .. } = step;
        match step.function % 56 {
            0 => self.create_client(step),
            1 => self.create_server(step),
            2 => self.start(step),
            3 => self.connect(step),
            4 | 52..=55 => self.session(step),
            5 => self.wait_open(step),
            6 => self.wait_delivered(step),
            7 => self.wait_end(step),
            8..=23 => self.use_client(step),
            24..=37 => self.use_server(step),
            38..=49 => self.use_connection(step),
            50 => {
                let size = struct_size(argument, 400);
                let is_right = size.is_some_and(|size| (8..=4096).contains(&size));
                let mut room = [0_u8; 4096];
                let pointer = if size.is_none() { std::ptr::null_mut() } else { room.as_mut_ptr() };
                let size = size.unwrap_or(8);
                let answer = match object & 1 {
                    0 => unsafe { nsws_connect_options_init(pointer.cast(), size) },
                    _ => unsafe { nsws_server_options_init(pointer.cast(), size) },
                };
                assert_eq!(answer, if is_right { NSWS_OK } else { NSWS_ERR_PARAMETER });
            }
            _ => {
                let timeout = u32::from(argument & 1) * 60_000;
                let right = if timeout == 0 { NSWS_ERR_PARAMETER } else { NSWS_OK };
                assert_eq!(nsws_network_changed(timeout), right);
                let level = i32::from(argument >> 1 & 7);
                let right = if (1..=4).contains(&level) { NSWS_OK } else { NSWS_ERR_PARAMETER };
                assert_eq!(unsafe { nsws_log(level, c"a line".as_ptr()) }, right);
            }
        }
    }

    fn is_shared(step: Step) -> bool {
        step.object & 2 != 0
    }

    fn client_of(&self, step: Step) -> Option<Arc<Object>> {
        let place = usize::from(step.object & 1);
        match Self::is_shared(step) {
            true => self.world.shared_clients[place].lock().unwrap().clone(),
            false => self.clients[place].clone(),
        }
    }

    fn server_of(&self, step: Step) -> Option<Arc<Object>> {
        match Self::is_shared(step) {
            true => self.world.shared_server.lock().unwrap().clone(),
            false => self.server.clone(),
        }
    }

    /// The handle that the step names, or one that is none.
    fn target(step: Step, object: &Option<Arc<Object>>, other: Option<Arc<Object>>) -> Target {
        let Some(object) = object else { return Target::foreign(0) };
        match step.object >> 2 & 7 {
            5 => Target::foreign(0),
            6 => Target::foreign(other.map_or(object.id ^ 3 << 50, |other| other.id)),
            7 => Target::foreign(match step.argument & 7 {
                // The slot's earlier object, or a slot that there isn't.
                0 => object.id - (1 << 24),
                1 => object.id | 0xFF_FFFF,
                2 => object.id | 1 << 53,
                3 => object.id & !(0xFF << 50),
                4 => object.id | 0xFF << 56,
                5 => u64::MAX,
                _ => u64::from(step.argument).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 << 63,
            }),
            _ => Target::of(object),
        }
    }

    fn client_target(&self, step: Step) -> (Option<Arc<Object>>, Target) {
        let object = self.client_of(step);
        let target = Self::target(step, &object, self.server_of(step));
        (object.filter(|_| target.object.is_some()), target)
    }

    fn server_target(&self, step: Step) -> (Option<Arc<Object>>, Target) {
        let object = self.server_of(step);
        let target = Self::target(step, &object, self.client_of(step));
        (object.filter(|_| target.object.is_some()), target)
    }

    /// The model of a client, unless others use it as well or it is gone.
    fn model(&mut self, object: &Object) -> Option<&mut ClientModel> {
        if object.is_shared || object.is_wild.load(SeqCst) || object.ended.load(SeqCst) != LIVE {
            return None;
        }
        self.models.get_mut(&object.number)
    }

    fn facts(&mut self, object: &Option<Arc<Object>>) -> Facts {
        match object {
            Some(client) => match self.model(client) {
                Some(model) => model.facts(client),
                None => Facts::ANY,
            },
            None => Facts::ANY,
        }
    }

    fn server_facts(&self, object: &Option<Arc<Object>>) -> ServerFacts {
        match object {
            Some(server) if !server.is_shared && !server.is_wild.load(SeqCst) => self.servers[&server.number],
            _ => ServerFacts::ANY,
        }
    }

    /// A call that needs an open connection says whether there is one.
    fn learn(&mut self, object: &Option<Arc<Object>>, succeeded: bool) {
        if let (Some(model), true) = (object.as_ref().and_then(|object| self.model(object)), succeeded) {
            model.narrow(OPEN);
        }
    }

    fn create_client(&mut self, step: Step) {
        if step.object >> 5 == 7 {
            assert_eq!(unsafe { nsws_client_create(std::ptr::null_mut()) }, NSWS_ERR_PARAMETER);
            return;
        }
        let is_shared = Self::is_shared(step);
        let create = || {
            let mut client = nsws_client { id: 0 };
            assert_eq!(unsafe { nsws_client_create(&mut client) }, NSWS_OK);
            assert_eq!(client.id >> 50, 1);
            client.id
        };
        let Some(object) = self.world.add_object(Kind::Client, is_shared, false, create) else { return };
        for event in CLIENT_EVENTS.into_iter().filter(|event| event.is_tracked()) {
            self.caller.listen(&Target::of(&object), event, None, false);
        }
        let place = usize::from(step.object & 1);
        self.models.insert(object.number, ClientModel { states: IDLE, ..ClientModel::default() });
        match is_shared {
            true => *self.world.shared_clients[place].lock().unwrap() = Some(object),
            false => self.clients[place] = Some(object),
        }
    }

    fn create_server(&mut self, step: Step) {
        if step.object >> 5 == 7 {
            assert_eq!(unsafe { nsws_server_create(std::ptr::null_mut()) }, NSWS_ERR_PARAMETER);
            return;
        }
        let is_shared = Self::is_shared(step);
        let create = || {
            let mut server = nsws_server { id: 0 };
            assert_eq!(unsafe { nsws_server_create(&mut server) }, NSWS_OK);
            assert_eq!(server.id >> 50, 2);
            server.id
        };
        let echoes = step.argument & 1 == 1;
        let Some(object) = self.world.add_object(Kind::Server, is_shared, echoes, create) else { return };
        for event in SERVER_EVENTS.into_iter().filter(|event| event.is_tracked()) {
            self.caller.listen(&Target::of(&object), event, None, false);
        }
        self.servers.insert(object.number, ServerFacts { listens: Some(false), may_have_clients: false });
        match is_shared {
            true => *self.world.shared_server.lock().unwrap() = Some(object),
            false => self.server = Some(object),
        }
    }

    fn start(&mut self, step: Step) {
        let (object, target) = self.server_target(step);
        let facts = self.server_facts(&object);
        let wrong = if step.argument & 3 == 3 { step.argument >> 2 & 15 } else { 0 };
        if self.caller.server_start(&target, facts, wrong) {
            if let Some(facts) = object.and_then(|object| self.servers.get_mut(&object.number)) {
                facts.listens = Some(true);
            }
        }
    }

    fn connect(&mut self, step: Step) {
        let (object, target) = self.client_target(step);
        let facts = self.facts(&object);
        // A client that both threads use must not disturb a server that one uses.
        let is_shared = Self::is_shared(step) || step.argument & 1 == 1;
        let server = match is_shared {
            true => self.world.shared_server.lock().unwrap().clone(),
            false => self.server.clone(),
        };
        let port = server.as_ref().map_or(0, |server| server.port.load(SeqCst));
        let wrong = if step.argument >> 1 & 7 == 7 { step.argument >> 4 } else { 0 };
        let reconnects = Self::is_shared(step) && step.argument >> 1 & 7 == 6;
        // If it doesn't listen yet, a callback may still connect later.
        if let Some(facts) = server.as_ref().and_then(|server| self.servers.get_mut(&server.number)) {
            facts.may_have_clients = true;
        }
        if !self.caller.client_connect(&target, facts, server.as_ref(), wrong, reconnects) {
            return;
        }
        if let Some(model) = object.as_ref().and_then(|object| self.model(object)) {
            let server = server.filter(|server| !server.is_shared && port != 0);
            *model = ClientModel { states: CONNECTING, server, ..ClientModel::default() };
        }
    }

    /// A server that listens, and a client that connects to it.
    fn session(&mut self, step: Step) {
        let step = Step { object: step.object & 3, ..step };
        let is_gone = |object: &Option<Arc<Object>>| {
            object.as_ref().is_none_or(|object| object.ended.load(SeqCst) != LIVE)
        };
        if is_gone(&self.server_of(step)) {
            self.create_server(step);
        }
        if self.server_of(step).is_some_and(|server| server.port.load(SeqCst) == 0) {
            self.start(Step { argument: 0, ..step });
        }
        if is_gone(&self.client_of(step)) {
            self.create_client(step);
        }
        self.connect(Step { argument: 0, ..step });
        if step.argument & 2 != 0 {
            self.wait_open(step);
        }
    }

    fn wait_open(&mut self, step: Step) {
        let Some(object) = self.client_of(step) else { return };
        let Some(model) = self.model(&object) else { return };
        if model.now(&object) & (CONNECTING | ABANDONED) != 0 {
            object.wait("the end of an attempt", |told| {
                told.ends == told.attempts || told.stage == Stage::Open
            });
            model.now(&object);
        }
    }

    /// What was accepted arrives.
    fn wait_delivered(&mut self, step: Step) {
        let Some(object) = self.client_of(step) else { return };
        let Some(model) = self.model(&object) else { return };
        let can_wait = model.is_stable(&object) && model.now(&object) == OPEN && !model.is_corked;
        let Some(server) = model.server.clone().filter(|_| can_wait) else { return };
        if server.has_paused.load(SeqCst) {
            return;
        }
        let (attempt, accepted, anonymous) = {
            let told = object.told();
            // Those that failed at once are not among them.
            let Some((attempt, base)) = told.bases.last_key_value() else { return };
            let mut accepted = told.accepted;
            for (sender, count) in accepted.iter_mut().enumerate() {
                *count -= base.0[sender];
            }
            (*attempt, accepted, told.anonymous - base.1)
        };
        let is_of = |one: &Connection| one.client == object.number && one.attempt == attempt;
        server.wait("a message that was accepted", |told| {
            let Some(one) = told.connections.iter().find(|one| is_of(one)) else { return false };
            let arrived =
                |sender: usize| one.received.get(&sender).map_or(0, |(first, last)| last + 1 - first);
            (0..SENDERS).all(|sender| arrived(sender) >= accepted[sender]) && one.anonymous >= anonymous
        });
    }

    fn wait_end(&mut self, step: Step) {
        let Some(object) = self.client_of(step) else { return };
        let Some(model) = self.model(&object) else { return };
        let states = model.now(&object);
        if states & (CONNECTING | OPEN) == 0 {
            object.wait("the end", |told| told.ends == told.attempts);
            model.now(&object);
        }
    }

    fn use_client(&mut self, step: Step) {
        let (object, target) = self.client_target(step);
        let facts = self.facts(&object);
        let wrong = (Wrong::choose(step.object >> 5), step.argument);
        let caller = Caller { world: self.world, sender: self.caller.sender };
        match step.function % 56 {
            8 | 9 => {
                let is_text = step.function % 56 == 8;
                let sent = caller.client_send(&target, facts, is_text, wrong);
                self.learn(&object, sent);
            }
            10 => self.part(object, &target, facts, wrong),
            11 => caller.client_ping(&target, facts, wrong),
            12 => {
                let own = object.as_ref().map_or(1000, |object| close_code(object.number));
                let code = if step.argument & 1 == 0 { own } else { u16::from(step.argument) * 20 };
                let closed = caller.client_close(&target, facts, code, step.object >> 5);
                if let (Some(object), true) = (object, closed) {
                    // From now on it may end at any time.
                    if let Some(model) = self.model(&object) {
                        model.narrow(CONNECTING | OPEN);
                        let was = model.states;
                        model.states = 0;
                        if was & CONNECTING != 0 {
                            model.states |= ABANDONED;
                        }
                        if was & OPEN != 0 {
                            model.states |= CLOSING;
                        }
                    }
                }
            }
            13 => {
                let done = caller
                    .client_act("nsws_client_cork", &target, facts, false, |client| nsws_client_cork(client));
                self.learn(&object, done);
                if let (Some(model), true) = (object.and_then(|object| self.model(&object)), done) {
                    model.is_corked = true;
                }
            }
            14 => {
                let done = caller.client_act("nsws_client_uncork", &target, facts, false, |client| {
                    nsws_client_uncork(client)
                });
                self.learn(&object, done);
                if let (Some(model), true) = (object.and_then(|object| self.model(&object)), done) {
                    model.is_corked = false;
                }
            }
            15 => caller.client_pause(&target, true),
            16 => caller.client_pause(&target, false),
            17 => {
                let state = caller.client_state(&target, facts, step.object >> 5 == 7);
                if let (Some(model), Some(state)) = (object.and_then(|object| self.model(&object)), state) {
                    let states = [IDLE, CONNECTING, OPEN, ABANDONED | CLOSING];
                    model.narrow(states[state as usize]);
                }
            }
            18 => match step.object >> 5 {
                variant @ 6..=7 => caller.client_certificates(&target, variant == 7),
                _ => caller.client_stats(&target, step.argument),
            },
            19 => {
                let timeout = if step.argument & 7 == 0 { 0 } else { 60_000 };
                caller.client_act("nsws_client_check", &target, facts, timeout == 0, |client| {
                    nsws_client_check(client, timeout)
                });
            }
            20 | 21 => {
                let waits = object.as_ref().is_some_and(|object| !object.is_shared);
                match object {
                    Some(_) => {
                        caller.end(&target, step.function % 56 == 21, waits);
                    }
                    None => {
                        judge_handle("nsws_client_destroy", &target, nsws_client_destroy(target.client()));
                        judge_handle("nsws_client_release", &target, nsws_client_release(target.client()));
                    }
                }
            }
            22 => self.add_listener(step, object, &target, &CLIENT_EVENTS),
            _ => {
                let is_idle = facts.states == IDLE;
                self.remove_listener(step, object, &target, &CLIENT_EVENTS, is_idle);
            }
        }
    }

    fn part(
        &mut self,
        object: Option<Arc<Object>>,
        target: &Target,
        facts: Facts,
        (wrong, choice): (Wrong, u8),
    ) {
        let caller = Caller { world: self.world, sender: self.caller.sender };
        let flags = match choice >> 4 & 7 {
            6 => (2, 1),
            7 => (1, 255),
            bits => (u8::from(bits & 1 != 0), u8::from(bits & 2 != 0)),
        };
        let begun = object.as_ref().and_then(|object| self.models.get(&object.number)?.part);
        let Some(model) = object.as_ref().and_then(|object| self.model(object)) else {
            if begun.is_some_and(|part| part.has_number) {
                // A callback may have connected anew, so that this part might begin another message.
                return;
            }
            let part = PartOf { may_be_invalid: wrong == Wrong::NotText, ..PartOf::default() };
            caller.client_part(target, facts, part, flags, (wrong, choice));
            return;
        };
        let is_text = model.part.map_or(flags.0 == 1, |part| part.is_text);
        let is_first = model.part.is_none();
        let has_number = model.part.map_or(choice & 128 == 0, |part| part.has_number);
        let is_pending = model.part.is_some_and(|part| part.is_pending);
        // Completing a character that there isn't is wrong, and so is not to complete one, but in an empty part that isn't the last.
        let completes = is_pending && choice & 3 != 0;
        let leaves = wrong == Wrong::Nothing && is_text && choice & 7 == 5;
        let size = SIZES[usize::from(choice) % 16];
        let is_empty =
            size == 0 && !(is_first && has_number) && !completes && !leaves && wrong == Wrong::Nothing;
        let is_last = flags.1 == 1;
        let is_invalid = is_text
            && (wrong == Wrong::NotText
                || (is_pending && !completes && !is_empty)
                || (is_last && (leaves || (is_pending && is_empty))));
        let part = PartOf { is_first, has_number, completes, leaves, is_invalid, may_be_invalid: false };
        let accepted = caller.client_part(target, facts, part, flags, (wrong, choice));
        if let (Some(model), true) = (object.as_ref().and_then(|object| self.model(object)), accepted) {
            model.narrow(OPEN);
            let is_pending = leaves || (is_pending && is_empty);
            model.part = (!is_last).then_some(Unfinished { is_text, has_number, is_pending });
        }
    }

    fn add_listener(&mut self, step: Step, object: Option<Arc<Object>>, target: &Target, events: &[Event]) {
        let event = events[usize::from(step.argument & 15) % events.len()];
        let action = step.argument >> 4 | (step.object >> 5) << 4;
        if let Some(object) = &object {
            if !is_tame(object.kind, event, action) {
                object.is_wild.store(true, SeqCst);
            }
        }
        let is_null = step.object >> 2 & 7 == 4;
        self.caller.listen(target, event, Some(action), is_null);
        let Some(object) = object.filter(|object| !object.is_shared && !object.is_wild.load(SeqCst)) else {
            return;
        };
        // The same again counts once, unless a callback removes it meanwhile.
        let all = self.world.registrations(&object, event);
        let may_remove = |action: u8| action % super::inside::ACTIONS == 5;
        if step.object >> 5 != 3 || all.iter().any(|one| one.action.is_some_and(may_remove)) {
            return;
        }
        let is_there =
            |one: &&Arc<Registration>| one.state.load(SeqCst) == REGISTERED && one.removed.load(SeqCst) == 0;
        if let Some(same) = all.iter().rev().find(is_there) {
            let answer = listen(object.id, event, self.world.user_data(same), Some(Some(free_never)), false);
            judge_handle("the same registration again", target, answer);
        }
    }

    fn remove_listener(
        &mut self,
        step: Step,
        object: Option<Arc<Object>>,
        target: &Target,
        events: &[Event],
        is_idle: bool,
    ) {
        let event = events[usize::from(step.argument & 15) % events.len()];
        let Some(object) = object else {
            self.caller.unlisten(target, event, None, 1);
            return;
        };
        let all = self.world.registrations(&object, event);
        let own: Vec<_> = all.iter().filter(|one| one.action.is_some()).collect();
        if step.object >> 5 >= 6 || own.is_empty() {
            // Without its tracker, an object's events have no order.
            let may = !event.is_tracked() || (is_idle && !object.is_shared && !object.is_wild.load(SeqCst));
            if may && self.caller.unlisten(target, event, None, 1) && event.is_tracked() {
                self.caller.listen(target, event, None, false);
            }
            return;
        }
        let one = own[usize::from(step.argument >> 4) % own.len()];
        self.caller.unlisten(target, event, Some(one), 1);
    }

    fn use_server(&mut self, step: Step) {
        let (object, target) = self.server_target(step);
        let facts = self.server_facts(&object);
        let (choice, caller) = (step.object >> 5, Caller { world: self.world, sender: self.caller.sender });
        let wrong = (Wrong::choose(choice), step.argument);
        let is_text = if step.argument >> 4 == 15 { 2 } else { step.argument >> 4 & 1 };
        match step.function % 56 {
            24 => self.add_listener(step, object, &target, &SERVER_EVENTS),
            25 => {
                let is_idle = facts.listens == Some(false) && !facts.may_have_clients;
                self.remove_listener(step, object, &target, &SERVER_EVENTS, is_idle);
            }
            26 => {
                let event = if step.argument & 1 == 0 { Event::Accept } else { Event::Http };
                if let (Some(object), Event::Accept) = (&object, event) {
                    object.is_wild.store(true, SeqCst);
                }
                caller.listen(
                    &target,
                    event,
                    Some(step.argument & 0xF0 | step.argument >> 1 & 7),
                    choice == 7,
                );
            }
            27 => caller.server_port(&target, facts, choice == 7),
            28 => caller.server_state(&target, facts, choice == 7),
            29 => caller.server_list(&target, facts, step.argument),
            30 => caller.server_find(&target, facts, step.argument),
            31 => caller.server_broadcast(&target, facts, None, wrong, is_text),
            32 => caller.server_broadcast(&target, facts, Some(step.argument >> 3), wrong, is_text),
            33 | 34 => {
                let gracefully = (step.function % 56 == 34).then_some(u32::from(step.argument & 7));
                if caller.server_stop(&target, facts, gracefully, false) {
                    if let Some(facts) = object.and_then(|object| self.servers.get_mut(&object.number)) {
                        facts.listens = Some(false);
                    }
                }
            }
            35 | 36 => match &object {
                Some(server) => {
                    caller.end(&target, step.function % 56 == 36, !server.is_shared);
                }
                None => {
                    judge_handle("nsws_server_destroy", &target, nsws_server_destroy(target.server()));
                    judge_handle("nsws_server_release", &target, nsws_server_release(target.server()));
                }
            },
            _ => caller.server_bans(&target, facts, step.argument),
        }
    }

    fn use_connection(&mut self, step: Step) {
        let caller = Caller { world: self.world, sender: self.caller.sender };
        let Some(server) = self.server_of(step) else { return };
        let known = server.told().connections.len();
        let place = usize::from(step.argument >> 4) % known.max(1);
        let target = match step.object >> 2 & 7 {
            5 => Target::foreign(0),
            6 => Target::foreign(server.id),
            7 => Target::foreign(3 << 50 | 0xFF_FFFF),
            _ if known == 0 => Target::foreign(3 << 50 | 0xFF_FFFF),
            _ => Target::connection(&server, place),
        };
        let states = match target.object.is_some() {
            true if target.is_closed() => CLOSING,
            true => self.states_of(&server, place),
            false => ANY,
        };
        let (choice, size) = (Wrong::choose(step.object >> 5), step.argument & 15);
        match step.function % 56 {
            38 | 39 => {
                caller.connection_send(&target, states, step.function % 56 == 38, (choice, size));
            }
            40 => {
                let flags =
                    [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 3)][usize::from(step.argument >> 1) % 6];
                caller.connection_part(&target, states, (choice, size), flags);
            }
            41 => caller.connection_ping(&target, states, (choice, step.argument)),
            42 => {
                let code = if step.argument & 1 == 0 { 1000 } else { u16::from(step.argument) * 20 };
                caller.connection_close(&target, states, code, step.object >> 5);
            }
            43 => caller.connection_cork(&target, states, true),
            44 => caller.connection_cork(&target, states, false),
            45 => caller.connection_pause(&target, true),
            46 => caller.connection_pause(&target, false),
            47 => caller.connection_info(&target, step.argument),
            48 => caller.connection_group(&target, step.argument, true),
            _ => caller.connection_group(&target, step.argument, false),
        }
    }

    /// A connection is open as long as its client, and nobody has ended it.
    fn states_of(&mut self, server: &Arc<Object>, place: usize) -> u8 {
        let (client, attempt) = {
            let told = server.told();
            (told.connections[place].client, told.connections[place].attempt)
        };
        let client = self.world.object(client);
        let is_current = client.told().bases.keys().next_back() == Some(&attempt);
        let is_open = |model: &mut ClientModel| model.is_stable(&client) && model.now(&client) == OPEN;
        match self.model(&client).filter(|_| is_current).is_some_and(is_open) {
            true => OPEN,
            false => ANY,
        }
    }
}

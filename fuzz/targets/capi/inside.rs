//! What callbacks do. Meanwhile the threads may do anything with the same objects, so only what is certain anyway is.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::Arc;

use netstack_websocket::ffi::*;

use super::calls::*;
use super::world::*;

/// Whether the object's own thread still knows what to expect of it.
pub fn is_tame(kind: Kind, event: Event, action: u8) -> bool {
    match (kind, action % ACTIONS) {
        // The accept hook may refuse.
        _ if event == Event::Accept => false,
        (_, 0 | 1 | 5 | 6 | 10..=15) => true,
        (Kind::Server, 8 | 9) => true,
        _ => false,
    }
}

pub const ACTIONS: u8 = 16;

pub fn echo(world: &World, server: &Arc<Object>, connection: u64, data: &[u8], is_text: bool) {
    let caller = Caller { world, sender: THREADS + server.number };
    caller.connection_echo(server, connection, data, is_text);
}

/// The answer is for the accept hook.
pub fn act(
    world: &World,
    object: &Arc<Object>,
    registration: &Registration,
    action: u8,
    connection: u64,
) -> u16 {
    let caller = Caller { world, sender: THREADS + object.number };
    let own = Target::of(object);
    match action % ACTIONS {
        0 => {}
        3 | 4 => {
            // Nothing more is called for it.
            if caller.end(&own, action % ACTIONS == 4, false) {
                object.is_quiet.store(true, SeqCst);
            }
        }
        5 if registration.event == Event::Accept || registration.event == Event::Http => {}
        5 => {
            // Itself, or the last one, which then isn't called for this event either.
            let all = world.registrations(object, registration.event);
            let last = all.iter().rev().find(|one| {
                one.action.is_some() && one.state.load(SeqCst) == REGISTERED && one.removed.load(SeqCst) == 0
            });
            let one = last.filter(|_| action & 16 != 0).map_or(registration, |last| last);
            caller.unlisten(&own, registration.event, Some(one), 2);
        }
        10 => close_other(&caller, world),
        11 => {
            let other = world.shared_clients[usize::from(action >> 4) & 1].lock().unwrap().clone();
            end_other(&caller, object, other, action);
        }
        12 => {
            let other = world.shared_server.lock().unwrap().clone();
            if let Some(other) = other {
                caller.server_stop(&Target::of(&other), ServerFacts::ANY, None, true);
            }
        }
        13 => {
            let other = world.shared_server.lock().unwrap().clone();
            end_other(&caller, object, other, action);
        }
        14 => assert_eq!(nsws_shutdown(1), NSWS_ERR_WOULD_DEADLOCK),
        15 => {
            let events = if object.kind == Kind::Client { &CLIENT_EVENTS[..] } else { &SERVER_EVENTS };
            caller.listen(&own, events[usize::from(action >> 4) % events.len()], Some(0), false);
        }
        action if object.kind == Kind::Client => act_as_client(&caller, object, &own, action),
        action => act_as_server(&caller, object, &own, action, connection),
    }
    [0, 0, 403, 500, 7][usize::from(action >> 4) % 5]
}

fn close_other(caller: &Caller<'_>, world: &World) {
    let other = world.shared_clients[0].lock().unwrap().clone();
    if let Some(other) = other {
        let target = Target::of(&other);
        caller.client_close(&target, Facts::ANY, close_code(other.number), 0);
    }
}

fn end_other(caller: &Caller<'_>, own: &Object, other: Option<Arc<Object>>, action: u8) {
    if let Some(other) = other.filter(|other| other.number != own.number) {
        caller.end(&Target::of(&other), action & 16 == 0, false);
    }
}

fn act_as_client(caller: &Caller<'_>, object: &Arc<Object>, own: &Target, action: u8) {
    let facts = Facts::ANY;
    match action {
        1 => {
            caller.client_send(own, facts, true, (Wrong::Nothing, 5));
        }
        2 => {
            caller.client_close(own, facts, close_code(object.number), 0);
        }
        6 => {
            caller.client_state(own, facts, false);
            caller.client_stats(own, 15);
        }
        7 => {
            let server = object.server.lock().unwrap().clone();
            caller.client_connect(own, facts, server.as_ref(), 0, false);
        }
        8 => {
            caller.client_act("nsws_client_cork", own, facts, false, |client| nsws_client_cork(client));
            caller.client_send(own, facts, false, (Wrong::Nothing, 5));
            caller.client_act("nsws_client_uncork", own, facts, false, |client| nsws_client_uncork(client));
        }
        _ => {
            caller.client_pause(own, true);
            caller.client_pause(own, false);
        }
    }
}

fn act_as_server(caller: &Caller<'_>, object: &Arc<Object>, own: &Target, action: u8, connection: u64) {
    let place = object.told().connections.iter().position(|one| one.id == connection);
    let target = place.map(|place| Target::connection(object, place));
    match (action, &target) {
        (1, Some(target)) => {
            let states = if target.is_closed() { CLOSING } else { ANY };
            caller.connection_send(target, states, false, (Wrong::Nothing, 5));
        }
        (2, Some(target)) => caller.connection_close(target, ANY, 1000, 0),
        (6, Some(target)) => {
            caller.connection_info(target, 15);
            caller.server_list(own, ServerFacts::ANY, 3);
        }
        (7, _) => {
            caller.server_stop(own, ServerFacts::ANY, None, true);
            caller.server_stop(own, ServerFacts::ANY, Some(1), true);
        }
        (8, _) => caller.server_broadcast(own, ServerFacts::ANY, None, (Wrong::Nothing, 5), 1),
        (9, Some(target)) => {
            caller.connection_group(target, 0, true);
            caller.server_broadcast(own, ServerFacts::ANY, Some(0), (Wrong::Nothing, 5), 0);
        }
        _ => {}
    }
}

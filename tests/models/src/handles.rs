//! A handle is taken out once, and never comes back.

use std::sync::Arc;

use loom::thread;

use crate::error::Code;
use crate::every_order;
use crate::handle::{HandleKind, Table};

fn table() -> Arc<Table<u32>> {
    Arc::new(Table::new(HandleKind::Client))
}

#[test]
fn of_two_who_destroy_one_succeeds() {
    every_order(|| {
        let table = table();
        let id = table.insert(Arc::new(7)).unwrap();
        let other = {
            let table = table.clone();
            thread::spawn(move || table.remove(id).is_ok())
        };
        let own = table.remove(id).is_ok();
        assert!(own ^ other.join().unwrap());
        assert_eq!(table.get(id).unwrap_err().code, Code::BadHandle);
    });
}

#[test]
fn a_handle_that_is_destroyed_and_used_again_meanwhile_never_gives_another_object() {
    every_order(|| {
        let table = table();
        let id = table.insert(Arc::new(1)).unwrap();
        let user = {
            let table = table.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    if let Ok(object) = table.get(id) {
                        assert_eq!(*object, 1);
                    }
                }
            })
        };
        let maker = {
            let table = table.clone();
            thread::spawn(move || table.insert(Arc::new(2)).unwrap())
        };
        table.remove(id).unwrap();
        let third = table.insert(Arc::new(3)).unwrap();
        let second = maker.join().unwrap();
        user.join().unwrap();
        assert!(id != second && id != third && second != third);
        assert_eq!((*table.get(second).unwrap(), *table.get(third).unwrap()), (2, 3));
    });
}

#[test]
fn an_object_is_drained_or_destroyed_but_not_both() {
    every_order(|| {
        let table = table();
        let id = table.insert(Arc::new(1)).unwrap();
        let drainer = {
            let table = table.clone();
            thread::spawn(move || table.drain().len())
        };
        let destroyed = usize::from(table.remove(id).is_ok());
        assert_eq!(drainer.join().unwrap() + destroyed, 1);
    });
}

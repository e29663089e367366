//! Sockets that do not block: a look at all of those of a lane, and TCP for its tasks.

mod budget;
mod io;
mod tcp;

#[cfg(test)]
pub(crate) use budget::spend;
pub(crate) use budget::{within_budget, without_budget, BUDGET};
pub(crate) use io::Io;
#[cfg(feature = "server")]
pub(crate) use tcp::TcpListener;
pub(crate) use tcp::TcpStream;

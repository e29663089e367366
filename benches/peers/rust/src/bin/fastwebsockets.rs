//! fastwebsockets, as its own echo example uses it: a frame is read, and written back.

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use peers::{Serve, Stream, Task};
use tokio::task::unconstrained;

#[derive(Clone, Copy)]
struct Echo;

impl Serve for Echo {
    async fn serve<S: Stream>(self, stream: S) {
        let mut link = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
        unconstrained(async move {
            while let Ok(frame) = link.read_frame().await {
                match frame.opcode {
                    OpCode::Close => break,
                    OpCode::Text | OpCode::Binary => {
                        if link.write_frame(frame).await.is_err() {
                            break;
                        }
                    }
                    _ => {}
                }
            }
        })
        .await;
    }
}

fn main() {
    let task = Task::read();
    if task.client {
        std::process::exit(2);
    }
    peers::serve(&task, Echo);
}

"""nsws on a terminal: what is typed, what is shown, what is kept off the screen.

    terminal.py NSWS        with run.py's python peer
"""

import os
import queue
import re
import signal
import tempfile
import threading

from websockets.sync.server import serve

from support import PATIENCE, Server, Terminal, nsws

ECHO = os.environ["NSWS_ECHO_URL"]
EDITS = "libedit" in nsws("--version").out


def opened(*arguments):
    """A session of connect, once it takes lines: an end of input that is typed before the editor begins is lost."""
    terminal = Terminal("connect", *arguments)
    terminal.sees(r"all +\d+\.\d+ ms")
    takes_lines(terminal)
    return terminal


def takes_lines(terminal):
    if EDITS:
        terminal.sees("> ")


def lines_are_sent_and_commands_obeyed():
    terminal = Terminal("connect", ECHO, "-p", "chat.v1")
    terminal.sees("Connected, sub-protocol chat.v1.")
    for step in ("dns", "tcp", "tls", "handshake", "all"):
        terminal.sees(rf"  {step} +\d+\.\d{{3}} ms")
    takes_lines(terminal)
    terminal.type("hello\r")
    terminal.sees(r"<\S* hello\r\n")
    terminal.type("//slash\r")
    terminal.sees(r"<\S* /slash\r\n")
    terminal.type("/help\r")
    terminal.sees("/ping .*\n/file .*\n(.*\n)*//WORDS")
    terminal.type("/fly\r")
    terminal.sees("there is no /fly; /help lists the commands")
    terminal.type("/ping\r/stats\r")
    terminal.sees(r"sent +2 messages, 11 bytes; 0 bytes wait")
    terminal.sees(r"received +2 messages, 11 bytes")
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0\1")
        file.flush()
        terminal.type(f"/file {file.name}\r")
        terminal.sees(r"Sent 2 bytes\.")
        terminal.sees("<\\S* binary, 2 bytes: 00 01\r\n")
    terminal.type("/text /no/such/file\r")
    terminal.sees("can't read /no/such/file: ")
    terminal.type("/close 99\r")
    terminal.sees('"99" is no close code')
    terminal.type("/close 1006\r")
    terminal.sees("not closed: ")
    terminal.type("/close 4000 that is all\r")
    terminal.sees(r'Closed, 4000 "that is all"\.')
    terminal.end(9)


def the_end_of_input_closes():
    terminal = opened(ECHO)
    terminal.type("x\r")
    terminal.sees(r"<\S* x\r\n")
    terminal.type("\x04")
    terminal.sees(r"Closed, 1000\.")
    terminal.end(0)


def ctrl_c_closes():
    terminal = opened(ECHO)
    terminal.type("half a line\x03")
    terminal.sees(r"Closed, 1000\.")
    terminal.end(130)
    terminal = Terminal("ping", ECHO, "-i", "1h")
    terminal.sees(r"pong 1: ")
    terminal.type("\x03")
    terminal.sees(r"1 pings, 1 answered; ")
    terminal.end(0)


def lines_can_be_edited():
    """With the arrow keys, and the line before by the up key."""
    terminal = opened(ECHO)
    terminal.type("ello\x1b[D\x1b[D\x1b[D\x1b[Dh\r")
    terminal.sees(r"<\S* hello\r\n")
    terminal.type("\x1b[A!\r")
    terminal.sees(r"<\S* hello!\r\n")
    terminal.type("\x04")
    terminal.end(0)


def what_arrives_does_not_tear_the_line():
    """A message goes above the line that is being typed, which is put back."""
    go = threading.Event()

    def speak(guest):
        assert go.wait(PATIENCE)
        guest.send("news")
        for message in guest:
            guest.send(message)

    with serve(speak, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        terminal = opened("ws://127.0.0.1:{}/".format(server.socket.getsockname()[1]))
        terminal.type("half")
        terminal.sees("half")
        go.set()
        terminal.sees(r"<\S* news\r\n")
        terminal.sees("> half")
        terminal.type(" a line\r")
        terminal.sees(r"<\S* half a line\r\n")
        terminal.type("\x04")
        terminal.end(0)
        server.shutdown()
        thread.join()


def control_characters_stay_off_the_screen():
    terminal = Terminal("send", ECHO, "-r1", "a\x1b[2J\x07\x9bx\tö")
    terminal.sees(r"a\^\[\[2J\^G\?x\tö\r\n")
    terminal.end(0)


def colors_are_for_terminals():
    terminal = Terminal("connect", ECHO)
    terminal.sees(r"\x1b\[32mConnected")
    terminal.sees(r"\x1b\[44m +\x1b\[0m")
    takes_lines(terminal)
    terminal.type("\x04")
    terminal.end(0)
    terminal = Terminal("connect", ECHO, "--color", "never")
    before = terminal.sees(r"Connected(.|\n)*all +\d+")[0]
    assert not re.search(r"\x1b\[\d*m", before) and "===" in before, before
    takes_lines(terminal)
    terminal.type("\x04")
    terminal.end(0)


def long_transfers_show_their_progress():
    """The peer reads only once the progress was seen; what is sent is more than the queue holds."""
    go, sizes = threading.Event(), queue.SimpleQueue()

    def hold(guest):
        assert go.wait(PATIENCE)
        sizes.put(len(guest.recv()))

    with serve(hold, "127.0.0.1", 0, max_size=None, max_queue=1) as server, tempfile.NamedTemporaryFile() as file:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        file.truncate(40_000_000)
        terminal = Terminal("send", "ws://127.0.0.1:{}/".format(server.socket.getsockname()[1]), "--file", file.name)
        terminal.sees(r"sent \d+\.\d MiB of 38\.1 MiB \[=* *\] +\d+%, \d+\.\d .*/s")
        go.set()
        terminal.sees(r"Closed, 1000\.")
        terminal.end(0)
        server.shutdown()
        thread.join()
        assert sizes.get(timeout=PATIENCE) == 40_000_000


def a_server_ends_with_the_end_of_input():
    terminal = Terminal("listen", "0", "--color", "never")
    url = terminal.sees(r"Listening at (\S+); Ctrl-C ends\.")[1]
    nsws("send", url, "hello").expect(0)
    terminal.sees(r"#1: 127\.0\.0\.1, port \d+, connects: /")
    terminal.sees(r"#1 hello\r\n")
    terminal.sees(r"#1: Closed, 1000\.")
    terminal.type("\x04")
    terminal.end(0)


def a_second_interrupt_ends_at_once():
    """The peer doesn't answer the close: it has been stopped."""
    server = Server("listen", "0")
    terminal = opened(server.url)
    os.kill(server.process.pid, signal.SIGSTOP)
    terminal.type("\x03\x03")
    terminal.end(130)
    os.kill(server.process.pid, signal.SIGCONT)
    server.stop()


if __name__ == "__main__":
    lines_are_sent_and_commands_obeyed()
    the_end_of_input_closes()
    ctrl_c_closes()
    if EDITS:
        lines_can_be_edited()
        what_arrives_does_not_tear_the_line()
    control_characters_stay_off_the_screen()
    colors_are_for_terminals()
    long_transfers_show_their_progress()
    a_server_ends_with_the_end_of_input()
    a_second_interrupt_ends_at_once()

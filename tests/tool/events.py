"""What --json prints is as tool/events.schema.json has it: each event, from a real peer.

    events.py NSWS          with run.py's python peer
"""

import os
import pathlib
import re
import tempfile

from support import SCHEMA, Server, Terminal, event, nsws, seen_events

ECHO, WSS = os.environ["NSWS_ECHO_URL"], os.environ["NSWS_ECHO_WSS_URL"]
CA = pathlib.Path(os.environ["NSWS_CERT_DIR"]) / "ca.pem"


def names(ended):
    assert ended.err == "", ended.err
    return [it["event"] for it in ended.events()]


def a_session_is_told_in_order():
    said = nsws("send", ECHO, 'say "hé\\"\n\x7f', "-r1", "--json", "-p", "chat.v1").expect(0)
    assert names(said) == ["connecting", "header", "open", "sent", "message", "close"], said.out
    found = {it["event"]: it for it in said.events()}
    assert found["message"]["text"] == 'say "hé\\"\n\x7f' and found["message"]["length"] == 12, said.out
    assert found["open"]["protocol"] == "chat.v1" and ["Set-Cookie", "first=1"] in found["header"]["headers"], said.out
    assert found["close"] == {"event": "close", "code": 1000, "reason": "", "clean": True}
    said = nsws("send", ECHO, "bytes", "-b", "-r1", "--json").expect(0)
    assert said.events()[4]["base64"] == "Ynl0ZXM=", said.out
    with tempfile.NamedTemporaryFile() as file:
        said = nsws("send", ECHO, "text", "-r1", "--json", "-o", file.name).expect(0)
        assert said.events()[4] == {"event": "message", "kind": "text", "length": 4, "file": file.name}, said.out


def failures_are_events():
    said = nsws("send", "ws://user:secret@127.0.0.1:1/", "x", "--json", "--reconnect", 1).expect(3)
    assert names(said) == ["connecting", "error", "reconnecting", "error"] and "secret" not in said.out, said.out
    failed = said.events()[1]
    assert (failed["name"], failed["detail_name"], failed["phase"]) == ("NSWS_ERR_CONNECT_FAILED", "NSWS_DETAIL_REFUSED", "tcp")
    assert failed["os_error"] == 111 and failed["http_status"] == 0, failed
    said = nsws("send", ECHO, "x", "-r1", "-v", "--json").expect(0)
    assert "log" in names(said)


def results_are_events():
    ping = nsws("ping", ECHO, "-c2", "-i0", "--json").expect(0).events()
    assert [it["event"] for it in ping] == ["connecting", "header", "open", "ping", "ping", "close", "pings"], ping
    assert ping[-1]["answered"] == 2 and ping[-1]["min_us"] > 0, ping
    bench = nsws("bench", ECHO, "-c10", "--json").expect(0).events()
    assert bench[-1]["messages"] == 10 and bench[-1]["p50_us"] <= bench[-1]["p99_us"], bench
    trusted = nsws("cert", WSS, "--ca", CA, "--json").expect(0).events()
    assert trusted[0]["trusted"] and trusted[0]["pin"].startswith("sha256//") and trusted[0]["tls13"], trusted
    assert [it["event"] for it in trusted] == ["cert", "certificate"] and trusted[1]["pin"] == trusted[0]["pin"], trusted
    shown = trusted[1]
    assert (shown["number"], shown["subject"], shown["issuer"]) == (1, "CN=good", "CN=The tests' ca"), shown
    assert shown["names"] == ["localhost", "127.0.0.1", "::1"] and shown["pem"] == (CA.parent / "good.pem").read_text(), shown
    assert shown["days_left"] == 29 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["not_after"]), shown
    expired = "wss://127.0.0.1:{}/".format(os.environ["NSWS_WSS_EXPIRED_PORT"])
    assert nsws("cert", expired, "--json").expect(4).events()[1]["days_left"] == -3
    chain = "wss://127.0.0.1:{}/".format(os.environ["NSWS_WSS_CHAIN_PORT"])
    assert [it.get("number") for it in nsws("cert", chain, "--json").expect(4).events()] == [None, 1, 2]
    distrusted = nsws("cert", WSS, "--json").expect(4).events()
    assert not distrusted[0]["trusted"] and distrusted[0]["detail_name"] == "NSWS_DETAIL_CERT_ISSUER", distrusted
    # Without a certificate, nothing is known of TLS.
    nothing = nsws("cert", ECHO.replace("ws:", "wss:"), "--json").expect(4, err=r"\A\Z").events()
    assert [it["event"] for it in nothing] == ["cert"] and nothing[0]["tls13"] is None and nothing[0]["pin"] == "", nothing
    assert nsws("explain", 401, "--json").expect(0).events()[0]["name"] == "NSWS_ERR_PARAMETER"
    nsws("explain", "all", "--json").expect(0).events()


def servers_tell_the_same_way():
    server = Server("listen", "0")
    nsws("send", server.url, "x").expect(0)
    server.next("close")
    server.stop()


def figures_are_an_event():
    terminal = Terminal("connect", ECHO, "--json")
    terminal.sees('"event":"open".*\n')
    terminal.type("/stats\r")
    event(terminal.sees(r'{"event":"stats".*}')[0])
    terminal.type("/close\r")
    terminal.end(0)


def the_schema_has_no_other_events():
    assert seen_events == set(SCHEMA["$defs"]) - {"pair"}, set(SCHEMA["$defs"]) ^ seen_events
    assert {it["$ref"].rsplit("/", 1)[1] for it in SCHEMA["oneOf"]} == seen_events


if __name__ == "__main__":
    a_session_is_told_in_order()
    failures_are_events()
    results_are_events()
    servers_tell_the_same_way()
    figures_are_an_event()
    the_schema_has_no_other_events()

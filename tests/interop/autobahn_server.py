# The Autobahn fuzzing server (CPython 2.7), on loopback and on a port that the system picks.
#
#     autobahn_server.py SPEC OUTDIR
#
# Prints {"port": N} when it listens, and ends when its standard input does.

import json
import sys

from twisted.internet import protocol, reactor, stdio

from autobahntestsuite import fuzzing

listen = reactor.listenTCP


def listen_on_loopback(port, factory, backlog=50, interface=''):
    listening = listen(0, factory, backlog, '127.0.0.1')
    port = listening.getHost().port
    # The server compares the Host header with what it believes its port is.
    factory.setSessionParameters(url='ws://127.0.0.1:%d' % port, protocols=[], server=factory.server)
    sys.stdout.write(json.dumps({'port': port}) + '\n')
    sys.stdout.flush()
    return listening


class Parent(protocol.Protocol):
    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


reactor.listenTCP = listen_on_loopback
with open(sys.argv[1]) as file:
    spec = json.load(file)
spec['outdir'] = sys.argv[2]
fuzzing.startServer(spec, 0)
stdio.StandardIO(Parent())
reactor.run()

// What is measured: a client keeps messages under way until all have come back from an echo server.

'use strict';

const CASES = {
  // Told where to run: else the figure would say where the system happens to put two processes that wait for each other.
  'round trip, a core each': { data: 'x'.repeat(32), window: 1, count: 5000, cores: { server: 0, client: 1 } },
  'round trip, on one core': { data: 'x'.repeat(32), window: 1, count: 5000, cores: { server: 0, client: 0 } },
  'pipelined, 128 B text': { data: 'x'.repeat(128), window: 1000, count: 100000 },
  'pipelined, 1 MiB binary': { data: new ArrayBuffer(1 << 20), window: 4, count: 200 },
};

// For one message at a time, the median of the round trips; else the time for each message. In microseconds. The first tenth warms up.
function drive(name, send, onMessage) {
  const { data, window, count } = CASES[name];
  const warm = count / 10;
  const times = [];
  let [sent, received, last, start] = [0, 0, 0n, 0n];
  return new Promise((resolve) => {
    onMessage(() => {
      const now = process.hrtime.bigint();
      received++;
      if (window === 1 && received > warm) times.push(Number(now - last));
      if (received === warm) start = now;
      if (received === count) {
        times.sort((a, b) => a - b);
        resolve((window === 1 ? times[times.length >> 1] : Number(now - start) / (count - warm)) / 1000);
      } else if (sent < count) {
        last = process.hrtime.bigint();
        send(data);
        sent++;
      }
    });
    last = process.hrtime.bigint();
    for (; sent < window; sent++) send(data);
  });
}

module.exports = { CASES, drive };

// What is measured: each case sends, receives the echoes, and counts.

'use strict';

const cases = {
  'round trip 32 B': { data: 'x'.repeat(32), window: 1, count: 20000 },
  'pipelined 128 B text': { data: 'x'.repeat(128), window: 1000, count: 300000 },
  '1 MiB binary': { data: new ArrayBuffer(1 << 20), window: 4, count: 600 },
};

// Keeps `window` messages under way until `count` have come back; the seconds that took.
function drive(name, count, send, onMessage) {
  const { data, window } = cases[name];
  return new Promise((resolve) => {
    let sent = 0;
    let received = 0;
    let start;
    const warm = Math.ceil(count / 10);
    onMessage(() => {
      received++;
      if (received === warm) start = process.hrtime.bigint();
      if (received === count) resolve(Number(process.hrtime.bigint() - start) / 1e9 * count / (count - warm));
      else if (sent < count) { send(data); sent++; }
    });
    for (; sent < Math.min(window, count); sent++) send(data);
  });
}

module.exports = { cases, drive };

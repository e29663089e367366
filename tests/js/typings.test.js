// The typings: accepted by `tsc --strict`, and they name exactly what the module has.

'use strict';

const { it } = require('node:test');
const path = require('node:path');
const ts = require('typescript');
const { CLIENT_EVENTS, SERVER_EVENTS, assert, webSocket } = require('./support');

const root = path.resolve(__dirname, '../..');
const typings = path.join(root, 'ohos/napi/@ohos.net.webSocket.d.ts');
const uses = path.join(__dirname, 'typings/uses.ts');

const program = ts.createProgram([uses], {
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  target: ts.ScriptTarget.ES2021,
  module: ts.ModuleKind.CommonJS,
  moduleResolution: ts.ModuleResolutionKind.Node10,
  esModuleInterop: true,
  lib: ['lib.es2021.d.ts', 'lib.dom.d.ts'],
  types: [],
});

it('tsc --strict accepts the typings and programs that use all of them', () => {
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' };
  assert.equal(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host), '');
});

function members(name) {
  const checker = program.getTypeChecker();
  const [exported] = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(typings)));
  const namespace = checker.getAliasedSymbol(exported);
  const found = checker.getExportsOfModule(namespace).find((symbol) => symbol.name === name);
  return { checker, type: checker.getDeclaredTypeOfSymbol(found), namespace };
}

for (const [name, make] of [['WebSocket', webSocket.createWebSocket], ['WebSocketServer', webSocket.createWebSocketServer]]) {
  it(`${name} has the methods that are declared, and no others`, () => {
    const declared = members(name).type.getProperties().map((property) => property.name);
    const real = Object.getOwnPropertyNames(Object.getPrototypeOf(make())).filter((method) => method !== 'constructor');
    assert.deepEqual(declared.sort(), real.sort());
  });
}

for (const [name, events] of [['WebSocket', CLIENT_EVENTS], ['WebSocketServer', SERVER_EVENTS]]) {
  it(`${name} has the events that are declared, and no others`, () => {
    const { checker, type } = members(name);
    for (const method of ['on', 'off']) {
      const signatures = checker.getTypeOfSymbol(type.getProperty(method)).getCallSignatures();
      const declared = new Set(signatures.map((signature) => checker.getTypeOfSymbol(signature.parameters[0]).value));
      assert.deepEqual([...declared].sort(), [...events].sort());
    }
  });
}

it('the namespace has the values that are declared, and no others', () => {
  const { checker, namespace } = members('WebSocket');
  const values = checker.getExportsOfModule(namespace).filter((symbol) => symbol.flags & ts.SymbolFlags.Value).map((symbol) => symbol.name);
  assert.deepEqual(values.sort(), Object.keys(webSocket).sort());
});

import { expect, test } from 'vitest';
import { Mqtt5Translation } from './mqtt5-translation.ts';
import { PacketFramer } from './packet-framer.ts';

const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString('hex'));

function packet(text: string) {
  const framer = new PacketFramer();
  framer.push(Buffer.from(text.replaceAll(' ', ''), 'hex'));
  const framed = framer.next();
  if (framed === undefined) throw new Error('not a whole packet');
  return framed;
}

function translation() {
  return new Mqtt5Translation({
    maxPacketBytes: 1_048_576,
    receiveMaximum: 1_000,
    sessionLifetimeSeconds: 604_800,
    maxHeldBytes: 100,
  });
}

/** "MQTT", version 5, flags, keep alive 60 s, then what the test says. */
const connect = (flags: string, rest: string) => {
  const body = `0004 4d515454 05 ${flags} 003c ${rest}`.replaceAll(' ', '');
  return packet(`10 ${(body.length / 2).toString(16).padStart(2, '0')} ${body}`);
};

test('a clean CONNECT becomes one of 3.1.1 without properties', () => {
  const { bytes, startClean } = translation().connect(connect('02', '00 0001 61'), () => 'x');
  expect(hex(bytes)).toBe('100d00044d51545404' + '02' + '003c' + '000161');
  expect(startClean).toBe(false);
});

test('a session that expires later is kept; a clean start ends the earlier one first', () => {
  const expiry = '05 11 00000e10'; // session expiry interval: 3,600 s
  expect(translation().connect(connect('02', `${expiry} 0001 61`), () => 'x')).toMatchObject({ startClean: true });
  const resumed = translation().connect(connect('00', `${expiry} 0001 61`), () => 'x');
  expect(resumed.startClean).toBe(false);
  expect(hex(resumed.bytes)).toBe('100d00044d51545404' + '00' + '003c' + '000161');
});

test('will, user and password pass, the properties of the will do not', () => {
  // flags c6: user, password, will, clean start. Will properties: delay interval 5 s.
  const rest = '00 0001 61  05 1800000005 0001 77 0002 6f6b  0001 75 0001 70';
  const { bytes } = translation().connect(connect('c6', rest), () => 'x');
  expect(hex(bytes)).toBe('101a00044d51545404c6003c000161' + '0001770002' + '6f6b' + '000175000170');
});

test('a client without an id gets one, and is told', () => {
  const translating = translation();
  const { bytes } = translating.connect(connect('02', '00 0000'), () => 'me');
  expect(hex(bytes)).toBe('100e00044d5154540402003c' + '00026d65');
  expect(hex(translating.toClient(packet('20 02 00 00')))).toBe(
    '2014' + '0000' + '11' + '2700100000' + '2900' + '2a00' + '2103e8' + '1200026d65',
  );
});

test('a session longer than the broker keeps is cut, and the client is told', () => {
  const translating = translation();
  translating.connect(connect('00', '05 11 ffffffff 0001 61'), () => 'x');
  expect(hex(translating.toClient(packet('20 02 01 00')))).toContain('1100093a80');
});

test.each([
  ['01', '84'],
  ['02', '85'],
  ['03', '88'],
  ['04', '86'],
  ['05', '87'],
])('return code %s becomes reason %s', (returnCode, reason) => {
  expect(hex(translation().toClient(packet(`20 02 00 ${returnCode}`)))).toBe(`200300${reason}00`);
});

test.each([
  ['PUBLISH, QoS 0, with content type', '30 0b 0001 61 05 03 0002 6f6b 68 69', '3005 000161 6869'],
  ['PUBLISH, QoS 1', '32 08 0001 61 0007 00 68 69', '3207 000161 0007 6869'],
  ['PUBACK with a reason', '40 04 0007 10 00', '4002 0007'],
  ['PUBREC', '50 02 0007', '5002 0007'],
  ['PUBREC that refuses', '50 03 0007 97', '7002 0007'],
  ['PUBREL', '62 03 0007 00', '6202 0007'],
  ['PUBCOMP', '70 02 0007', '7002 0007'],
  ['SUBSCRIBE, no local, retain as published', '82 09 0001 02 0b 01 0001 61 2d', '8206 0001 000161 01'],
  ['UNSUBSCRIBE', 'a2 06 0001 00 0001 61', 'a205 0001 000161'],
  ['PINGREQ', 'c0 00', 'c000'],
  ['DISCONNECT', 'e0 00', 'e000'],
  ['DISCONNECT, normal, with session expiry', 'e0 07 00 05 11 00000000', 'e000'],
])('from the client: %s', (_name, from, to) => {
  expect(hex(translation().fromClient(packet(from))?.toBroker)).toBe(to.replaceAll(' ', ''));
});

test('a DISCONNECT that wants the will published ends the connection without a word', () => {
  expect(translation().fromClient(packet('e0 01 04'))).toBeUndefined();
});

test.each([
  ['PUBLISH, QoS 0', '30 05 0001 61 68 69', '3006 000161 00 6869'],
  ['PUBLISH, QoS 1', '32 07 0001 61 0007 68 69', '3208 000161 0007 00 6869'],
  ['PUBACK', '40 02 0007', '4002 0007'],
  ['SUBACK', '90 04 0001 00 80', '9005 0001 00 00 80'],
  ['PINGRESP', 'd0 00', 'd000'],
])('from the broker: %s', (_name, from, to) => {
  expect(hex(translation().toClient(packet(from)))).toBe(to.replaceAll(' ', ''));
});

test('an UNSUBACK has a reason for each filter', () => {
  const translating = translation();
  translating.fromClient(packet('a2 09 0001 00 0001 61 0001 62'));
  expect(hex(translating.toClient(packet('b0 02 0001')))).toBe('b005' + '0001' + '00' + '0000');
});

test('what the client wants of its subscriptions is remembered until it unsubscribes', () => {
  const translating = translation();
  translating.fromClient(packet('82 07 0001 00 0001 61 24')); // no local, no retained
  expect([...translating.noLocal, ...translating.withoutRetained]).toEqual(['a', 'a']);
  translating.fromClient(packet('a2 06 0002 00 0001 61'));
  expect([...translating.noLocal, ...translating.withoutRetained]).toEqual([]);
});

test('a message longer than the client takes is dropped and counted', () => {
  const translating = translation();
  translating.connect(connect('02', '05 27 00000008 0001 61'), () => 'x');
  expect(hex(translating.toClient(packet('30 05 0001 61 68 69')))).toBe('300600016100' + '6869');
  expect(translating.toClient(packet('30 06 0001 61 68 69 69'))).toBeUndefined();
  expect(translating.droppedTooLarge).toBe(1);
});

test('no more messages are on their way than the client’s receive maximum', async () => {
  const translating = translation();
  translating.connect(connect('02', '03 21 0001 0001 61'), () => 'x');
  const publish = (id: string) => packet(`32 05 0001 61 ${id}`);
  expect(translating.toClient(publish('0001'))).toBeDefined();
  expect(translating.toClient(publish('0002'))).toBeUndefined();
  expect(translating.toClient(publish('0003'))).toBeUndefined();
  let emptied = false;
  const waiting = translating.heldBelow(0).then(() => {
    emptied = true;
  });
  expect(translating.fromClient(packet('40 02 0001'))?.toClient.map(hex)).toEqual(['3206000161000200']);
  expect(translating.fromClient(packet('40 02 0001'))?.toClient).toEqual([]);
  expect(emptied).toBe(false);
  expect(translating.fromClient(packet('40 02 0002'))?.toClient.map(hex)).toEqual(['3206000161000300']);
  await waiting;
});

test('a client that never acknowledges is given up', () => {
  const translating = translation();
  translating.connect(connect('02', '03 21 0001 0001 61'), () => 'x');
  expect(() => {
    for (let id = 1; id < 100; id++)
      translating.toClient(packet(`32 05 0001 61 00${id.toString(16).padStart(2, '0')}`));
  }).toThrow(expect.objectContaining({ code: 'overloaded' }));
});

test.each([
  ['a topic alias', '30 07 0001 61 03 23 0001', 'protocol'],
  ['an empty topic', '30 03 0000 00', 'protocol'],
  ['an unknown property', '30 06 0001 61 02 7f 01', 'malformed'],
  ['a property that is cut short', '30 06 0001 61 02 02 01', 'malformed'],
  ['a SUBSCRIBE that is cut short', '82 05 0001 00 0009', 'malformed'],
  ['AUTH', 'f0 00', 'protocol'],
  ['a second CONNECT', '10 00', 'protocol'],
])('%s is a fault of the client', (_name, bytes, code) => {
  expect(() => translation().fromClient(packet(bytes))).toThrow(expect.objectContaining({ code }));
});

test('an ordinary packet cut at any byte is malformed or shorter, and never anything else', () => {
  const whole = Buffer.from('82 09 0001 02 0b 01 0001 61 2d'.replaceAll(' ', ''), 'hex');
  for (let length = 0; length < whole.length - 2; length++) {
    const framed = { firstByte: 0x82, body: whole.subarray(2, 2 + length) };
    try {
      translation().fromClient(framed);
    } catch (error) {
      expect(error).toMatchObject({ code: 'malformed' });
    }
  }
});

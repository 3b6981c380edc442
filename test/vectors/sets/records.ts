import assert from 'node:assert/strict';
import type { Connection } from '@pipevine/runtime';
import { CipherState, type LinkSession } from '@pipevine/runtime/protocol';
import { nodeCrypto } from '@pipevine/transports';
import { DatagramRecords } from '../../../runtime/link/datagram-records.ts';
import { resolveLinkLimits } from '../../../runtime/link/link-limits.ts';
import type { RecordPort } from '../../../runtime/link/record-port.ts';
import { StreamRecords } from '../../../runtime/link/stream-records.ts';
import { BOB, filled } from '../cast.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Vector, VectorSet } from '../vector-set.ts';

const KEY = filled(32, 0x11);
const HOUR_MS = 3_600_000;
const [PING, REKEY, HELLO] = ['820701', '8109', '8300054568656c6c6f'];

/** One end whose writes are kept: `sent` has one entry for each record. */
function end(kind: 'stream' | 'datagram') {
  const sent: string[] = [];
  const connection = {
    kind,
    maxPacketBytes: kind === 'stream' ? Number.POSITIVE_INFINITY : 1_200,
    write: (chunks: Uint8Array | readonly Uint8Array[]) => {
      sent.push(chunks instanceof Uint8Array ? toHex(chunks) : chunks.map(toHex).join(''));
      return true;
    },
  } as unknown as Connection; // Records write, and do nothing else with it.
  const session: LinkSession = {
    send: new CipherState(nodeCrypto, KEY),
    receive: new CipherState(nodeCrypto, KEY),
    remotePeer: BOB.id,
    remoteStaticKey: BOB.agreement.publicKey,
    maxRecordBytes: 65_519,
  };
  const records: RecordPort =
    kind === 'stream'
      ? new StreamRecords(connection, session, resolveLinkLimits())
      : new DatagramRecords(connection, session);
  const send = (plaintext: string) => {
    records.seal(fromHex(plaintext));
    records.transmit();
    return sent.at(-1) ?? '';
  };
  return { records, send };
}

function stream(): Vector {
  const sender = end('stream');
  const [first, second] = [sender.send(HELLO), sender.send(REKEY)];
  sender.records.rekeySend(0);
  const third = sender.send(PING);
  const sealed = [first, second, third, sender.send('')];
  const plaintexts = [HELLO, REKEY, PING, ''];
  return {
    data: {
      name: 'a stream: u16 length, ciphertext, tag',
      key: toHex(KEY),
      records: sealed.map((bytes, number) => ({ number, plaintext: plaintexts[number] ?? '', bytes })),
    },
    check: (data) => {
      const { records } = end('stream');
      for (const { plaintext, bytes } of data.records as { plaintext: string; bytes: string }[]) {
        assert.equal(Number.parseInt(bytes.slice(0, 4), 16) * 2, bytes.length - 4);
        assert.equal(toHex(records.open(fromHex(bytes.slice(4))) ?? filled(1, 0)), plaintext);
        if (plaintext === REKEY) records.rekeyReceive();
      }
    },
  };
}

function datagrams(): Vector {
  const sender = end('datagram');
  sender.records.keyIsWorn(0);
  const packets = Array.from({ length: 300 }, (_, i) => (i === 299 ? sender.send(HELLO) : sender.send(PING)));
  sender.records.keyIsWorn(HOUR_MS);
  const next = sender.send(PING);
  const at = (number: number) => packets[number] ?? '';
  // In the order in which they come. The last one before the next epoch comes late, and then once more.
  const order = [
    { number: 0, plaintext: PING, bytes: at(0) },
    { number: 299, plaintext: HELLO, bytes: at(299) },
    { number: 1, plaintext: PING, bytes: at(1) },
    { number: 1, plaintext: null, why: 'came before', bytes: at(1) },
    {
      number: 2,
      plaintext: null,
      why: 'does not authenticate',
      bytes: `${at(2).slice(0, -2)}${at(2).endsWith('00') ? '01' : '00'}`,
    },
    { number: 2 ** 20, plaintext: PING, why: 'the first of the next epoch', bytes: next },
    { number: 2, plaintext: null, why: 'older than the window of 4,096', bytes: at(2) },
    { number: 0, plaintext: null, why: 'the number is not in its shortest form', bytes: `4100${at(0).slice(2)}` },
  ];
  return {
    data: {
      name: 'datagrams: type, number, ciphertext, tag; in the order in which they come',
      key: toHex(KEY),
      packets: order,
    },
    check: (data) => {
      const { records } = end('datagram');
      for (const { number, plaintext, bytes } of data.packets as typeof order) {
        const opened = records.open(fromHex(bytes));
        assert.equal(opened === undefined ? null : toHex(opened), plaintext, `packet ${number}`);
      }
    },
  };
}

export const RECORDS: VectorSet = {
  name: 'records',
  description: 'Records of one direction, sealed under one key; null is what a receiver drops.',
  document: 'docs/protocol/link.md',
  vectors: [stream(), datagrams()],
};

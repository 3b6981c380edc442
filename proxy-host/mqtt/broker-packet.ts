import { PipevineError } from '@pipevine/runtime';

export type Qos = 0 | 1 | 2;

/** A packet as aedes hands it to its persistence (aedes-packet). */
export interface BrokerPacket {
  cmd: string;
  topic: string;
  payload: Buffer | string;
  qos: Qos;
  retain: boolean;
  dup: boolean;
  /** With `brokerCounter` names a message within one run of the broker. */
  brokerId?: string;
  brokerCounter?: number;
  messageId?: number | undefined;
  clientId?: string;
}

/** A message as it lies in storage and in memory. */
export interface StoredMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly brokerId: string;
  readonly brokerCounter: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function payloadBytes(packet: { readonly payload: Buffer | string }): Buffer {
  return typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
}

/** The message of a packet, with a payload of its own: a packet's payload is a window on a whole chunk of the socket. */
export function storedMessage(packet: BrokerPacket): StoredMessage {
  return {
    topic: packet.topic,
    payload: Uint8Array.from(payloadBytes(packet)),
    qos: packet.qos,
    retain: packet.retain,
    brokerId: packet.brokerId ?? '',
    brokerCounter: packet.brokerCounter ?? 0,
  };
}

/** u16 length of the header | header as JSON | payload. Numbers are big-endian. */
export function encodeRow(header: Readonly<Record<string, unknown>>, payload: Uint8Array): Uint8Array {
  const head = encoder.encode(JSON.stringify(header));
  if (head.length > 0xffff) {
    throw new PipevineError('too-large', `MQTT row header: expected at most 65535 bytes, got ${head.length}`);
  }
  const row = new Uint8Array(2 + head.length + payload.length);
  row[0] = head.length >> 8;
  row[1] = head.length & 0xff;
  row.set(head, 2);
  row.set(payload, 2 + head.length);
  return row;
}

/** Reads what `encodeRow` wrote, or returns undefined for anything else (a row of a damaged or newer database). */
export function decodeRow(row: Uint8Array): { header: Record<string, unknown>; payload: Uint8Array } | undefined {
  const length = (row[0] ?? 0) * 256 + (row[1] ?? 0);
  if (row.length < 2 + length) return undefined;
  try {
    const header: unknown = JSON.parse(decoder.decode(row.subarray(2, 2 + length)));
    if (typeof header !== 'object' || header === null) return undefined;
    return { header: header as Record<string, unknown>, payload: row.slice(2 + length) }; // a JSON object is a record
  } catch {
    return undefined;
  }
}

export function encodeMessage(message: StoredMessage, extra: Readonly<Record<string, unknown>> = {}): Uint8Array {
  const { payload, ...header } = message;
  return encodeRow({ ...header, ...extra }, payload);
}

export function decodeMessage(
  row: Uint8Array,
): { message: StoredMessage; header: Record<string, unknown> } | undefined {
  const decoded = decodeRow(row);
  if (decoded === undefined) return undefined;
  const { header, payload } = decoded;
  const { topic, qos, retain, brokerId, brokerCounter } = header;
  if (typeof topic !== 'string' || (qos !== 0 && qos !== 1 && qos !== 2)) return undefined;
  const message: StoredMessage = {
    topic,
    payload,
    qos,
    retain: retain === true,
    brokerId: typeof brokerId === 'string' ? brokerId : '',
    brokerCounter: typeof brokerCounter === 'number' ? brokerCounter : 0,
  };
  return { message, header };
}

/** Key prefix of a client's rows: a client id may hold any character, the separator `/` included. */
export function clientKey(clientId: string): string {
  return `${encodeURIComponent(clientId)}/`;
}

/** Storage changes that belong to one acknowledgement, and how to take them back in memory when they were not stored. */
export interface StagedChanges {
  readonly changes: { table: string; key: string; value: Uint8Array | undefined }[];
  readonly undo: (() => void)[];
}

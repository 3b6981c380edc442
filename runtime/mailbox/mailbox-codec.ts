/**
 * The mailbox protocol: directed queries to the resolver's handlers `mailbox` (at a relay) and `mailbox-deliver` (at the
 * recipient). Canonical CBOR (docs/protocol/mailbox.cddl).
 *
 *     sender                      relay                        recipient
 *       | put [message ...]         |                              |
 *       |-------------------------->|  durable                     |
 *       |  [stored / held / no ...] |                              |
 *       |<--------------------------|             take, watch      |
 *       |                           |<-----------------------------|
 *       |                           |  waiting, message, message   |
 *       |                           |----------------------------->|  taken, durable
 *       |                           |       done [taken ...]       |
 *       |                           |<-----------------------------|
 *       |                           |  deleted, durable            |
 *       |                           |----------------------------->|
 *
 * Requests to `mailbox` are maps with integer keys:
 *
 * | key | member   | value                                                                         | in   |
 * |-----|----------|-------------------------------------------------------------------------------|------|
 * |   1 | request  | 0 put, 1 take, 2 done                                                         | all  |
 * |   2 | messages | array of `[recipient, id, sealed, lifetime in ms, whether a receipt is wanted]` | put  |
 * |   3 | after    | position: those behind it; absent for all                                     | take |
 * |   4 | watch    | true: waits for the first when there are none                                 | take |
 * |   5 | taken    | array of `[sender, id, sealed receipt or null]`                               | done |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readArray, readBoolean, readBytes, readInteger, readMap, readText } from '../wire/shape.ts';
import {
  MAX_BATCH_MESSAGES,
  MAX_LIFETIME_MS,
  MAX_RECEIPT_BYTES,
  MAX_SEALED_BYTES,
  MESSAGE_ID_BYTES,
} from './mailbox-defaults.ts';

const REQUEST = 'A mailbox request';
const ANSWER = 'A mailbox answer';
const MAX_REQUEST_BYTES = 1024 * 1024;
const MAX_ANSWER_BYTES = 128 * 1024;
const MAX_TEXT_BYTES = 512;

/** Which bound of a relay lets a message not in, or that its lifetime is longer than the relay keeps anything. */
export const MAILBOX_REFUSALS = [
  'total-bytes',
  'total-messages',
  'sender-bytes',
  'sender-messages',
  'recipient-bytes',
  'recipient-messages',
  'pair-bytes',
  'pair-messages',
  'lifetime',
] as const;
export type MailboxRefusal = (typeof MAILBOX_REFUSALS)[number];

export interface PutMessage {
  readonly recipient: PeerId;
  readonly id: Uint8Array;
  readonly sealed: Uint8Array;
  readonly lifetimeMs: number;
  readonly wantsReceipt: boolean;
}

export interface TakenMessage {
  readonly sender: PeerId;
  readonly id: Uint8Array;
  /** Sealed for the sender. */
  readonly receipt: Uint8Array | undefined;
}

export type MailboxRequest =
  | { readonly type: 'put'; readonly messages: readonly PutMessage[] }
  | { readonly type: 'take'; readonly after: number | undefined; readonly watch: boolean }
  | { readonly type: 'done'; readonly taken: readonly TakenMessage[] };

/** `held`: the same message was stored before. `reason` is one of MAILBOX_REFUSALS, or one of a later version. */
export type PutStatus =
  | { readonly type: 'stored' | 'held' }
  | { readonly type: 'refused'; readonly reason: string; readonly limit: number };

export type TakeItem =
  | { readonly type: 'waiting'; readonly messages: number }
  | {
      readonly type: 'message';
      readonly position: number;
      readonly sender: PeerId;
      readonly id: Uint8Array;
      readonly sealed: Uint8Array;
      readonly wantsReceipt: boolean;
    };

/** A message that goes to its recipient without a relay. */
export interface DeliveredMessage {
  readonly id: Uint8Array;
  readonly sealed: Uint8Array;
}

/** `kept`: not taken now, so somebody else must keep it. `refused`: it will never be taken. */
export interface DeliverStatus {
  readonly type: 'taken' | 'kept' | 'refused';
  readonly code: string;
  readonly message: string;
}

export function encodeMailboxRequest(request: MailboxRequest): Uint8Array {
  switch (request.type) {
    case 'put': {
      const messages = request.messages.map(({ recipient, id, sealed, lifetimeMs, wantsReceipt }) => [
        peerIdToBytes(recipient),
        id,
        sealed,
        lifetimeMs,
        wantsReceipt,
      ]);
      return encodeCanonical(
        new Map([
          [1, 0 as CborValue],
          [2, messages],
        ]),
      ); // One map, values of two types.
    }
    case 'take':
      return encodeCanonical(
        new Map<number, number | boolean | undefined>([
          [1, 1],
          [3, request.after],
          [4, request.watch || undefined],
        ]),
      );
    case 'done': {
      const taken = request.taken.map(({ sender, id, receipt }) => [peerIdToBytes(sender), id, receipt ?? null]);
      return encodeCanonical(
        new Map([
          [1, 2 as CborValue],
          [5, taken],
        ]),
      ); // One map, values of two types.
    }
  }
}

/** Throws `malformed` or `too-large`. */
export function decodeMailboxRequest(bytes: Uint8Array): MailboxRequest {
  const map = readMap(decodeStrict(bytes, { maxBytes: MAX_REQUEST_BYTES }), REQUEST);
  switch (map.integer(1, 'request', { max: 2 })) {
    case 0:
      return { type: 'put', messages: batch(map, 2, 'messages').map(readPut) };
    case 1:
      return { type: 'take', after: map.optionalInteger(3, 'after'), watch: map.optionalBoolean(4, 'watch') ?? false };
    default:
      return { type: 'done', taken: batch(map, 5, 'taken').map(readTaken) };
  }
}

export function encodePutAnswer(statuses: readonly PutStatus[]): Uint8Array {
  return encodeCanonical(
    statuses.map((status) =>
      status.type === 'refused' ? [2, status.reason, status.limit] : [status.type === 'stored' ? 0 : 1],
    ),
  );
}

/** `count` is that of the messages put. Throws `malformed` or `too-large`. */
export function decodePutAnswer(bytes: Uint8Array, count: number): PutStatus[] {
  const statuses = readArray(decodeStrict(bytes, { maxBytes: MAX_ANSWER_BYTES }), ANSWER, { length: count });
  return statuses.map((value) => {
    const [type, reason, limit] = readArray(value, `${ANSWER}: status`, { minLength: 1, maxLength: 8 });
    switch (readInteger(type, `${ANSWER}: status`, { max: 2 })) {
      case 0:
        return { type: 'stored' };
      case 1:
        return { type: 'held' };
      default:
        return {
          type: 'refused',
          reason: readText(reason, `${ANSWER}: reason`, { maxBytes: MAX_TEXT_BYTES }),
          limit: readInteger(limit, `${ANSWER}: limit`),
        };
    }
  });
}

export function encodeTakeItem(item: TakeItem): Uint8Array {
  return encodeCanonical(
    item.type === 'waiting'
      ? [0, item.messages]
      : [1, item.position, peerIdToBytes(item.sender), item.id, item.sealed, item.wantsReceipt],
  );
}

/** Undefined for an item of a later version. Throws `malformed` or `too-large`. */
export function decodeTakeItem(bytes: Uint8Array): TakeItem | undefined {
  const [type, ...rest] = readArray(decodeStrict(bytes, { maxBytes: MAX_ANSWER_BYTES }), ANSWER, { minLength: 1 });
  switch (readInteger(type, `${ANSWER}: type`)) {
    case 0:
      return { type: 'waiting', messages: readInteger(rest[0], `${ANSWER}: messages`) };
    case 1:
      return {
        type: 'message',
        position: readInteger(rest[0], `${ANSWER}: position`),
        sender: readPeer(rest[1], `${ANSWER}: sender`),
        id: readId(rest[2], ANSWER),
        sealed: readBytes(rest[3], `${ANSWER}: sealed message`, { maxLength: MAX_SEALED_BYTES }),
        wantsReceipt: readBoolean(rest[4], `${ANSWER}: receipt`),
      };
    default:
      return undefined;
  }
}

export function encodeDeliverRequest(messages: readonly DeliveredMessage[]): Uint8Array {
  return encodeCanonical(new Map([[1, messages.map(({ id, sealed }) => [id, sealed])]]));
}

/** Throws `malformed` or `too-large`. */
export function decodeDeliverRequest(bytes: Uint8Array): DeliveredMessage[] {
  const map = readMap(decodeStrict(bytes, { maxBytes: MAX_REQUEST_BYTES }), REQUEST);
  return batch(map, 1, 'messages').map((value) => {
    const [id, sealed] = readArray(value, `${REQUEST}: message`, { minLength: 2, maxLength: 8 });
    return { id: readId(id, REQUEST), sealed: readSealed(sealed) };
  });
}

const DELIVER_TYPES = ['taken', 'kept', 'refused'] as const;

export function encodeDeliverAnswer(statuses: readonly DeliverStatus[]): Uint8Array {
  return encodeCanonical(
    statuses.map(({ type, code, message }) =>
      type === 'taken' ? [0] : [DELIVER_TYPES.indexOf(type), code, message.slice(0, MAX_TEXT_BYTES / 4).toWellFormed()],
    ),
  );
}

/** Throws `malformed` or `too-large`. */
export function decodeDeliverAnswer(bytes: Uint8Array, count: number): DeliverStatus[] {
  const statuses = readArray(decodeStrict(bytes, { maxBytes: MAX_ANSWER_BYTES }), ANSWER, { length: count });
  return statuses.map((value) => {
    const [index, code, message] = readArray(value, `${ANSWER}: status`, { minLength: 1, maxLength: 8 });
    const type = DELIVER_TYPES[readInteger(index, `${ANSWER}: status`)];
    if (type === 'taken') return { type, code: '', message: '' };
    if (type === undefined) throw new PipevineError('malformed', `${ANSWER}: status must be from 0 to 2.`);
    const rule = { maxBytes: MAX_TEXT_BYTES };
    return {
      type,
      code: readText(code, `${ANSWER}: code`, rule),
      message: readText(message, `${ANSWER}: message`, rule),
    };
  });
}

function batch(map: MapReader, key: number, name: string): readonly CborValue[] {
  return map.array(key, name, { minLength: 1, maxLength: MAX_BATCH_MESSAGES });
}

function readPut(value: CborValue): PutMessage {
  const what = `${REQUEST}: message`;
  const [recipient, id, sealed, lifetimeMs, wantsReceipt] = readArray(value, what, { minLength: 5, maxLength: 12 });
  return {
    recipient: readPeer(recipient, `${what}: recipient`),
    id: readId(id, what),
    sealed: readSealed(sealed),
    lifetimeMs: readInteger(lifetimeMs, `${what}: lifetime`, { min: 1, max: MAX_LIFETIME_MS }),
    wantsReceipt: readBoolean(wantsReceipt, `${what}: receipt`),
  };
}

function readTaken(value: CborValue): TakenMessage {
  const what = `${REQUEST}: taken message`;
  const [sender, id, receipt] = readArray(value, what, { minLength: 3, maxLength: 8 });
  return {
    sender: readPeer(sender, `${what}: sender`),
    id: readId(id, what),
    receipt: receipt === null ? undefined : readBytes(receipt, `${what}: receipt`, { maxLength: MAX_RECEIPT_BYTES }),
  };
}

const readSealed = (value: CborValue | undefined) =>
  readBytes(value, `${REQUEST}: sealed message`, { maxLength: MAX_SEALED_BYTES });
const readId = (value: CborValue | undefined, what: string) =>
  readBytes(value, `${what}: id`, { length: MESSAGE_ID_BYTES });
const readPeer = (value: CborValue | undefined, what: string): PeerId =>
  peerIdFromBytes(readBytes(value, what, { length: 32 }));

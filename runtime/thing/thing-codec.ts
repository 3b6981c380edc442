/**
 * The thing protocol: requests over a request pipe in the group, service `thing`, to the peer that the thing belongs to.
 * Maps of canonical CBOR with integer keys (docs/protocol/thing.cddl). Values are JSON values as CBOR.
 *
 * | request   | 0 op | members                     | answer                                               |
 * |-----------|------|-----------------------------|------------------------------------------------------|
 * | read      |    1 | 1 thing, 2 name             | 1 value, 2 timestampMs                               |
 * | write     |    2 | 1 thing, 2 name, 3 value    | {}                                                   |
 * | invoke    |    3 | 1 thing, 2 name, ? 3 input  | ? 1 output                                           |
 * | observe   |    4 | 1 thing, 2 name             | items: 1 value, 2 timestampMs; {} before the first   |
 * | subscribe |    5 | 1 thing, 2 name             | items: ? 1 data, 2 timestampMs, ? 3 lost; {} at once |
 *
 * The first item of a sequence is `{}` where there is no value yet, so that the asker knows that it is heard. `lost` counts
 * the events that were dropped before this one because the asker was slow. What goes wrong is an error of the request pipe.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { type CborInput, encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readMap } from '../wire/shape.ts';
import { cborToJson, checkValueSize, jsonToCbor } from './json-cbor.ts';
import type { Reading } from './thing.ts';
import { MAX_AFFORDANCE_NAME, MAX_THING_MESSAGE_BYTES } from './thing-defaults.ts';
import type { JsonValue } from './thing-description.ts';

const OPERATIONS = ['read', 'write', 'invoke', 'observe', 'subscribe'] as const;
export type ThingOperation = (typeof OPERATIONS)[number];

const REQUEST = 'A request to a thing';
const ANSWER = 'An answer of a thing';
const MAX_KEY_BYTES = 128;

export interface ThingRequest {
  readonly operation: ThingOperation;
  /** Key of the thing at its peer. */
  readonly thing: string;
  /** Name of the affordance. */
  readonly name: string;
  /** What to write, or the input of an action. */
  readonly value?: JsonValue | undefined;
}

/** One event as it is told to a subscriber. */
export interface EventItem {
  readonly data: JsonValue | undefined;
  readonly timestampMs: number;
  readonly lost: number;
}

/** Throws `invalid-argument` or `too-large`. */
export function encodeThingRequest(request: ThingRequest): Uint8Array {
  return encode(`The value for "${request.name}"`, [
    [0, OPERATIONS.indexOf(request.operation) + 1],
    [1, request.thing],
    [2, request.name],
    [3, request.value === undefined ? undefined : jsonToCbor(request.value)],
  ]);
}

/** Throws `malformed`, `too-large`, or `unsupported` for an operation of a later version. */
export function decodeThingRequest(bytes: Uint8Array): ThingRequest {
  const reader = read(bytes, REQUEST);
  const code = reader.integer(0, 'operation');
  const operation = OPERATIONS[code - 1];
  if (operation === undefined) throw new PipevineError('unsupported', `Operation ${code} of things is unknown here.`);
  return {
    operation,
    thing: reader.text(1, 'thing', { maxBytes: MAX_KEY_BYTES }),
    name: reader.text(2, 'name', { maxLength: MAX_AFFORDANCE_NAME }),
    value: json(reader, 3, REQUEST),
  };
}

export function encodeReading(reading: Reading): Uint8Array {
  return encode('The value', [
    [1, jsonToCbor(reading.value)],
    [2, wholeMs(reading.timestampMs)],
  ]);
}

export function decodeReading(bytes: Uint8Array): Reading {
  const reading = decodeReadingItem(bytes);
  if (reading === undefined) throw new PipevineError('malformed', `${ANSWER} has no value.`);
  return reading;
}

/** The same, or undefined for the empty first item of an observation. */
export function decodeReadingItem(bytes: Uint8Array): Reading | undefined {
  const reader = read(bytes, ANSWER);
  const value = json(reader, 1, ANSWER);
  return value === undefined ? undefined : { value, timestampMs: reader.integer(2, 'timestampMs') };
}

/** The answer to a write, and the first item of a sequence that has nothing to say yet. */
export function encodeEmptyAnswer(): Uint8Array {
  return encodeCanonical({});
}

export function encodeOutput(output: JsonValue | undefined): Uint8Array {
  return encode('The output', [[1, output === undefined ? undefined : jsonToCbor(output)]]);
}

export function decodeOutput(bytes: Uint8Array): JsonValue | undefined {
  return json(read(bytes, ANSWER), 1, ANSWER);
}

export function encodeEventItem(item: EventItem): Uint8Array {
  return encode('The data of the event', [
    [1, item.data === undefined ? undefined : jsonToCbor(item.data)],
    [2, wholeMs(item.timestampMs)],
    [3, item.lost === 0 ? undefined : item.lost],
  ]);
}

/** Undefined for the empty first item of a subscription. */
export function decodeEventItem(bytes: Uint8Array): EventItem | undefined {
  const reader = read(bytes, ANSWER);
  const timestampMs = reader.optionalInteger(2, 'timestampMs');
  if (timestampMs === undefined) return undefined;
  return { data: json(reader, 1, ANSWER), timestampMs, lost: reader.optionalInteger(3, 'lost') ?? 0 };
}

function encode(what: string, entries: readonly (readonly [number, CborInput | undefined])[]): Uint8Array {
  const bytes = encodeCanonical(new Map(entries));
  checkValueSize(bytes.length, what);
  return bytes;
}

function read(bytes: Uint8Array, what: string): MapReader {
  return readMap(decodeStrict(bytes, { maxBytes: MAX_THING_MESSAGE_BYTES }), what);
}

function json(reader: MapReader, key: number, what: string): JsonValue | undefined {
  const value: CborValue | undefined = reader.value(key);
  return value === undefined ? undefined : cborToJson(value, what);
}

function wholeMs(timestampMs: number): number {
  return Math.max(0, Math.floor(timestampMs));
}

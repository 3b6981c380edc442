import * as codec from '../../../runtime/thing/thing-codec.ts';
import { NOW_MS } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import type { VectorSet } from '../vector-set.ts';

const REQUEST = { encode: codec.encodeThingRequest, decode: codec.decodeThingRequest, cddl: 'request' };
const value = { on: true, level: 0.5, name: 'ü', scenes: [1, null] };

export const THINGS: VectorSet = {
  name: 'things',
  description: 'Requests of the service `thing` and their answers.',
  document: 'docs/protocol/thing.md',
  cddl: 'thing.cddl',
  vectors: [
    codecVector({ name: 'read', value: { operation: 'read' as const, thing: 'lamp', name: 'power' }, ...REQUEST }),
    codecVector({
      name: 'write',
      value: { operation: 'write' as const, thing: 'lamp', name: 'power', value },
      ...REQUEST,
    }),
    codecVector({
      name: 'invoke',
      value: { operation: 'invoke' as const, thing: 'lamp', name: 'fade', value: 5 },
      ...REQUEST,
    }),
    codecVector({
      name: 'invoke without input',
      value: { operation: 'invoke' as const, thing: 'lamp', name: 'toggle' },
      ...REQUEST,
    }),
    codecVector({
      name: 'observe',
      value: { operation: 'observe' as const, thing: 'lamp', name: 'power' },
      ...REQUEST,
    }),
    codecVector({
      name: 'subscribe',
      value: { operation: 'subscribe' as const, thing: 'lamp', name: 'pressed' },
      ...REQUEST,
    }),
    codecVector({
      name: 'answer to read',
      value: { value, timestampMs: NOW_MS },
      encode: codec.encodeReading,
      decode: codec.decodeReading,
      cddl: 'reading',
    }),
    codecVector({
      name: 'answer to invoke',
      value: 'done',
      encode: codec.encodeOutput,
      decode: codec.decodeOutput,
      cddl: 'output',
    }),
    codecVector({
      name: 'an event',
      value: { data: value, timestampMs: NOW_MS, lost: 2 },
      encode: codec.encodeEventItem,
      decode: codec.decodeEventItem,
      cddl: 'event',
    }),
  ],
};

import { readFileSync } from 'node:fs';
import { seededRandom } from '@pipevine/transports';
import { decode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { encodeCanonical } from '../wire/encode.ts';
import {
  DONE_ANSWER,
  decodeKnown,
  decodeLeaseAnswer,
  decodeRequest,
  encodeAdvertisements,
  encodeCancel,
  encodeGrant,
  encodeKnown,
  encodeLeaseRequest,
  encodePeerview,
  type KnownRendezvous,
} from './rendezvous-codec.ts';

const leaseId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const rendezvous: KnownRendezvous[] = [0, 1].map((i) => ({
  peer: peerIdFromBytes(seededRandom(i).bytes(32)),
  addresses: i === 0 ? [] : ['tcp://192.0.2.1:7473'],
}));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('requests to a rendezvous', () => {
  it('come back as they went', () => {
    expect(decodeRequest(encodeLeaseRequest(undefined))).toEqual({
      type: 'lease',
      leaseId: undefined,
      lifetimeMs: 600_000,
    });
    expect(decodeRequest(encodeLeaseRequest(leaseId))).toMatchObject({ type: 'lease', leaseId });
    expect(decodeRequest(encodeCancel(leaseId))).toEqual({ type: 'cancel', leaseId });
    for (const type of ['push', 'replicate'] as const) {
      expect(decodeRequest(encodeAdvertisements(type, [leaseId]))).toEqual({ type, encoded: [leaseId] });
    }
    for (const leaving of [true, false]) {
      expect(decodeRequest(encodePeerview(rendezvous, leaving))).toEqual({ type: 'peerview', rendezvous, leaving });
    }
    const grant = { leaseId, lifetimeMs: 10_000, rendezvous };
    expect(decodeLeaseAnswer(encodeGrant(grant))).toEqual(grant);
    expect(decodeLeaseAnswer(encodeKnown(rendezvous))).toEqual({ leaseId: undefined, rendezvous });
    expect(decodeKnown(encodeKnown(rendezvous))).toEqual(rendezvous);
  });

  it('are what the CDDL says', () => {
    const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/rendezvous.cddl', import.meta.url), 'utf8'));
    const matches = (rule: string, bytes: Uint8Array) =>
      cddl.matches(rule, decode(bytes, { useMaps: true, strict: true }));
    const requests = {
      lease: encodeLeaseRequest(leaseId),
      cancel: encodeCancel(leaseId),
      push: encodeAdvertisements('push', [leaseId]),
      replicate: encodeAdvertisements('replicate', [leaseId]),
      peerview: encodePeerview(rendezvous, true),
    };
    for (const [name, bytes] of Object.entries(requests)) {
      expect(matches('rendezvous-request', bytes)).toBe(true);
      for (const rule of Object.keys(requests)) expect(matches(rule, bytes)).toBe(rule === name);
    }
    expect(matches('grant', encodeGrant({ leaseId, lifetimeMs: 600_000, rendezvous }))).toBe(true);
    expect(matches('referral', encodeKnown(rendezvous))).toBe(true);
    expect(matches('done', DONE_ANSWER)).toBe(true);
  });

  it('have these bytes', () => {
    // {1: 0, 3: 600000}
    expect(hex(encodeLeaseRequest(undefined))).toBe('a20100031a000927c0');
    // {1: 1, 2: h'0102030405060708'}
    expect(hex(encodeCancel(leaseId))).toBe('a2010102480102030405060708');
    // {1: 2, 4: [h'0102030405060708']}
    expect(hex(encodeAdvertisements('push', [leaseId]))).toBe('a2010204814801' + '02030405060708');
  });

  it('are refused with one clear error when they are anything else', () => {
    const wrong = (bytes: Uint8Array, code: string) =>
      expect(() => decodeRequest(bytes)).toThrow(expect.objectContaining({ code }));
    wrong(encodeCanonical(new Map([[1, 9]])), 'unsupported');
    wrong(encodeCanonical([]), 'malformed');
    wrong(
      encodeCanonical(
        new Map<number, Uint8Array | number>([
          [1, 1],
          [2, new Uint8Array(7)],
        ]),
      ),
      'malformed',
    );
    wrong(encodeAdvertisements('push', []), 'malformed');
    wrong(
      encodeAdvertisements(
        'push',
        Array.from({ length: 513 }, () => leaseId),
      ),
      'malformed',
    );
    wrong(new Uint8Array(70_000), 'too-large');
    const bytes = encodePeerview(rendezvous, true);
    for (let length = 0; length < bytes.length; length++) wrong(bytes.subarray(0, length), 'malformed');
    const random = seededRandom('fuzz');
    for (let i = 0; i < 5_000; i++) {
      const damaged = bytes.slice();
      for (let n = 0; n < 3; n++) damaged[random.integer(damaged.length)] = random.integer(256);
      try {
        decodeRequest(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(PipevineError);
      }
    }
  });
});

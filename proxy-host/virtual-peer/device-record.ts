import { type PeerId, PipevineError, type ThingInit } from '@pipevine/runtime';
import type { Availability } from '../connector.ts';

/** A device as it lies in the storage, one row each. */
export interface DeviceRecord {
  readonly connector: string;
  readonly key: string;
  /** The device's peer, so that a start need not derive ten thousand keys. Of no use when the host set's secret is another. */
  readonly peer: PeerId;
  readonly thing: ThingInit;
  readonly via: string | undefined;
  /** As last advertised. */
  readonly availability: Availability;
  /** Wall clock, milliseconds since 1970: until when the published delegation holds; 0 when there is none. */
  readonly delegatedUntilMs: number;
  /** Whether `thing` with `availability` is what others have been told. */
  readonly advertised: boolean;
  /** It was taken away, and others are still to be told. */
  readonly removed: boolean;
}

export const DEVICE_TABLE = 'devices';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The row's key. */
export function deviceRowKey(connector: string, key: string): string {
  return `${connector}\0${key}`;
}

export function encodeDeviceRecord(record: DeviceRecord): Uint8Array {
  return encoder.encode(JSON.stringify({ version: 1, ...record }));
}

/** Throws `storage-failed`: the rows are the host's own, so a bad one is damage. */
export function decodeDeviceRecord(bytes: Uint8Array): DeviceRecord {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof value === 'object' && value !== null && 'version' in value && value.version === 1) {
      // Written by `encodeDeviceRecord` of this version.
      const { version: _, ...record } = value as DeviceRecord & { version: number };
      return { ...record, via: record.via };
    }
  } catch {
    // Said below.
  }
  throw new PipevineError(
    'storage-failed',
    'A device in the storage cannot be read; it is forgotten until it reports again.',
  );
}

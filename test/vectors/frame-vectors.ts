/**
 * Frames as bytes, annotated. A peer in another language reads and writes exactly these. Spaces and what follows `;` in
 * a line are not part of the bytes.
 */
import type { ControlFrame } from '@pipevine/runtime/protocol';

/** The bytes of an annotated text. */
export function annotatedHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/;.*$/gm, '').replaceAll(/\s/g, ''), 'hex'));
}

export interface DataVector {
  readonly name: string;
  readonly channel: number;
  readonly payload: Uint8Array;
  readonly sequence: number | undefined;
  readonly more: boolean;
  readonly bytes: Uint8Array;
}

export const DATA_VECTORS: readonly DataVector[] = [
  {
    name: 'an empty message',
    channel: 0,
    payload: new Uint8Array(0),
    sequence: undefined,
    more: false,
    bytes: annotatedHex('83 00 00 40 ; array of 3: DATA, channel 0, no bytes'),
  },
  {
    name: 'a small message',
    channel: 5,
    payload: new TextEncoder().encode('hello'),
    sequence: undefined,
    more: false,
    bytes: annotatedHex(`
      83            ; array of 3
      00            ; DATA
      05            ; channel 5
      45 68656c6c6f ; payload of 5 bytes: hello`),
  },
  {
    name: 'a numbered message of 32 bytes on a two-byte channel',
    channel: 200,
    payload: new Uint8Array(32).fill(0xab),
    sequence: 1_000,
    more: false,
    bytes: annotatedHex(`
      84                     ; array of 4
      00                     ; DATA
      18 c8                  ; channel 200
      58 20 ${'ab'.repeat(32)} ; payload of 32 bytes
      19 03e8                ; sequence number 1,000`),
  },
  {
    name: 'a fragment',
    channel: 70_000,
    payload: new Uint8Array(300).fill(1),
    sequence: 2 ** 40,
    more: true,
    bytes: annotatedHex(`
      84                       ; array of 4
      01                       ; DATA_MORE
      1a 00011170              ; channel 70,000
      59 012c ${'01'.repeat(300)} ; payload of 300 bytes
      1b 0000010000000000      ; sequence number 2^40`),
  },
];

export interface ControlVector {
  readonly name: string;
  readonly frame: ControlFrame;
  readonly bytes: Uint8Array;
}

const filled = (length: number, value: number) => new Uint8Array(length).fill(value);

export const CONTROL_VECTORS: readonly ControlVector[] = [
  {
    name: 'ACK',
    frame: { type: 2, channel: 5, next: 17, limit: 65_536, ranges: [] },
    bytes: annotatedHex('84 02 05 11 1a00010000 ; ACK, channel 5, next 17, limit 65,536'),
  },
  {
    name: 'ACK with ranges',
    frame: {
      type: 2,
      channel: 5,
      next: 17,
      limit: 65_536,
      ranges: [
        [19, 19],
        [24, 300],
      ],
    },
    bytes: annotatedHex(`
      85 02 05 11 1a00010000 ; ACK, channel 5, next 17, limit 65,536
      82                     ; two ranges that came although 17 and 18, 20 to 23 are missing
      82 13 13               ; 19
      82 1818 19012c         ; 24 to 300`),
  },
  {
    name: 'BIND',
    frame: {
      type: 3,
      channel: 7,
      pipe: filled(16, 0x01),
      target: filled(32, 0x02),
      source: filled(32, 0x03),
      group: filled(32, 0x04),
      name: 'thing',
      kind: 2,
      security: 1,
      next: 0,
      limit: 262_144,
      credential: filled(3, 0x0a),
      session: filled(4, 0x0b),
    },
    bytes: annotatedHex(`
      83 03 07                   ; BIND, the binder receives on channel 7
      ab                         ; map of 11
      01 50 ${'01'.repeat(16)}   ; pipe
      02 5820 ${'02'.repeat(32)} ; target
      03 5820 ${'03'.repeat(32)} ; source
      04 5820 ${'04'.repeat(32)} ; group
      05 65 7468696e67           ; name: thing
      06 02                      ; kind: secure
      07 01                      ; security: end to end
      08 00                      ; next
      09 1a00040000              ; limit 262,144
      0a 43 0a0a0a               ; credential
      0b 44 0b0b0b0b             ; session: first message of the pipe's handshake`),
  },
  {
    name: 'BOUND',
    frame: {
      type: 4,
      channel: 7,
      ownChannel: 9,
      next: 3,
      limit: 262_144,
      credential: new Uint8Array(0),
      session: new Uint8Array(0),
    },
    bytes: annotatedHex(`
      84 04 07 09      ; BOUND, the binder's channel 7, the acceptor receives on 9
      a2               ; map of 2: an empty credential or session is left out
      08 03            ; next
      09 1a00040000    ; limit 262,144`),
  },
  {
    name: 'CONFIRM',
    frame: { type: 5, channel: 9, session: filled(2, 0x0c) },
    bytes: annotatedHex('83 05 09 42 0c0c ; CONFIRM, channel 9, third message of the handshake'),
  },
  {
    name: 'UNBIND',
    frame: { type: 6, channel: 9, code: 'not-found', reason: 'no' },
    bytes: annotatedHex('84 06 09 69 6e6f742d666f756e64 62 6e6f ; UNBIND, channel 9, not-found, no'),
  },
  { name: 'PING', frame: { type: 7, token: 1 }, bytes: annotatedHex('82 07 01 ; PING, token 1') },
  { name: 'PONG', frame: { type: 8, token: 500 }, bytes: annotatedHex('82 08 1901f4 ; PONG, token 500') },
  { name: 'REKEY', frame: { type: 9 }, bytes: annotatedHex('81 09 ; REKEY') },
  {
    name: 'CLOSE',
    frame: { type: 10, code: 'done', reason: '' },
    bytes: annotatedHex('83 0a 64 646f6e65 60 ; CLOSE, done, no reason'),
  },
];

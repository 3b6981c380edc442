/**
 * The frames that a record carries: each is a CBOR array `[type, ...]`.
 *
 * | type | frame     | members                                                      |
 * |------|-----------|--------------------------------------------------------------|
 * |    0 | DATA      | channel, payload, ? sequence                                 |
 * |    1 | DATA_MORE | channel, payload, ? sequence: a fragment, more follow        |
 * |    2 | ACK       | channel, next, limit, ? [* [first, last]]                    |
 * |    3 | BIND      | channel of the binder, { bind parameters }                   |
 * |    4 | BOUND     | channel of the binder, channel of the acceptor, { ... }      |
 * |    5 | CONFIRM   | channel of the acceptor, session bytes                       |
 * |    6 | UNBIND    | channel, code, reason                                        |
 * |    7 | PING      | token                                                        |
 * |    8 | PONG      | token                                                        |
 * |    9 | REKEY     |                                                              |
 * |   10 | CLOSE     | code, reason                                                 |
 *
 * A channel is a number that the *receiver* of the frames chose, for one direction of one link. On an ordered link a
 * DATA frame without a sequence number has the number after that of the channel's previous one.
 */
export const FrameType = {
  data: 0,
  dataMore: 1,
  ack: 2,
  bind: 3,
  bound: 4,
  confirm: 5,
  unbind: 6,
  ping: 7,
  pong: 8,
  rekey: 9,
  close: 10,
} as const;

/** Acknowledges DATA of the channel on which the acknowledging side sends: `next` is the first sequence number not yet received. */
export interface AckFrame {
  readonly type: typeof FrameType.ack;
  readonly channel: number;
  readonly next: number;
  /** Flow control: the sender may send until the cost of all its frames reaches this total. */
  readonly limit: number;
  /** Ranges received beyond `next`, both ends inclusive, ascending; at most 32. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

/** The parameters of a BIND or BOUND that depend on the pipe; keys 1 to 9 in the CDDL. */
export interface BindParameters {
  /** 16 random bytes chosen by the binder; names the pipe when it is bound again over another link. */
  readonly pipe: Uint8Array;
  /** 32-byte id of the peer to reach: the neighbour itself or one that it hosts. */
  readonly target: Uint8Array;
  /** 32-byte id of the peer that binds. */
  readonly source: Uint8Array;
  /** 32-byte group id. */
  readonly group: Uint8Array;
  /** Name under which the target listens; at most 128 bytes of UTF-8. */
  readonly name: string;
  readonly kind: PipeKindCode;
  readonly security: PipeSecurityCode;
}

/** Codes of the pipe kinds on the wire. */
export const PipeKindCode = { unicast: 0, reliable: 1, secure: 2, request: 3, bidirectional: 4 } as const;
export type PipeKindCode = (typeof PipeKindCode)[keyof typeof PipeKindCode];

/** Whether the link's session protects the pipe, or one of its own, end to end. */
export const PipeSecurityCode = { link: 0, endToEnd: 1 } as const;
export type PipeSecurityCode = (typeof PipeSecurityCode)[keyof typeof PipeSecurityCode];

export interface BindFrame extends BindParameters {
  readonly type: typeof FrameType.bind;
  /** Channel on which the binder receives. */
  readonly channel: number;
  /** The first sequence number that the binder still wants: 0 on a new pipe, more when it resumes one. */
  readonly next: number;
  /** Flow-control limit that the binder grants. */
  readonly limit: number;
  /** The binder's credential for the group; empty in the world group and where the session carries it. */
  readonly credential: Uint8Array;
  /** First message of the end-to-end handshake, or empty. */
  readonly session: Uint8Array;
}

export interface BoundFrame {
  readonly type: typeof FrameType.bound;
  /** Channel of the binder that BIND named. */
  readonly channel: number;
  /** Channel on which the acceptor receives. */
  readonly ownChannel: number;
  readonly next: number;
  readonly limit: number;
  readonly credential: Uint8Array;
  /** Second message of the end-to-end handshake, or empty. */
  readonly session: Uint8Array;
}

export interface ConfirmFrame {
  readonly type: typeof FrameType.confirm;
  readonly channel: number;
  /** Third message of the end-to-end handshake. */
  readonly session: Uint8Array;
}

export interface UnbindFrame {
  readonly type: typeof FrameType.unbind;
  readonly channel: number;
  /** An ErrorCode, or `done` when the pipe was closed in good order. Unknown codes read as `refused`. */
  readonly code: string;
  readonly reason: string;
}

export interface PingFrame {
  readonly type: typeof FrameType.ping;
  readonly token: number;
}

export interface PongFrame {
  readonly type: typeof FrameType.pong;
  readonly token: number;
}

export interface RekeyFrame {
  readonly type: typeof FrameType.rekey;
}

export interface CloseFrame {
  readonly type: typeof FrameType.close;
  readonly code: string;
  readonly reason: string;
}

/** Every frame but DATA and DATA_MORE, which are encoded and decoded by hand. */
export type ControlFrame =
  | AckFrame
  | BindFrame
  | BoundFrame
  | ConfirmFrame
  | UnbindFrame
  | PingFrame
  | PongFrame
  | RekeyFrame
  | CloseFrame;

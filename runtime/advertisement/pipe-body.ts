import { PipevineError } from '../error/pipevine-error.ts';
import type { PipeKind } from '../pipe/pipe.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { PipeKindCode } from '../wire/frame.ts';
import { readMap } from '../wire/shape.ts';
import { MAX_BODY_BYTES } from './advertisement-defaults.ts';

const KINDS = new Map<number, PipeKind>([
  [PipeKindCode.unicast, 'unicast'],
  [PipeKindCode.reliable, 'reliable'],
  [PipeKindCode.secure, 'secure'],
  [PipeKindCode.request, 'request'],
  [PipeKindCode.bidirectional, 'bidirectional'],
]);

/** The body of a `pipe` advertisement: its publisher listens under the advertisement's name. */
export interface PipeBody {
  readonly kind: PipeKind;
}

/** `{1: code of the kind as in BIND}`. */
export function encodePipeBody(body: PipeBody): Uint8Array {
  return encodeCanonical(new Map([[1, PipeKindCode[body.kind]]]));
}

/** Throws `malformed`, or `unsupported` for a kind of a later version. */
export function decodePipeBody(bytes: Uint8Array): PipeBody {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_BODY_BYTES }), 'The body of a pipe advertisement');
  const code = reader.integer(1, 'kind');
  const kind = KINDS.get(code);
  if (kind === undefined) throw new PipevineError('unsupported', `Pipe kind ${code} is unknown; update Pipevine.`);
  return { kind };
}

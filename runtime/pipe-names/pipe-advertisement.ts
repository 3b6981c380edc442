import type { Advertisement, AdvertisementInit } from '../advertisement/advertisement.ts';
import { decodePipeBody, encodePipeBody } from '../advertisement/pipe-body.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type FoundPipe, NAMED_PIPE_KINDS, type NamedPipeKind } from './named-pipes.ts';
import { PIPE_EXPIRATION_MS } from './pipe-names-defaults.ts';

/**
 * What a peer publishes that listens under a name: a `pipe` advertisement with the name as key and name, and the kind as
 * attribute and in its body. A propagate pipe, which nobody binds, has no body.
 */
export function pipeAdvertisementInit(name: string, kind: NamedPipeKind): Omit<AdvertisementInit, 'group'> {
  return {
    kind: 'pipe',
    key: name,
    name,
    attributes: { kind },
    body: kind === 'propagate' ? new Uint8Array(0) : encodePipeBody({ kind }),
    lifetimeMs: PIPE_EXPIRATION_MS,
    expirationMs: PIPE_EXPIRATION_MS,
  };
}

/** Undefined for one that another program made, or a later version. */
export function foundPipe({ name, publisher, attributes, body }: Advertisement): FoundPipe | undefined {
  const kind = NAMED_PIPE_KINDS.find((one) => one === attributes.get('kind'));
  if (kind === undefined) return undefined;
  try {
    if (kind !== 'propagate' && decodePipeBody(body).kind !== kind) return undefined;
  } catch (error) {
    if (!(error instanceof PipevineError)) throw error;
    return undefined;
  }
  return { name, kind, peer: publisher };
}

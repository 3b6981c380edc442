import { PipeKindCode } from '../wire/frame.ts';
import type { PipeKind } from './pipe.ts';

/** The kind that a code on the wire stands for. */
export function kindOfCode(code: PipeKindCode): PipeKind {
  switch (code) {
    case PipeKindCode.unicast:
      return 'unicast';
    case PipeKindCode.reliable:
      return 'reliable';
    case PipeKindCode.secure:
      return 'secure';
    case PipeKindCode.request:
      return 'request';
    case PipeKindCode.bidirectional:
      return 'bidirectional';
  }
}

export function codeOfKind(kind: PipeKind): PipeKindCode {
  return PipeKindCode[kind];
}

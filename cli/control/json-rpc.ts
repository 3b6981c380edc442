/**
 * The language between commands and the daemon: JSON-RPC 2.0, one JSON text a line, over the local control socket.
 *
 *   -> {"jsonrpc":"2.0","id":1,"method":"read","params":{...}}
 *   <- {"jsonrpc":"2.0","id":1,"result":{...}}
 *   <- {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"...","data":{"code":"not-found"}}}
 *
 * A method that streams sends its items before its result, and ends early when the client asks for that:
 *
 *   <- {"jsonrpc":"2.0","method":"item","params":{"id":1,"value":{...}}}
 *   -> {"jsonrpc":"2.0","method":"cancel","params":{"id":1}}
 */
import { type ErrorCode, type JsonValue, PipevineError } from '@pipevine/runtime';

/** Longest line either side takes. A value of a property can be an image in base64; a Thing Description has 48 KiB. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Numbers of JSON-RPC 2.0, section 5.1; -32000 is any error of Pipevine, its own code stands in `data`. */
export const RPC_ERROR = { parse: -32700, invalidRequest: -32600, unknownMethod: -32601, pipevine: -32000 } as const;

export type Params = { readonly [name: string]: JsonValue };

export interface RpcRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Params;
}

export type ClientLine = ({ readonly type: 'request' } & RpcRequest) | { readonly type: 'cancel'; readonly id: number };

export type ServerLine =
  | { readonly type: 'result'; readonly id: number; readonly result: JsonValue }
  | { readonly type: 'error'; readonly id: number | null; readonly error: PipevineError }
  | { readonly type: 'item'; readonly id: number; readonly value: JsonValue };

export const requestLine = (id: number, method: string, params: Params) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
export const cancelLine = (id: number) => `${JSON.stringify({ jsonrpc: '2.0', method: 'cancel', params: { id } })}\n`;
export const resultLine = (id: number, result: JsonValue) => `${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`;
export const itemLine = (id: number, value: JsonValue) =>
  `${JSON.stringify({ jsonrpc: '2.0', method: 'item', params: { id, value } })}\n`;

export function errorLine(id: number | null, error: unknown, number: number = RPC_ERROR.pipevine): string {
  const code: ErrorCode = error instanceof PipevineError ? error.code : 'internal';
  const message = error instanceof Error ? error.message : String(error);
  return `${JSON.stringify({ jsonrpc: '2.0', id, error: { code: number, message, data: { code } } })}\n`;
}

/** Reads a client's line; throws `malformed`. */
export function parseClientLine(line: string): ClientLine {
  const { method, id, params } = parseObject(line);
  if (typeof method !== 'string') throw new PipevineError('malformed', 'expected a JSON-RPC request with a method');
  const given = params ?? {};
  if (!isObject(given)) throw new PipevineError('malformed', `"${method}": expected params to be an object`);
  if (method === 'cancel' && typeof given.id === 'number') return { type: 'cancel', id: given.id };
  if (typeof id !== 'number') throw new PipevineError('malformed', `"${method}": expected a number as id`);
  return { type: 'request', id, method, params: given };
}

/** Reads a server's line; throws `malformed`. */
export function parseServerLine(line: string): ServerLine {
  const message = parseObject(line);
  const { id, method, params, error, result } = message;
  if (method === 'item' && isObject(params) && typeof params.id === 'number' && params.value !== undefined) {
    return { type: 'item', id: params.id, value: params.value };
  }
  if (isObject(error)) {
    const data = isObject(error.data) ? error.data : {};
    const code = (typeof data.code === 'string' ? data.code : 'internal') as ErrorCode; // our own daemon wrote it
    return {
      type: 'error',
      id: typeof id === 'number' ? id : null,
      error: new PipevineError(code, typeof error.message === 'string' ? error.message : 'the daemon gave no reason'),
    };
  }
  if (typeof id === 'number' && result !== undefined) return { type: 'result', id, result };
  throw new PipevineError('malformed', `the daemon sent what is no JSON-RPC: ${line.slice(0, 80)}`);
}

function parseObject(line: string): Params {
  let value: JsonValue;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new PipevineError('malformed', `expected one JSON object a line, not ${line.slice(0, 80)}`, { cause });
  }
  if (!isObject(value)) throw new PipevineError('malformed', 'expected one JSON object a line');
  return value;
}

const isObject = (value: JsonValue | undefined): value is Params =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

import { validateHeaderName, validateHeaderValue } from 'node:http';
import { PipevineError } from '@pipevine/runtime';

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
/** Of the connection, not of the request (RFC 9110 section 7.6.1); the length follows from the body. */
const OWN = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-node-red-request-node',
]);

export function methodFrom(given: unknown): string {
  const method = String(given ?? 'GET').toUpperCase();
  if (METHOD.test(method) && method !== 'CONNECT') return method;
  throw new PipevineError('invalid-argument', `"${String(given)}" is no method; expected one like GET or POST.`);
}

/** Path and query, encoded. `query` is added to what the path has. */
export function pathFrom(given: string, query: unknown): string {
  const wrong = () =>
    new PipevineError('invalid-argument', `"${given.slice(0, 80)}" is no path; expected one like /status?room=2.`);
  if (!given.startsWith('/') || given.startsWith('//') || given.includes('\\')) throw wrong();
  if (!URL.canParse(given, 'http://localhost')) throw wrong();
  const url = new URL(given, 'http://localhost');
  if (url.host !== 'localhost') throw wrong();
  if (query === undefined || query === null || query === '') return url.pathname + url.search;
  if (typeof query !== 'object' || Array.isArray(query)) {
    throw new PipevineError('invalid-argument', 'A query is an object of names and values.');
  }
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === undefined || one === null) continue;
      url.searchParams.append(name, typeof one === 'object' ? JSON.stringify(one) : String(one));
    }
  }
  return url.pathname + url.search;
}

/** Later ones win. Throws `invalid-argument` for what would not be one header. */
export function headersFrom(...all: readonly unknown[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const given of all) {
    if (given === undefined || given === null || given === '') continue;
    if (typeof given !== 'object' || Array.isArray(given)) {
      throw new PipevineError('invalid-argument', 'Headers are an object of names and values.');
    }
    for (const [name, value] of Object.entries(given)) {
      const lower = name.toLowerCase();
      if (OWN.has(lower) || value === undefined || value === null) continue;
      const values = (Array.isArray(value) ? value : [value]).map(String);
      try {
        validateHeaderName(name);
        for (const one of values) validateHeaderValue(name, one);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new PipevineError('invalid-argument', `The header "${name.slice(0, 80)}" cannot be sent: ${reason}`, {
          cause,
        });
      }
      headers[lower] = values.length === 1 && values[0] !== undefined ? values[0] : values;
    }
  }
  return headers;
}

/** Bytes of the payload, and what they are unless a header says it. */
export function bodyFrom(payload: unknown): {
  readonly body: Uint8Array | undefined;
  readonly type: string | undefined;
} {
  if (payload === undefined || payload === null || payload === '') return { body: undefined, type: undefined };
  if (payload instanceof Uint8Array) return { body: payload, type: 'application/octet-stream' };
  if (typeof payload === 'string') return { body: Buffer.from(payload), type: 'text/plain; charset=utf-8' };
  try {
    const text = JSON.stringify(payload);
    if (text !== undefined) return { body: Buffer.from(text), type: 'application/json' };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PipevineError('malformed', `The payload is no JSON value: ${reason}`, { cause });
  }
  throw new PipevineError('malformed', `A ${typeof payload} cannot be sent.`);
}

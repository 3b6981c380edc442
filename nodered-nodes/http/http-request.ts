import { type Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { PipevineError } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import { MAX_HEADER_BYTES } from './http-expose-defaults.ts';

/** Largest body of an answer, in bytes. */
export const MAX_ANSWER_BYTES = 16 * 1_048_576;

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Uint8Array | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Doing it twice is the same as once (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/**
 * One request, one answer; redirects are answers. Rejects with `timeout`, `aborted`, `too-large`, `protocol`, `closed` (the pipe broke
 * while it waited), or what keeps the agent from connecting.
 */
export async function sendHttp(
  agent: Agent,
  request: HttpRequest,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<HttpAnswer> {
  const late = AbortSignal.timeout(timeoutMs);
  for (;;) {
    let reused = false;
    try {
      return await attempt(agent, request, AbortSignal.any([signal, late]), (was) => {
        reused = was;
      });
    } catch (cause) {
      if (signal.aborted) throw new PipevineError('aborted', 'Nobody waits for the answer any more.', { cause });
      if (late.aborted) throw new PipevineError('timeout', `No answer within ${timeoutMs / 1000} s.`, { cause });
      const error = failure(cause);
      // The other side gives an idle connection up at a time of its own choice.
      if (!(reused && error.code === 'closed' && IDEMPOTENT.has(request.method))) throw error;
    }
  }
}

function attempt(
  agent: Agent,
  { method, path, headers, body }: HttpRequest,
  signal: AbortSignal,
  onSocket: (reused: boolean) => void,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined || body.length === 0 ? {} : { 'Content-Length': body.length };
    const sent = httpRequest({
      agent,
      method,
      path,
      host: 'localhost',
      headers: { ...headers, ...length },
      signal,
      insecureHTTPParser: false,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    sent.once('socket', () => onSocket(sent.reusedSocket));
    sent.on('error', reject);
    sent.once('response', (answer) => {
      whole(answer).then(
        (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }),
        (error) => {
          sent.destroy();
          reject(error);
        },
      );
    });
    sent.end(body);
  });
}

async function whole(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    const bytes = chunk as Buffer; // no encoding is set
    length += bytes.length;
    if (length > MAX_ANSWER_BYTES) {
      throw new PipevineError('too-large', `An answer has at most ${MAX_ANSWER_BYTES} bytes; ask for it in parts.`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function failure(cause: unknown): PipevineError {
  if (cause instanceof PipevineError) return cause;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (code.startsWith('HPE_')) {
    return new PipevineError('protocol', `What came is no HTTP answer: ${message}`, { cause });
  }
  if (code === 'ECONNRESET') return new PipevineError('closed', 'The connection broke before the answer.', { cause });
  return pipevineFailure(cause);
}

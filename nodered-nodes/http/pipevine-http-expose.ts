import type { IncomingMessage, ServerResponse } from 'node:http';
import { PipevineError } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import type { NodeAPI } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import {
  DEFAULT_BODY_BYTES,
  DEFAULT_TIMEOUT_SECONDS,
  MAX_BODY_BYTES,
  MAX_TIMEOUT_SECONDS,
} from './http-expose-defaults.ts';
import { HttpExposure } from './http-exposure.ts';
import { hasHttpIn, wantsRawBody } from './http-in-routes.ts';
import { httpNodeGate } from './http-node-auth.ts';
import { plainPath } from './request-check.ts';

export interface HttpExposeConfig {
  /** The name of the pipe. */
  readonly pipe: string;
  /** Comma-separated; empty: every `http in`, and nothing else. */
  readonly paths?: string;
  /** Comma-separated; empty: every member. */
  readonly roles?: string;
  /** `settings`: Node-RED's httpNodeAuth as well. `members`: membership and roles are enough. */
  readonly auth?: string;
  readonly maxMegabytes?: unknown;
  /** Seconds. */
  readonly timeout?: unknown;
}

const MEGABYTE = 1_048_576;

export default function pipevineHttpExpose(RED: NodeAPI): void {
  defineNode<HttpExposeConfig>(RED, 'pipevine-http-expose', ({ config, status }) => {
    const name = (config.pipe ?? '').trim();
    if (name === '') throw new PipevineError('invalid-argument', 'The name of the pipe is missing.');
    const prefixes = listed(config.paths).map(prefix);
    const megabytes = seconds(config.maxMegabytes, DEFAULT_BODY_BYTES / MEGABYTE, MAX_BODY_BYTES / MEGABYTE);
    const app = RED.httpNode as unknown as {
      (request: IncomingMessage, response: ServerResponse): void;
      readonly parent?: unknown;
    };
    const init = {
      app,
      serves: (method: string, path: string) =>
        prefixes.length === 0
          ? hasHttpIn(RED, method, path)
          : prefixes.some((one) => path === one || path.startsWith(one === '/' ? one : `${one}/`)),
      // Where nothing is above it, Node-RED's own reader of raw bodies is in the app.
      wantsRawBody: (method: string, path: string) => app.parent !== undefined && wantsRawBody(RED, method, path),
      roles: listed(config.roles),
      gate: config.auth === 'members' ? undefined : httpNodeGate(RED),
      maxBodyBytes: megabytes * MEGABYTE,
      timeoutMs: seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000,
    };

    return {
      whileMember: async (group, signal) => {
        const exposure = new HttpExposure(init);
        const listener = await group.namedPipes.listen({ name, kind: 'secure' }, (pipe) => exposure.accept(pipe));
        status.succeeded();
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          else signal.addEventListener('abort', () => resolve(), { once: true });
        });
        await Promise.all([listener.close(), exposure.close()]);
      },
    };
  });
}

const listed = (text: string | undefined) =>
  (text ?? '')
    .split(/[,\n]/)
    .map((one) => one.trim())
    .filter((one) => one !== '');

function prefix(text: string): string {
  const path = plainPath(encodeURI(text));
  if (path === undefined) throw new PipevineError('invalid-argument', `"${text}" is no path; write it like /api.`);
  return path === '/' ? path : path.replace(/\/+$/, '');
}

import { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NodeAPI } from '../node/red.ts';
import { httpNodeGate } from './http-node-auth.ts';

const require = createRequire(import.meta.url);
const coreNodesDir = dirname(require.resolve('@node-red/nodes/package.json'));
const bcrypt: { hashSync(password: string, rounds: number): string } = createRequire(require.resolve('node-red'))(
  'bcryptjs',
);

/** Settings and an app of Express's form. */
const red = (settings: object) =>
  ({
    settings: { coreNodesDir, ...settings },
    httpNode: { request: { express: 'yes' }, response: {} },
  }) as unknown as NodeAPI;

/** Whether a request with these headers is let through; else the status. */
async function passes(RED: NodeAPI, headers: Record<string, string> = {}): Promise<true | number> {
  const request = new IncomingMessage(new Socket());
  Object.assign(request.headers, headers);
  const response = new ServerResponse(request);
  return new Promise((resolve, reject) => {
    // Nothing is sent: the socket leads nowhere.
    response.end = (() => {
      resolve(response.statusCode);
      return response;
    }) as typeof response.end;
    httpNodeGate(RED)?.(request, response, (error) => (error === undefined ? resolve(true) : reject(error)));
  });
}

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

describe('httpNodeGate', () => {
  it('is not there without the setting', () => {
    expect(httpNodeGate(red({}))).toBeUndefined();
    expect(httpNodeGate(red({ httpNodeAuth: false }))).toBeUndefined();
  });

  it("checks the hash that Node-RED's own check takes", async () => {
    const RED = red({ httpNodeAuth: { user: 'me', pass: bcrypt.hashSync('pa:ss', 4) } });
    expect(await passes(RED, basic('me:pa:ss'))).toBe(true);
    for (const wrong of ['me:pa', 'you:pa:ss', 'me', ':']) expect(await passes(RED, basic(wrong))).toBe(401);
    expect(await passes(RED)).toBe(401);
    expect(await passes(RED, { authorization: 'Bearer x' })).toBe(401);
  });

  it('runs middlewares one after the other, as Express would', async () => {
    const seen: unknown[] = [];
    const one = (request: { express?: string }, response: { locals?: object }, next: () => void) => {
      seen.push(request.express, response.locals);
      next();
    };
    const no = (_request: unknown, response: ServerResponse) => {
      response.statusCode = 403;
      response.end();
    };
    expect(await passes(red({ httpNodeAuth: one }))).toBe(true);
    expect(seen).toEqual(['yes', {}]);
    expect(await passes(red({ httpNodeAuth: [one, no] }))).toBe(403);
  });

  it('does not serve at all what it cannot check', () => {
    const unsupported = expect.objectContaining({ code: 'unsupported' });
    expect(() => httpNodeGate(red({ httpNodeAuth: { user: 'me' } }))).toThrow(unsupported);
    const lost = red({ coreNodesDir: '/nowhere', httpNodeAuth: { user: 'me', pass: bcrypt.hashSync('x', 4) } });
    expect(() => httpNodeGate(lost)).toThrow(unsupported);
  });
});

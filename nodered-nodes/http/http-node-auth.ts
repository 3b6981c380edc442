import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PipevineError } from '@pipevine/runtime';
import type { NodeAPI } from '../node/red.ts';

/** As Express calls a middleware. */
export type HttpGate = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * What Node-RED's setting `httpNodeAuth` asks of every `http in`: there it stands in front of them, so here it must be asked again.
 * Undefined when nothing is set. Throws `unsupported` when the password's hash cannot be checked.
 */
export function httpNodeGate(RED: NodeAPI): HttpGate | undefined {
  const { httpNodeAuth: setting, coreNodesDir } = RED.settings as unknown as {
    readonly httpNodeAuth?: unknown;
    readonly coreNodesDir?: string;
  };
  if (setting === undefined || setting === null || setting === false) return undefined;
  if (typeof setting === 'function') return asExpress(RED, [setting as HttpGate]);
  if (Array.isArray(setting))
    return asExpress(
      RED,
      setting.filter((one) => typeof one === 'function'),
    );
  const { user, pass } = setting as { readonly user?: unknown; readonly pass?: unknown };
  if (typeof user !== 'string' || typeof pass !== 'string') throw cannotCheck('it has no user and pass');
  return basicGate(user, passwordCheck(pass, coreNodesDir));
}

/** One after the other, with what Express adds to a request. */
function asExpress(RED: NodeAPI, gates: readonly HttpGate[]): HttpGate {
  return (request, response, next) => {
    const app = RED.httpNode as unknown as { readonly request: object; readonly response: object };
    Object.setPrototypeOf(request, app.request);
    Object.setPrototypeOf(response, app.response);
    Object.assign(request, { res: response });
    Object.assign(response, { locals: Object.create(null) });
    const step = (at: number) => (error?: unknown) => {
      const gate = gates[at];
      if (error !== undefined && error !== null) next(error);
      else if (gate === undefined) next();
      else gate(request, response, step(at + 1));
    };
    step(0)();
  };
}

function basicGate(user: string, check: (password: string) => Promise<boolean>): HttpGate {
  return (request, response, next) => {
    const given = basicCredentials(request.headers.authorization);
    const decide = given?.user === user ? check(given.password) : Promise.resolve(false);
    decide.then((right) => {
      if (right) return next();
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="Authorization Required"' }).end('Unauthorized');
    }, next);
  };
}

/** RFC 7617. */
function basicCredentials(
  header: string | undefined,
): { readonly user: string; readonly password: string } | undefined {
  const encoded = /^basic ([a-z0-9+/=_-]{1,2048})$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return rest.length === 0 ? undefined : { user, password: rest.join(':') };
}

/** The setting holds a bcrypt hash, or, from long ago, an MD5 one. */
function passwordCheck(hash: string, coreNodesDir: string | undefined): (password: string) => Promise<boolean> {
  if (/^[0-9a-f]{32}$/i.test(hash)) {
    const wanted = Buffer.from(hash, 'hex');
    return async (password) => timingSafeEqual(createHash('md5').update(password, 'utf8').digest(), wanted);
  }
  const bcrypt = nodeRedBcrypt(coreNodesDir);
  let right: Buffer | undefined;
  return async (password) => {
    const digest = createHash('sha256').update(password, 'utf8').digest();
    if (right !== undefined && timingSafeEqual(digest, right)) return true;
    const matches = await bcrypt.compare(password, hash);
    if (matches) right = digest;
    return matches;
  };
}

interface Bcrypt {
  compare(password: string, hash: string): Promise<boolean>;
}

/** The one that Node-RED itself checks passwords with. */
function nodeRedBcrypt(coreNodesDir: string | undefined): Bcrypt {
  try {
    return createRequire(join(coreNodesDir ?? process.cwd(), 'package.json'))('bcryptjs') as Bcrypt;
  } catch {
    throw cannotCheck("Node-RED's own bcryptjs is not found");
  }
}

function cannotCheck(why: string): PipevineError {
  const advice = 'let the node ask for membership and roles only, or make httpNodeAuth a function';
  return new PipevineError(
    'unsupported',
    `The password of the setting httpNodeAuth cannot be checked, as ${why}: ${advice}.`,
  );
}

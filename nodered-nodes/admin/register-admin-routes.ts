import type { ErrorCode } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { NodeAPI } from '../node/red.ts';
import type { AdminRoute } from './admin-route.ts';
import { ADMIN_ROUTES } from './admin-routes.ts';

/** What the handlers use of Express. */
interface Request {
  readonly params: Record<string, string>;
  readonly query: Record<string, unknown>;
  readonly body: unknown;
}
interface Response {
  readonly writableEnded: boolean;
  on(event: 'close', listener: () => void): unknown;
  status(code: number): Response;
  json(body: unknown): void;
}
type Handler = (request: Request, response: Response, next?: () => void) => void;
type Register = (path: string, ...handlers: Handler[]) => void;

const HTTP_STATUS: Partial<Record<ErrorCode, number>> = {
  'invalid-argument': 400,
  'invalid-address': 400,
  malformed: 400,
  refused: 403,
  'permission-denied': 403,
  'not-found': 404,
  busy: 409,
  unsupported: 501,
  timeout: 504,
  unreachable: 503,
};

/** Registers each route behind Node-RED's check of the permission. */
export function registerAdminRoutes(RED: NodeAPI): void {
  for (const route of ADMIN_ROUTES) {
    // Both have this form; Express's own types come in two versions.
    const register = RED.httpAdmin[route.method].bind(RED.httpAdmin) as unknown as Register;
    const guard = RED.auth.needsPermission(route.permission) as unknown as Handler;
    register(route.path, guard, (request, response) => void answer(RED, route, request, response));
  }
}

async function answer(RED: NodeAPI, route: AdminRoute, request: Request, response: Response): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const { params, query, body } = request;
  try {
    const result = await route.handle({ RED, params, query, body, signal: gone.signal });
    if (!response.writableEnded && !gone.signal.aborted) response.json(result);
  } catch (cause) {
    const { code, message } = pipevineFailure(cause);
    if (!response.writableEnded && !gone.signal.aborted) {
      response.status(HTTP_STATUS[code] ?? 500).json({ code, message });
    }
  }
}

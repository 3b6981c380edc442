import type { NodeAPI } from '../node/red.ts';

/** What a route is asked with; the parameters and the body are as the browser sent them. */
export interface AdminRequest {
  readonly RED: NodeAPI;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Aborted when the browser hangs up. */
  readonly signal: AbortSignal;
}

/** One route of the editor's API, below Node-RED's admin root. GET changes nothing. */
export interface AdminRoute {
  readonly method: 'get' | 'post';
  /** With a slash in front, and `:name` for parameters. */
  readonly path: `/pipevine/${string}`;
  readonly permission: 'pipevine.read' | 'pipevine.write';
  /** Resolves to what is sent as JSON. A PipevineError becomes `{code, message}` and a status of HTTP. */
  handle(request: AdminRequest): Promise<unknown>;
}

import type { RedProcess } from './red-process.ts';

export type FlowPart = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

const place = { x: 200, y: 100 };

export const tab = (id: string): FlowPart => ({ id, type: 'tab', label: id });

/** An inject node that fires at its button, and every so many seconds. Its payload is the time. */
export const inject = (id: string, z: string, to: readonly string[], everySeconds?: number): FlowPart => ({
  ...place,
  id,
  type: 'inject',
  z,
  props: [{ p: 'payload' }],
  payload: '',
  payloadType: 'date',
  repeat: everySeconds === undefined ? '' : String(everySeconds),
  once: false,
  wires: [to],
});

export const debug = (id: string, z: string, shown = 'payload'): FlowPart => ({
  ...place,
  id,
  type: 'debug',
  z,
  active: true,
  tosidebar: true,
  console: false,
  tostatus: false,
  complete: shown,
  targetType: shown === 'true' ? 'full' : 'msg',
  wires: [],
});

/** `body` is what a function node runs. */
export const code = (id: string, z: string, body: string, to: readonly string[]): FlowPart => ({
  ...place,
  id,
  type: 'function',
  z,
  func: body,
  outputs: 1,
  libs: [],
  wires: [to],
});

export const catching = (id: string, z: string, scope: readonly string[], to: readonly string[]): FlowPart => ({
  ...place,
  id,
  type: 'catch',
  z,
  scope,
  uncaught: false,
  wires: [to],
});

export const pipeOut = (id: string, z: string, peer: string, pipe: string): FlowPart => ({
  ...place,
  id,
  type: 'pipevine-pipe-out',
  z,
  peer,
  pipe,
  pipeType: 'str',
  kind: 'secure',
  format: 'json',
  payload: 'payload',
  payloadType: 'msg',
  wires: [],
});

export const pipeIn = (id: string, z: string, peer: string, pipe: string, to: readonly string[]): FlowPart => ({
  ...place,
  id,
  type: 'pipevine-pipe-in',
  z,
  peer,
  pipe,
  kind: 'secure',
  format: 'json',
  wires: [to],
});

/** Appends a line of JSON for each message. */
export const record = (id: string, z: string, file: string): FlowPart[] => [
  code(id, z, 'return { payload: JSON.stringify(msg.payload) };', [`${id}-file`]),
  {
    ...place,
    id: `${id}-file`,
    type: 'file',
    z,
    filename: file,
    filenameType: 'str',
    appendNewline: true,
    createDir: false,
    overwriteFile: 'false',
    encoding: 'none',
    wires: [[]],
  },
];

/** Presses the button of an inject node, with another payload. */
export async function press(red: RedProcess, id: string, payload: unknown): Promise<void> {
  const props = [{ p: 'payload', v: JSON.stringify(payload), vt: 'json' }];
  const response = await fetch(`${red.url}/inject/${id}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ __user_inject_props__: props }),
  });
  if (!response.ok) throw new Error(`inject ${id}: ${response.status}`);
}

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Node, NodeAPI, NodeMessage } from '../node/red.ts';
import pipevinePeer from '../peer/pipevine-peer.ts';
import { catalogueText } from './catalogue-texts.ts';

export type FlowNode = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };
export type Credentials = Readonly<Record<string, Readonly<Record<string, string>>>>;
export type NodeModule = (RED: NodeAPI) => void;

/** What is used of node-red-node-test-helper, which has no types. */
interface Helper {
  settings(settings: object): object;
  load(modules: readonly NodeModule[], flow: readonly FlowNode[], credentials: Credentials): Promise<void>;
  setFlows(flow: readonly FlowNode[], type: 'full' | 'nodes' | 'flows', credentials: Credentials): Promise<void>;
  unload(): Promise<void>;
  getNode(id: string): Node | null;
  startServer(): Promise<void>;
  stopServer(): Promise<void>;
  request(): { get(path: string): AdminCall; post(path: string): AdminCall };
}
interface AdminCall extends Promise<{ readonly status: number; readonly body: unknown }> {
  send(body: object): AdminCall;
}

const helper: Helper = createRequire(import.meta.url)('node-red-node-test-helper');

export interface FlowTestInit {
  /** Besides the config node, whose module is always there. */
  readonly nodes: readonly NodeModule[];
  readonly flow: readonly FlowNode[];
  readonly credentials?: Credentials;
  /** Of TestOverlay.folder. */
  readonly userDir: string;
}

/** A Node-RED without editor that runs a flow of our nodes from their sources. Nodes of type `helper` end its wires. */
export interface FlowTest extends AsyncDisposable {
  node<T extends Node = Node>(id: string): T;
  /** A message into a node. */
  send(id: string, msg: NodeMessage): void;
  /** Resolves with the messages that the helper node `id` got since the start, once there are `count`. */
  received(id: string, count: number): Promise<readonly NodeMessage[]>;
  /** Resolves once a node's status, as sent to the editor, has a text with `part` in it. */
  status(id: string, part: string): Promise<void>;
  /** Resolves with the errors that a node has reported since the start, once there are `count`. */
  errors(id: string, count: number): Promise<readonly Error[]>;
  deploy(flow: readonly FlowNode[], type?: 'full' | 'nodes' | 'flows', credentials?: Credentials): Promise<void>;
  get(path: string): Promise<{ readonly status: number; readonly body: unknown }>;
  post(path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }>;
}

const withTexts =
  (module: NodeModule): NodeModule =>
  (RED) =>
    module(Object.assign(RED, { _: catalogueText }));

const WAIT_MS = 20_000;

/** One at a time in a process. */
export async function startFlow(init: FlowTestInit): Promise<FlowTest> {
  const { nodes, flow, credentials = {}, userDir } = init;
  mkdirSync(userDir, { recursive: true });
  helper.settings({ userDir, logging: { console: { level: 'off' } } });
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => void rejections.push(reason);
  process.on('unhandledRejection', onRejection);

  const inboxes = new Map<string, NodeMessage[]>();
  const errors = new Map<string, Error[]>();
  const statuses = new Map<string, string>();
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of [...waiting]) look();
  };
  const watch = (parts: readonly FlowNode[]) => {
    for (const { id, type } of parts) {
      const node = helper.getNode(id);
      if (node === null) continue;
      // Emitted by the test helper after each call of `node.status`.
      const onStatus = ({ args: [shown] }: { readonly args: readonly [{ readonly text?: string }] }) => {
        statuses.set(id, shown.text ?? '');
        wake();
      };
      const emitter = node as unknown as { on(event: string, listener: (call: never) => void): void };
      emitter.on('call:status', onStatus);
      const reported = errors.get(id) ?? [];
      errors.set(id, reported);
      const onError = ({ args: [error] }: { readonly args: readonly [Error] }) => {
        reported.push(error);
        wake();
      };
      emitter.on('call:error', onError);
      if (type !== 'helper') continue;
      const inbox = inboxes.get(id) ?? [];
      inboxes.set(id, inbox);
      node.on('input', (msg, _send, done) => {
        inbox.push(msg);
        done();
        wake();
      });
    }
  };
  const until = async (what: string, holds: () => boolean) => {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!holds()) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(look);
        reject(new Error(`${what} did not come within ${WAIT_MS / 1000} s`));
      }, WAIT_MS);
      waiting.add(look);
      look();
    });
  };

  await helper.startServer();
  await helper.load([pipevinePeer, ...nodes].map(withTexts), flow, credentials);
  watch(flow);
  return {
    node: <T extends Node>(id: string) => {
      const node = helper.getNode(id);
      if (node === null) throw new Error(`no node ${id}`);
      // The caller knows what it deployed.
      return node as T;
    },
    send: (id, msg) => helper.getNode(id)?.receive(msg),
    received: async (id, count) => {
      const inbox = inboxes.get(id) ?? [];
      await until(`message ${count} at ${id}, which has ${inbox.length},`, () => inbox.length >= count);
      return inbox;
    },
    status: (id, part) => until(`status "${part}" of ${id}`, () => statuses.get(id)?.includes(part) === true),
    errors: async (id, count) => {
      const reported = errors.get(id) ?? [];
      await until(`error ${count} of ${id}`, () => reported.length >= count);
      return reported;
    },
    deploy: async (next, type = 'full', given = credentials) => {
      const kept = new Set(next.map(({ id }) => id).filter((id) => helper.getNode(id) !== null));
      const before = new Map([...kept].map((id) => [id, helper.getNode(id)]));
      await helper.setFlows(next, type, given);
      watch(next.filter(({ id }) => before.get(id) !== helper.getNode(id)));
    },
    get: async (path) => helper.request().get(path),
    post: async (path, body = {}) => helper.request().post(path).send(body),
    [Symbol.asyncDispose]: async () => {
      await helper.unload();
      await helper.stopServer();
      process.off('unhandledRejection', onRejection);
      if (rejections.length > 0) throw new AggregateError(rejections, 'unhandled rejections');
    },
  };
}

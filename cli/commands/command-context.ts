import { type JsonValue, PipevineError } from '@pipevine/runtime';
import type { CommandSpec } from '../arguments/command-spec.ts';
import type { Environment, Settings } from '../config/settings.ts';
import { ControlClient } from '../control/control-client.ts';
import type { ControlMethods } from '../control/control-server.ts';
import type { Params } from '../control/json-rpc.ts';
import type { BoardModule } from '../daemon/board-thing.ts';
import type { ControlledDaemon } from '../daemon/control-methods.ts';
import type { GatewayModule } from '../daemon/devices.ts';
import type { Reach } from '../daemon/open-peer.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import type { Input } from '../input/input.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';

/** What a build for edges leaves out: commands, and the daemon's methods behind them. */
export interface MoreCommands {
  readonly commands: readonly CommandSpec[];
  loadMethods(): Promise<(daemon: ControlledDaemon) => ControlMethods>;
}

/** Loads what reaches others besides over TCP. */
export type ReachLoader = () => Promise<(settings: Settings, env: Environment, warn: (text: string) => void) => Reach>;

/** What every command gets. */
export interface CommandContext {
  readonly settings: Settings;
  readonly output: Output;
  readonly env: Environment;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  readonly input: Input;
  readonly moreCommands?: MoreCommands;
  readonly loadGateway?: () => Promise<GatewayModule>;
  readonly loadReach?: ReachLoader;
  readonly loadBoard?: () => Promise<BoardModule>;
  readonly drawQrCode?: (text: string) => Promise<string>;
}

/** The daemon's own deadlines are the real ones; this is for a daemon that hangs. */
const MARGIN_MS = 5_000;
const DEFAULT_TIMEOUT_MS = 20_000;

/** A way to the running daemon; rejects with `unreachable`, saying how to start one, when there is none. */
export async function connectDaemon({ settings }: CommandContext): Promise<ControlClient> {
  const client = await ControlClient.connect(controlSocketOf(settings.home));
  if (client !== undefined) return client;
  throw new PipevineError(
    'unreachable',
    `no pipevine is running on ${settings.home}; start one with: pipevine up --home ${settings.home}`,
  );
}

/** One question to the daemon. */
export async function askDaemon(context: CommandContext, method: string, params: Params = {}): Promise<JsonValue> {
  const client = await connectDaemon(context);
  try {
    const { timeoutMs } = context.settings;
    return await client.call(method, withTimeout(params, timeoutMs), {
      timeoutMs: (timeoutMs ?? DEFAULT_TIMEOUT_MS) + MARGIN_MS,
      signal: context.signal,
    });
  } finally {
    client.close();
  }
}

/** A question whose answer is a list. */
export async function* listFromDaemon(
  context: CommandContext,
  method: string,
  params: Params = {},
): AsyncGenerator<Params> {
  const client = await connectDaemon(context);
  try {
    const { timeoutMs } = context.settings;
    const items = client.stream(method, withTimeout(params, timeoutMs), {
      timeoutMs: (timeoutMs ?? DEFAULT_TIMEOUT_MS) + MARGIN_MS,
      signal: context.signal,
    });
    for await (const item of items) yield item as Params; // the daemon's methods emit objects
  } finally {
    client.close();
  }
}

export function withTimeout(params: Params, timeoutMs: number | undefined): Params {
  return timeoutMs === undefined ? params : { ...params, timeoutMs };
}

export const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');
/** A text of others, for a terminal. */
export const nameOf = (value: JsonValue | undefined): string => printable(textOf(value));
export const listOf = (value: JsonValue | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
/** The part of a URN that people can tell apart. */
export const shortId = (id: JsonValue | undefined): string =>
  textOf(id)
    .replace(/^urn:pipevine:\w+:/, '')
    .slice(0, 8);
/** The items that are objects. */
export const objectsOf = (value: JsonValue | undefined): readonly Params[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null && !Array.isArray(item)) : [];

import { randomUUID } from 'node:crypto';
import {
  type FoundPipe,
  type GroupId,
  type JsonValue,
  NAMED_PIPE_KINDS,
  type NamedPipe,
  type NamedPipeKind,
  type NamedPipeNotice,
  type NamedPipes,
  type PathPipe,
  type PathReport,
  type Peer,
  type PeerGroup,
  type PeerId,
  type Pipe,
  PipevineError,
  type RequestContext,
} from '@pipevine/runtime';
import type { ControlContext, ControlMethods } from '../control/control-server.ts';
import { abortOf } from './abort-of.ts';
import { chosenGroup } from './choose-group.ts';
import type { ControlledDaemon } from './control-methods.ts';
import { findPeers } from './find-peers.ts';
import { namedPeer } from './named-peer.ts';
import { OutgoingMessages } from './outgoing-messages.ts';
import { Parameters } from './parameters.ts';
import { type JsonObject, ownGroups, pathReport } from './reports.ts';
import { findTimeout, waiting } from './waiting.ts';

/** Part of a message that goes in one line. */
const PART_BYTES = 1024 * 1024;
/** Requests of others that wait for an answer from one command. */
const MAX_ASKED = 256;
/** A command waits for as long as its person does: the longest that a timer takes, ms. */
const AS_LONG_AS_IT_TAKES_MS = 2 ** 31 - 1;
/** How long an end waits for the acknowledgement of what was sent, ms. */
const FLUSH_MS = 10_000;

interface Asked {
  answer(body: Uint8Array): void;
  fail(error: PipevineError): void;
}

type Emit = (value: JsonObject) => Promise<void>;

/** Pipes by name, for commands. */
export function pipeMethods(daemon: ControlledDaemon): ControlMethods {
  const { peer } = daemon;
  const sending = new Map<string, OutgoingMessages>();
  const asked = new Map<string, Asked>();

  const pipesOf = (group: PeerGroup): NamedPipes => {
    const pipes = daemon.pipes?.(group);
    if (pipes !== undefined) return pipes;
    throw new PipevineError('unsupported', 'this peer was assembled without names for pipes');
  };
  const find = <T>(of: Map<string, T>, what: string, id: string): T => {
    const found = of.get(id);
    if (found !== undefined) return found;
    throw new PipevineError('not-found', `there is no such ${what} any more`);
  };

  return {
    'pipe.ls': async (params, context) => {
      const given = new Parameters('pipe.ls', params);
      const named = given.optionalText('group');
      const groups = named === undefined ? ownGroups(peer) : [chosenGroup(peer, named)];
      const timeoutMs = findTimeout(given.timeoutMs());
      const members = new Map<PeerId, string>([[peer.id, peer.name]]);
      const known = findPeers(peer, context.signal, timeoutMs).then((found) => {
        for (const { id, name } of found) members.set(id, name);
      });
      // Its failure is that of the first who needs it.
      known.catch(() => {});
      const nameOf = (id: PeerId) => members.get(id) ?? '';
      await Promise.all(
        groups.map(async (group) => {
          for await (const found of pipesOf(group).find({}, { signal: context.signal, timeoutMs })) {
            await known;
            const path = daemon.explain && pathOf(daemon.explain(found.peer), found, group.id);
            await context.emit({
              ...found,
              peerName: nameOf(found.peer),
              path: path === undefined ? null : pathReport(path, nameOf),
              group: group.id,
              groupName: group.name,
            });
          }
        }),
      );
      return null;
    },

    'pipe.listen': async (params, context) => {
      const given = new Parameters('pipe.listen', params);
      const group = chosenGroup(peer, given.optionalText('group'));
      const name = given.text('name');
      const kind = given.optionalChoice('kind', NAMED_PIPE_KINDS) ?? 'secure';
      const emit = inTurn(context);
      const ends = new Set<() => void>();
      const close = await listen({ pipes: pipesOf(group), name, kind, emit, ends, asked });
      try {
        await emit({ type: 'listening', name, kind, peer: peer.id, group: group.id, groupName: group.name });
        await abortOf(context.signal);
      } finally {
        for (const end of [...ends]) end();
        await close();
      }
      return null;
    },

    'pipe.answer': async (params) => {
      const given = new Parameters('pipe.answer', params);
      const request = find(asked, 'request', given.text('request'));
      const data = given.optionalText('data');
      if (data !== undefined) request.answer(Buffer.from(data, 'base64'));
      else request.fail(new PipevineError('closed', 'who listens has no more answers'));
      return null;
    },

    'pipe.send': async (params, context) => {
      const given = new Parameters('pipe.send', params);
      const group = chosenGroup(peer, given.optionalText('group'));
      const emit = inTurn(context);
      const pipe = randomUUID();
      let isFirst = true;
      const onNotice = (notice: NamedPipeNotice) => {
        if (!isFirst) void emit(noticeReport(pipe, notice));
        isFirst = false;
      };
      const open = { peer, pipes: pipesOf(group), context, given, onNotice };
      const outgoing = await openOutgoing(open);
      outgoing.receive((bytes) => emitMessage(emit, bytes, { pipe, peer: outgoing.peer ?? '' }));
      const messages = new OutgoingMessages(
        (message, signal) => outgoing.send(message, signal),
        (signal) => outgoing.flush(signal),
      );
      sending.set(pipe, messages);
      try {
        const { kind, peer: to } = outgoing;
        await emit({ type: 'bound', pipe, kind, peer: to ?? null, group: group.id, groupName: group.name });
        const failed = outgoing.closed.then((error) => {
          throw error ?? new PipevineError('closed', 'the pipe was closed by the other side');
        });
        return await Promise.race([messages.ended, failed, abortOf(context.signal).then(() => null)]);
      } finally {
        sending.delete(pipe);
        await outgoing.close();
      }
    },

    'pipe.write': async (params, context) => {
      const given = new Parameters('pipe.write', params);
      const messages = find(sending, 'pipe', given.text('pipe'));
      await messages.write(given.textList('data'), given.optionalFlag('more') ?? false, context.signal);
      return null;
    },

    'pipe.end': async (params, context) => {
      const given = new Parameters('pipe.end', params);
      await find(sending, 'pipe', given.text('pipe')).end(context.signal);
      return null;
    },
  };
}

interface Listening {
  readonly pipes: NamedPipes;
  readonly name: string;
  readonly kind: NamedPipeKind;
  readonly emit: Emit;
  /** What ends with the command. */
  readonly ends: Set<() => void>;
  readonly asked: Map<string, Asked>;
}

/** Begins to listen; what comes back ends it. */
async function listen(init: Listening): Promise<() => Promise<void>> {
  const { pipes, name, kind, emit } = init;
  if (kind === 'propagate') {
    const pipe = await pipes.propagate(name, { listed: true });
    pipe.receive(({ from, bytes }) => emitMessage(emit, bytes, { peer: from }));
    return async () => pipe.close();
  }
  const listener =
    kind === 'request'
      ? await pipes.serve({ name }, (body, context) => ask(init, body, context))
      : await pipes.listen({ name, kind }, (pipe) => accept(init, pipe));
  return () => listener.close();
}

function accept({ emit, ends }: Listening, pipe: Pipe): void {
  const about = { pipe: randomUUID(), peer: pipe.remotePeer };
  const end = () => void pipe.close({ timeoutMs: 1_000 });
  ends.add(end);
  void emit({ type: 'opened', ...about, kind: pipe.kind });
  pipe.receive((bytes) => emitMessage(emit, bytes, about));
  void pipe.closed.then((error) => {
    ends.delete(end);
    return emit({ type: 'closed', ...about, code: error?.code ?? null, reason: error?.message ?? null });
  });
}

/** Passes a request on to the command, and waits for what it answers. */
function ask({ emit, ends, asked }: Listening, body: Uint8Array, context: RequestContext): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (asked.size >= MAX_ASKED) {
      reject(new PipevineError('overloaded', `${MAX_ASKED} requests wait for an answer here; ask again later`));
      return;
    }
    const request = randomUUID();
    const done = () => {
      asked.delete(request);
      ends.delete(end);
    };
    const end = () => {
      done();
      reject(new PipevineError('closed', 'who listened has ended'));
    };
    asked.set(request, {
      answer: (answer) => {
        done();
        resolve(answer);
      },
      fail: (error) => {
        done();
        reject(error);
      },
    });
    ends.add(end);
    context.signal.addEventListener('abort', end);
    void emitMessage(emit, body, { peer: context.remotePeer, request });
  });
}

interface Outgoing {
  readonly kind: NamedPipeKind;
  /** Undefined of a propagate pipe. */
  readonly peer: PeerId | undefined;
  readonly closed: NamedPipe['closed'];
  send(message: Uint8Array, signal: AbortSignal): Promise<unknown>;
  receive(onMessage: (message: Uint8Array) => Promise<void>): void;
  flush(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface OpenInit {
  readonly peer: Peer;
  readonly pipes: NamedPipes;
  readonly context: ControlContext;
  readonly given: Parameters;
  readonly onNotice: (notice: NamedPipeNotice) => void;
}

async function openOutgoing({ peer, pipes, context, given, onNotice }: OpenInit): Promise<Outgoing> {
  const name = given.text('name');
  const kind = given.optionalChoice('kind', NAMED_PIPE_KINDS);
  const to = given.optionalText('to');
  const timeoutMs = given.timeoutMs();
  const { signal } = context;
  const target = to === undefined ? undefined : (await namedPeer(peer, to, signal, findTimeout(timeoutMs))).id;
  const isPropagate =
    kind === undefined && target === undefined ? await isPropagateOnly(pipes, name, signal) : kind === 'propagate';
  if (isPropagate) {
    if (target !== undefined) throw new PipevineError('invalid-argument', 'a propagate pipe is to all; leave out --to');
    return propagateTo(pipes, name);
  }
  const pipe = await pipes.open({
    name,
    ...(target !== undefined && { peer: target }),
    ...(kind !== undefined && kind !== 'propagate' && { kind }),
    ...waiting(context, timeoutMs),
    keep: given.optionalFlag('keep') ?? false,
    onNotice,
  });
  const sendMs = pipe.kind === 'request' ? (timeoutMs ?? FLUSH_MS) : AS_LONG_AS_IT_TAKES_MS;
  return {
    kind: pipe.kind,
    get peer() {
      return pipe.peer;
    },
    closed: pipe.closed,
    send: (message, until) => pipe.send(message, { signal: until, timeoutMs: sendMs }),
    receive: (onMessage) => pipe.receive(onMessage),
    flush: (until) => pipe.flush({ signal: until, timeoutMs: timeoutMs ?? FLUSH_MS }),
    close: () => pipe.close({ timeoutMs: 0 }),
  };
}

async function propagateTo(pipes: NamedPipes, name: string): Promise<Outgoing> {
  const pipe = await pipes.propagate(name);
  return {
    kind: 'propagate',
    peer: undefined,
    closed: new Promise(() => {}),
    send: (message, signal) => pipe.send(message, { signal }),
    receive: () => {},
    flush: async () => {},
    close: async () => pipe.close(),
  };
}

async function isPropagateOnly(pipes: NamedPipes, name: string, signal: AbortSignal): Promise<boolean> {
  const kinds = new Set<NamedPipeKind>();
  for await (const found of pipes.find({ name }, { signal })) kinds.add(found.kind);
  return kinds.size === 1 && kinds.has('propagate');
}

/** How this peer's pipe of that name goes; undefined when it has none, or it waits. */
function pathOf({ pipes }: PathReport, { name }: FoundPipe, group: GroupId): PathPipe['path'] {
  return pipes.find((pipe) => pipe.name === name && pipe.group === group)?.path;
}

/** A message in as many lines as it takes; `more` in all but the last. */
async function emitMessage(emit: Emit, bytes: Uint8Array, about: JsonObject): Promise<void> {
  for (let at = 0; at === 0 || at < bytes.length; at += PART_BYTES) {
    const part = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(PART_BYTES, bytes.length - at));
    const more = at + PART_BYTES < bytes.length;
    await emit({ type: 'message', ...about, data: part.toString('base64'), more });
  }
}

function noticeReport(pipe: string, notice: NamedPipeNotice): JsonObject {
  if (notice.type === 'bound') return { ...notice, pipe };
  const { type, peer, error, unacknowledgedBytes } = notice;
  return { type, pipe, peer, code: error?.code ?? null, reason: error?.message ?? null, unacknowledgedBytes };
}

/** One after the other, however many pipes there are: what waits, waits at its pipe. */
function inTurn(context: ControlContext): Emit {
  let turn: Promise<void> = Promise.resolve();
  return (value: JsonValue) => {
    turn = turn.then(() => (context.signal.aborted ? undefined : context.emit(value)));
    return turn;
  };
}

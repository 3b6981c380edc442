import { type JsonValue, PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import type { ControlClient } from '../control/control-client.ts';
import type { Params } from '../control/json-rpc.ts';
import { frameMessages, lineMessages, type MessageSplitter, toFrame } from '../input/message-splitter.ts';
import { EXIT } from '../output/exit-code.ts';
import { type CommandContext, connectDaemon, nameOf, shortId, textOf, withTimeout } from './command-context.ts';
import { groupParam } from './group-option.ts';
import { pathText } from './path-text.ts';
import { printList } from './print-list.ts';

/** Bytes that go to the daemon at once. */
const BATCH_BYTES = 1024 * 1024;
/** Writing takes as long as the other side takes; the longest that a timer can be set, ms. */
const WRITE_TIMEOUT_MS = 2 ** 31 - 1;
/** The daemon flushes for 10 s at most, unless it was told otherwise. */
const END_TIMEOUT_MS = 20_000;

export function list(context: CommandContext, { local }: Arguments): Promise<number> {
  return printList(
    context,
    'pipe.ls',
    groupParam(local),
    ['NAME', 'KIND', 'PEER', 'ID', 'GROUP', 'OWN PIPE'],
    (pipe) => [
      textOf(pipe.name),
      textOf(pipe.kind),
      textOf(pipe.peerName),
      shortId(pipe.peer),
      textOf(pipe.groupName),
      pathText(pipe.path) ?? '-',
    ],
    'Nobody listens under a name. `pipevine pipe listen NAME` does.',
  );
}

/** Prints what comes, until Ctrl-C; of kind request, answers each with the next message of standard input. */
export async function listen(context: CommandContext, { positionals: [name = ''], local }: Arguments): Promise<number> {
  const { output, input, signal } = context;
  const client = await connectDaemon(context);
  const reading = new AbortController();
  const parts = new MessageParts();
  const show = printer(context, local);
  let answers: AsyncIterator<Uint8Array> | undefined;
  try {
    for await (const value of client.stream(
      'pipe.listen',
      { name, ...kindParam(local), ...groupParam(local) },
      { signal },
    )) {
      const item = value as Params; // `pipe.listen` emits objects
      if (item.type === 'message') {
        const message = parts.add(item);
        if (message === undefined) continue;
        show(item, message);
        if (typeof item.request !== 'string') continue;
        answers ??= messagesOf(input.chunks(reading.signal), splitterOf(local));
        await answer(client, item.request, await answers.next());
      } else if (output.json) {
        if (!isOn(local, 'binary')) output.value(item, () => '');
      } else if (item.type === 'listening') {
        output.notice(`listening under "${name}" (${textOf(item.kind)}) in ${textOf(item.groupName)}; Ctrl-C ends it`);
      }
    }
    return EXIT.done;
  } finally {
    reading.abort();
    client.close();
  }
}

/** Sends the messages of standard input to whoever listens under the name. */
export async function send(context: CommandContext, { positionals: [name = ''], local }: Arguments): Promise<number> {
  const { input, output, settings, signal } = context;
  const client = await connectDaemon(context);
  const abandon = new AbortController();
  const reading = new AbortController();
  const onInterrupt = () => abandon.abort();
  signal.addEventListener('abort', onInterrupt);
  const to = local.to?.[0];
  const keep = local.keep === undefined ? input.interactive : isOn(local, 'keep');
  const params = { name, keep, ...kindParam(local), ...groupParam(local), ...(to === undefined ? {} : { to }) };
  const items = client.stream('pipe.send', withTimeout(params, settings.timeoutMs), { signal: abandon.signal });
  try {
    const first = await items.next();
    if (first.done === true) return EXIT.done;
    const bound = first.value as Params; // `pipe.send` emits objects, the first when it is bound
    if (output.json) output.value(bound, () => '');
    // From now on an interrupt ends the input, and what was read still goes.
    signal.removeEventListener('abort', onInterrupt);
    const stopReading = () => reading.abort();
    signal.addEventListener('abort', stopReading);
    if (signal.aborted) stopReading();
    const result = follow(context, items, local, keep).finally(stopReading);
    // Its failure is that of the whole; until then there is nobody to hear of it.
    result.catch(() => {});
    try {
      await pump(client, textOf(bound.pipe), input.chunks(reading.signal), splitterOf(local));
      await client.call('pipe.end', { pipe: bound.pipe ?? null }, { timeoutMs: END_TIMEOUT_MS });
    } catch (error) {
      // What became of the pipe says more than that it cannot be written to.
      if (error instanceof PipevineError && error.code === 'not-found') await result;
      throw error;
    } finally {
      signal.removeEventListener('abort', stopReading);
    }
    const sent = await result;
    if (output.json) output.value(sent, () => '');
    return EXIT.done;
  } finally {
    reading.abort();
    abandon.abort();
    client.close();
  }
}

/** Hands the messages on in batches, the next when the pipe has taken the one before. */
async function pump(
  client: ControlClient,
  pipe: string,
  chunks: AsyncIterable<Uint8Array>,
  splitter: MessageSplitter,
): Promise<void> {
  const write = (data: readonly Uint8Array[], more = false) =>
    client.call(
      'pipe.write',
      { pipe, data: data.map((part) => Buffer.from(part).toString('base64')), more },
      { timeoutMs: WRITE_TIMEOUT_MS },
    );
  const writeAll = async (messages: readonly Uint8Array[]) => {
    let batch: Uint8Array[] = [];
    let bytes = 0;
    for (const message of messages) {
      let rest = message;
      for (; rest.length > BATCH_BYTES; rest = rest.subarray(BATCH_BYTES)) {
        if (batch.length > 0) await write(batch.splice(0));
        await write([rest.subarray(0, BATCH_BYTES)], true);
      }
      batch.push(rest);
      bytes += rest.length + 1;
      if (bytes < BATCH_BYTES) continue;
      await write(batch);
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) await write(batch);
  };
  for await (const chunk of chunks) await writeAll(splitter.push(chunk));
  await writeAll(splitter.end());
}

/** Says what happens to the pipe, and prints what comes back; resolves to what was sent in all. */
async function follow(
  context: CommandContext,
  items: AsyncGenerator<JsonValue, JsonValue>,
  local: Arguments['local'],
  keep: boolean,
): Promise<JsonValue> {
  const { output } = context;
  const parts = new MessageParts();
  const show = printer(context, local);
  for (;;) {
    const next = await items.next();
    if (next.done === true) return next.value;
    const item = next.value as Params; // `pipe.send` emits objects
    if (item.type === 'message') {
      const message = parts.add(item);
      if (message !== undefined) show(item, message);
    } else if (output.json && !isOn(local, 'binary')) output.value(item, () => '');
    else if (item.type === 'interrupted') {
      const lost = Number(item.unacknowledgedBytes);
      const doubt = lost > 0 ? `; ${lost} bytes may be lost` : '';
      const reason = textOf(item.reason) || 'the other side has closed the pipe';
      if (keep) output.notice(`interrupted: ${reason}${doubt}; looking for who listens`);
      // The error that follows says why.
      else if (lost > 0) output.notice(`${lost} bytes may be lost`);
    } else output.notice(`resumed: ${shortId(item.peer)} listens`);
  }
}

async function answer(client: ControlClient, request: string, next: IteratorResult<Uint8Array>): Promise<void> {
  const data = next.done === true ? {} : { data: Buffer.from(next.value).toString('base64') };
  try {
    await client.call('pipe.answer', { request, ...data }, { timeoutMs: END_TIMEOUT_MS });
  } catch (error) {
    // Who asked has given up meanwhile.
    if (!(error instanceof PipevineError) || error.code !== 'not-found') throw error;
  }
}

async function* messagesOf(chunks: AsyncIterable<Uint8Array>, splitter: MessageSplitter): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield* splitter.push(chunk);
  yield* splitter.end();
}

const splitterOf = (local: Arguments['local']) => (isOn(local, 'binary') ? frameMessages() : lineMessages());

function kindParam(local: Arguments['local']): Params {
  const kind = local.kind?.[0];
  return kind === undefined ? {} : { kind };
}

/** Prints a message: a frame with --binary, else a line. */
function printer({ output }: CommandContext, local: Arguments['local']) {
  const strict = new TextDecoder('utf-8', { fatal: true });
  return ({ data: _, more: __, ...about }: Params, message: Uint8Array): void => {
    if (isOn(local, 'binary')) {
      output.bytes(toFrame(message));
      return;
    }
    let text: string | null = null;
    try {
      text = strict.decode(message);
    } catch {
      // No text: base64 alone shows it.
    }
    const data = Buffer.from(message).toString('base64');
    output.value({ ...about, text, data }, () => nameOf(text ?? `(${message.length} bytes, no text; try --binary)`));
  };
}

/** Messages that come in several parts, those of several pipes mixed. */
class MessageParts {
  readonly #parts = new Map<string, Uint8Array[]>();

  /** The message when it is whole. */
  add({ pipe, request, peer, data, more }: Params): Uint8Array | undefined {
    const key = textOf(pipe) || textOf(request) || textOf(peer);
    const parts = [...(this.#parts.get(key) ?? []), Buffer.from(textOf(data), 'base64')];
    if (more === true) this.#parts.set(key, parts);
    else this.#parts.delete(key);
    return more === true ? undefined : Buffer.concat(parts);
  }
}

import { PipevineError } from '@pipevine/runtime';
import { type Arguments, isOn } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';
import { toFrame } from '../input/message-splitter.ts';
import { humanBytes } from '../output/bytes.ts';
import { EXIT } from '../output/exit-code.ts';
import {
  askDaemon,
  type CommandContext,
  connectDaemon,
  listOf,
  nameOf,
  objectsOf,
  shortId,
  textOf,
} from './command-context.ts';
import { groupParam } from './group-option.ts';
import { lifetimeParam } from './lifetime-option.ts';

/** A message has 48 KiB at most; what is longer is told so by the daemon, and not read to its end. */
const MAX_INPUT_BYTES = 64 * 1024;
const TAKEN_TIMEOUT_MS = 20_000;

/** Leaves one message for a member: the text, or all of standard input. */
export async function send(
  context: CommandContext,
  { positionals: [peer = '', text], local }: Arguments,
): Promise<number> {
  const body = text === undefined ? await wholeInput(context, isOn(local, 'binary')) : Buffer.from(text);
  const receipt = isOn(local, 'receipt');
  const params = { peer, data: body.toString('base64'), receipt, ...lifetimeParam(local), ...groupParam(local) };
  const report = (await askDaemon(context, 'mailbox.send', params)) as Params; // `mailbox.send` answers an object
  context.output.value(report, () => sentText(report, receipt));
  return EXIT.done;
}

/** Prints each message, and says that it was taken; until Ctrl-C. */
export async function receive(context: CommandContext, { local }: Arguments): Promise<number> {
  const { output, signal } = context;
  const client = await connectDaemon(context);
  try {
    for await (const value of client.stream('mailbox.receive', groupParam(local), { signal })) {
      const item = value as Params; // `mailbox.receive` emits objects
      if (item.type === 'message') {
        show(context, item, isOn(local, 'binary'));
        await client.call('mailbox.taken', { message: item.message ?? null }, { timeoutMs: TAKEN_TIMEOUT_MS });
      } else if (output.json && !isOn(local, 'binary')) output.value(item, () => '');
      else if (!output.json) {
        const groups = objectsOf(item.groups).map(({ groupName }) => textOf(groupName));
        output.notice(`receiving messages of ${groups.join(', ')}; Ctrl-C ends it`);
      }
    }
    return EXIT.done;
  } finally {
    client.close();
  }
}

export async function status(context: CommandContext): Promise<number> {
  const report = (await askDaemon(context, 'mailbox.status')) as Params; // `mailbox.status` answers an object
  context.output.value(report, () => statusText(report));
  return EXIT.done;
}

function sentText({ state, peer, peerName, relay, reason }: Params, receipt: boolean): string {
  const to = textOf(peerName) === '' ? shortId(peer) : nameOf(peerName);
  if (state === 'delivered') return `Delivered to ${to}.`;
  const later = receipt ? `; ${to} has not confirmed it yet` : '';
  if (state === 'stored') return `Stored for ${to} at relay ${shortId(relay)}${later}.`;
  const why = textOf(reason);
  return `Kept here until ${to} or a relay can be reached${why === '' ? '' : ` (${nameOf(why)})`}.`;
}

export function statusText(report: Params): string {
  const { waiting, held } = report as { waiting: Params; held: Params | null }; // as `mailbox.status` makes it
  const awaited = Number(report.receiptsAwaited);
  const lines = [
    `waiting   ${messages(waiting)}, kept here until somebody can be given them`,
    `stored    ${awaited} at relays or on their way, whose receipt has not come`,
    `received  ${Number(report.taken)} since the start`,
  ];
  if (held !== null) lines.push(`held      ${messages(held)} for others, as a relay`);
  for (const { groupName, leases } of objectsOf(report.relays)) {
    const at = listOf(leases).map(shortId).join(', ');
    lines.push(`relays    ${at === '' ? 'none' : at} (${nameOf(groupName)})`);
  }
  return lines.join('\n');
}

const messages = ({ messages: count, bytes }: Params) =>
  `${count} ${count === 1 ? 'message' : 'messages'} (${humanBytes(bytes)})`;

function show({ output }: CommandContext, item: Params, binary: boolean): void {
  const { data, message: _, sender, senderName, sentAt } = item;
  const body = Buffer.from(textOf(data), 'base64');
  if (binary) {
    output.bytes(toFrame(body));
    return;
  }
  let text: string | null = null;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    // No text: base64 alone shows it.
  }
  const { message: __, ...about } = item;
  const from = textOf(senderName) === '' ? shortId(sender) : `${nameOf(senderName)} (${shortId(sender)})`;
  const shown = text ?? `(${body.length} bytes, no text; try --binary)`;
  output.value({ ...about, text, data: textOf(data) }, () => `${textOf(sentAt)} ${from}: ${shown}`);
}

/** All of standard input; without --binary the end of its last line is no part of it. */
async function wholeInput({ input, signal }: CommandContext, binary: boolean): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input.chunks(signal)) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_INPUT_BYTES) {
      throw new PipevineError(
        'too-large',
        'a message has 48 KiB at most, and more came; `pipevine pipe send` sends streams',
      );
    }
  }
  // Half a message is none.
  if (signal.aborted) throw new PipevineError('aborted', 'interrupted before the end of the input');
  const whole = Buffer.concat(parts);
  if (binary || whole.at(-1) !== 10) return whole;
  return whole.subarray(0, whole.at(-2) === 13 ? -2 : -1);
}

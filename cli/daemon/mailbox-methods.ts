import { randomUUID } from 'node:crypto';
import {
  type Mailbox,
  type MailboxMessage,
  type MailboxSendResult,
  type Peer,
  type PeerGroup,
  type PeerId,
  PipevineError,
} from '@pipevine/runtime';
import type { ControlContext, ControlMethods } from '../control/control-server.ts';
import { abortOf } from './abort-of.ts';
import { chosenGroup } from './choose-group.ts';
import type { ControlledDaemon } from './control-methods.ts';
import { findPeers } from './find-peers.ts';
import { namedPeer, sharedGroup } from './named-peer.ts';
import { Parameters } from './parameters.ts';
import { isoTime, type JsonObject, ownGroups } from './reports.ts';
import { findTimeout, waiting } from './waiting.ts';

/** How long `mailbox.send` waits for a receipt, ms: of a recipient that is there it comes within a round trip. */
const RECEIPT_MS = 10_000;
/** Names of senders that are kept while messages are received. */
const MAX_NAMES = 1_024;

/** Messages for members that are away, for commands. */
export function mailboxMethods({ peer }: ControlledDaemon): ControlMethods {
  /** Messages that a command was given and has not yet said to have taken. */
  const given = new Map<string, () => void>();
  return {
    'mailbox.send': async (params, context) => {
      const asked = new Parameters('mailbox.send', params);
      const timeoutMs = asked.timeoutMs();
      const facts = await namedPeer(peer, asked.text('peer'), context.signal, findTimeout(timeoutMs));
      const group = sharedGroup(peer, facts, asked.optionalText('group'));
      const lifetimeMs = asked.optionalNumber('lifetimeMs');
      const receipt = asked.optionalFlag('receipt') ?? false;
      const { mailbox } = group;
      const outcomes = receipt ? new Outcomes(mailbox) : undefined;
      try {
        const body = Buffer.from(asked.text('data'), 'base64');
        const result = await mailbox.send(facts.id, body, {
          receipt,
          ...(lifetimeMs !== undefined && { lifetimeMs }),
          ...waiting(context, timeoutMs),
        });
        const delivered = await outcomes?.delivered(result.id, context.signal, timeoutMs ?? RECEIPT_MS);
        return sendReport(delivered === true ? { state: 'delivered', id: result.id } : result, facts, group);
      } finally {
        outcomes?.close();
      }
    },

    'mailbox.receive': async (params, context) => {
      const asked = new Parameters('mailbox.receive', params);
      const named = asked.optionalText('group');
      const groups = named === undefined ? ownGroups(peer) : [chosenGroup(peer, named)];
      const own = new Set<string>();
      const nameOf = senderNames(peer, context);
      const receivers: { close(): void }[] = [];
      try {
        for (const group of groups) {
          receivers.push(group.mailbox.receive((message) => pass(message, group)));
        }
        await context.emit({
          type: 'receiving',
          groups: groups.map(({ id, name }) => ({ group: id, groupName: name })),
        });
        await abortOf(context.signal);
      } finally {
        for (const receiver of receivers) receiver.close();
        for (const message of own) given.delete(message);
      }
      return null;

      async function pass(message: MailboxMessage, group: PeerGroup): Promise<void> {
        const token = randomUUID();
        own.add(token);
        const taken = new Promise<void>((resolve) => given.set(token, resolve));
        try {
          const { sender, id, sentAtMs, body } = message;
          await context.emit({
            type: 'message',
            message: token,
            id: Buffer.from(id).toString('hex'),
            sender,
            senderName: await nameOf(sender),
            sentAt: isoTime(sentAtMs),
            group: group.id,
            groupName: group.name,
            data: Buffer.from(body).toString('base64'),
          });
          const gone = abortOf(context.signal).then(() => {
            throw new PipevineError('closed', 'who received messages here has ended');
          });
          await Promise.race([taken, gone]);
        } finally {
          own.delete(token);
          given.delete(token);
        }
      }
    },

    'mailbox.taken': async (params) => {
      const take = given.get(new Parameters('mailbox.taken', params).text('message'));
      if (take === undefined) throw new PipevineError('not-found', 'there is no such message any more');
      take();
      return null;
    },

    'mailbox.status': async () => {
      const queues = Object.entries(peer.status().queues).filter(([name]) => name.startsWith('mailbox'));
      const used = (wanted: string): number => queues.find(([name]) => name === wanted)?.[1].used ?? 0;
      const serving = ownGroups(peer).filter((group) => group.relays().serving);
      return {
        waiting: { messages: used('mailbox outbox messages'), bytes: used('mailbox outbox bytes') },
        receiptsAwaited: used('mailbox receipts awaited'),
        taken: used('mailbox messages taken'),
        held: serving.length === 0 ? null : { messages: used('mailbox messages'), bytes: used('mailbox bytes') },
        relays: ownGroups(peer).map((group) => ({
          group: group.id,
          groupName: group.name,
          leases: [...group.relays().leases],
        })),
        queues: Object.fromEntries(queues.map(([name, bound]) => [name, { ...bound }])),
      };
    },
  };
}

/** What became of messages whose receipt is awaited; made before the first is sent. */
class Outcomes {
  readonly #subscription: { unsubscribe(): void };
  readonly #known = new Map<string, PipevineError | undefined>();
  #wake: () => void = () => {};

  constructor(mailbox: Mailbox) {
    const settle = (id: Uint8Array, error?: PipevineError) => {
      this.#known.set(keyOf(id), error);
      this.#wake();
    };
    this.#subscription = mailbox.subscribe({
      onDelivered: ({ id }) => settle(id),
      onFailed: ({ id, error }) => settle(id, error),
    });
  }

  /** Whether it was delivered in time. Rejects with what it was refused with. */
  async delivered(id: Uint8Array, signal: AbortSignal, timeoutMs: number): Promise<boolean> {
    const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    over.addEventListener('abort', () => this.#wake(), { once: true });
    const key = keyOf(id);
    while (!this.#known.has(key) && !over.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const error = this.#known.get(key);
    if (error !== undefined) throw error;
    return this.#known.has(key);
  }

  close(): void {
    this.#subscription.unsubscribe();
  }
}

const keyOf = (id: Uint8Array): string => Buffer.from(id).toString('hex');

function sendReport(
  result: MailboxSendResult,
  recipient: { readonly id: PeerId; readonly name: string },
  group: PeerGroup,
): JsonObject {
  const reason = result.state === 'waiting' ? result.reason : undefined;
  return {
    state: result.state,
    id: keyOf(result.id),
    peer: recipient.id,
    peerName: recipient.name,
    relay: result.state === 'stored' ? result.relay : null,
    code: reason?.code ?? null,
    reason: reason?.message ?? null,
    group: group.id,
    groupName: group.name,
  };
}

/** Names of members, looked up when somebody new sends. */
function senderNames(peer: Peer, { signal }: ControlContext): (id: PeerId) => Promise<string> {
  const names = new Map<PeerId, string>();
  return async (sender) => {
    const known = names.get(sender);
    if (known !== undefined) return known;
    if (names.size >= MAX_NAMES) names.clear();
    const found = await findPeers(peer, signal, findTimeout(undefined));
    const name = found.find(({ id }) => id === sender)?.name ?? '';
    names.set(sender, name);
    return name;
  };
}

/**
 * A relay's process is killed at random moments while messages are put, taken and done: no message that a relay has acknowledged
 * is lost, and none reaches the handler twice. `PIPEVINE_MAILBOX_KILLS` sets how often; default 50.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  MemoryStorage,
  nodeClock,
  nodeCrypto,
  nodeRandom,
  type SeededRandom,
  seededRandom,
} from '@pipevine/transports';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Credential } from '../../runtime/group/group-access.ts';
import { identityFromSeed } from '../../runtime/id/identity.ts';
import { MailboxClient } from '../../runtime/mailbox/mailbox-client.ts';
import { TestGroup } from '../../runtime/resolver/testing/test-group.ts';
import { RelayLink } from './mailbox-relay-link.ts';

const KILLS = Number(process.env.PIPEVINE_MAILBOX_KILLS ?? 50);
/** Messages under way at a time: enough that every kill interrupts puts and dones. */
const UNDER_WAY = 24;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pipevine-mailbox-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it(
  `loses no acknowledged message and doubles none, though the relay is killed ${KILLS} times`,
  async () => {
    const seed = `kill ${process.env.PIPEVINE_MAILBOX_SEED ?? nodeRandom.fraction()}`;
    const random: SeededRandom = seededRandom(seed);
    const group = new TestGroup(nodeClock);
    const access = group.directory().access(group.group);
    if (access === undefined) throw new Error('no group');
    const member = (name: string, roles = ['member']) => {
      const identity = identityFromSeed(nodeCrypto, seededRandom(name).bytes(32));
      group.admit(identity.id, roles);
      const credential = access.verify(identity.id, access.credentialOf(identity.id)) as Credential; // TestGroup always gives one.
      return { identity, credential };
    };
    const relay = member('relay', ['member', 'relay']);
    const [alice, carol] = [member('alice'), member('carol')];
    const link = new RelayLink(join(directory, 'relay.db'), relay.credential);
    const clientOf = ({ identity, credential }: typeof alice) =>
      new MailboxClient({
        resolver: link.resolverOf(credential),
        identity,
        access,
        storage: new MemoryStorage({ clock: nodeClock, syncDelayMs: 0 }),
        clock: nodeClock,
        random: nodeRandom,
        crypto: nodeCrypto,
        staticKeyOf: async () => carol.identity.agreement.publicKey,
        relaysOf: async () => [relay.identity.id],
        ownRelays: () => [relay.identity.id],
      });
    const sender = clientOf(alice);
    const recipient = clientOf(carol);
    /** Messages by number: how often the relay said that it has them, and how often the handler got them. */
    const stored = new Set<string>();
    const given = new Map<string, number>();
    const keyOf = (id: Uint8Array) => Buffer.from(id).toString('hex');
    let progress = (): void => undefined;
    sender.subscribe({
      onStored: ({ id }) => {
        stored.add(keyOf(id));
        progress();
      },
    });
    recipient.receive(async ({ id }) => {
      given.set(keyOf(id), (given.get(keyOf(id)) ?? 0) + 1);
      progress();
    });

    let stopped = false;
    let sent = 0;
    const keepSending = async (): Promise<void> => {
      while (!stopped) {
        await sender.send(carol.identity.id, random.bytes(1 + Math.floor(random.fraction() * 300)), {
          timeoutMs: 60_000,
        });
        sent++;
      }
    };
    /** How the next process dies: by itself at a commit, where most can go wrong, or by a kill at any moment. */
    const nextDeath = (kill: number) =>
      kill % 3 === 0
        ? undefined
        : {
            commit: 1 + Math.floor(random.fraction() * 12),
            moment: kill % 3 === 1 ? ('before' as const) : ('after' as const),
          };
    let sending: Promise<unknown> = Promise.resolve();
    for (let kill = 0; kill < KILLS; kill++) {
      const death = nextDeath(kill);
      await link.start(death);
      if (kill === 0) sending = Promise.all(Array.from({ length: UNDER_WAY }, keepSending));
      if (death === undefined) {
        // After so many messages of the relay, in the middle of whatever it does then.
        let left = 1 + Math.floor(random.fraction() * 40);
        await new Promise<void>((resolve) => {
          link.onMessage = () => {
            if (--left === 0) setTimeout(resolve, random.fraction() * 6);
          };
        });
        link.onMessage = () => undefined;
        await link.kill();
      }
      await link.gone;
    }
    await link.start();
    stopped = true;
    await sending;
    const until = (isSo: () => boolean) =>
      new Promise<void>((resolve) => {
        progress = () => {
          if (isSo()) resolve();
        };
        progress();
      });
    await until(() => sender.status()['mailbox outbox messages']?.used === 0);
    // A mailbox gives the oldest first: with this one, all that was stored before has come.
    const last = keyOf((await sender.send(carol.identity.id, new Uint8Array(1))).id);
    sent++;
    await until(() => given.has(last));
    const doubled = [...given].filter(([, times]) => times > 1);
    expect(doubled, `seed: ${seed}`).toEqual([]);
    expect(
      [...stored].filter((key) => !given.has(key)),
      `seed: ${seed}`,
    ).toEqual([]);
    expect(given.size).toBe(sent);
    expect(sent).toBeGreaterThan(KILLS);
    // What makes the test worth something: the kills did cut puts and dones off, and these were said again.
    expect(recipient.status()['mailbox messages taken']?.dropped, `seed: ${seed}`).toBeGreaterThan(0);
    await Promise.all([sender.close(), recipient.close()]);
    await link.kill();
    process.stdout.write(
      `mailbox: ${KILLS} kills, ${sent} messages sent, ${stored.size} stored, ${given.size} given\n`,
    );
  },
  20_000 + KILLS * 4_000,
);

import type { Connection, DialOptions, EndpointAddress, Transport, TransportListener } from '@pipevine/runtime';
import { seededRandom } from '@pipevine/transports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecordingHandler } from './recording-handler.ts';

/** One transport under test, with two places that can reach each other over it. */
export interface TransportFixture {
  readonly dialling: Transport;
  readonly listening: Transport;
  /** Where to listen; port 0 or the like, so that runs do not disturb each other. */
  readonly listenAddress: EndpointAddress;
  /** Listens on every interface. */
  readonly wildcardAddress: EndpointAddress;
  /** An address on which nobody listens. */
  readonly silentAddress: EndpointAddress;
  /** An address that swallows what is sent to it; used where `hasBlackHole` says that there is one. */
  readonly blackHoleAddress?: EndpointAddress;
  readonly malformedAddresses: readonly EndpointAddress[];
  /** Lets time pass until the condition holds. */
  until(isDone: () => boolean, what: string): Promise<void>;
  /** Lets time pass until the promise settles. */
  settled<T>(promise: Promise<T>): Promise<T>;
  /** Lets enough time pass that whatever is on its way has arrived. */
  quiet(): Promise<void>;
  close(): Promise<void>;
}

export interface ComplianceOptions {
  /** Decides between the promises of streams and those of datagrams. */
  readonly kind: 'stream' | 'datagram';
  /** Whether an address can be made that swallows everything; where not, the transport's own tests cover its timeout. */
  readonly hasBlackHole: boolean;
}

/** What every transport owes its users. */
export function transportCompliance(
  name: string,
  { kind, hasBlackHole }: ComplianceOptions,
  makeFixture: () => Promise<TransportFixture>,
): void {
  describe(`${name} as a transport`, () => {
    let fixture: TransportFixture;
    let listeners: TransportListener[];
    let connections: Connection[];

    beforeEach(async () => {
      fixture = await makeFixture();
      listeners = [];
      connections = [];
    });

    afterEach(async () => {
      for (const connection of connections) connection.abort();
      for (const listener of listeners) await fixture.settled(listener.close());
      await fixture.close();
    });

    async function listen(
      address = fixture.listenAddress,
    ): Promise<{ address: EndpointAddress; accepted: Connection[] }> {
      const accepted: Connection[] = [];
      const listener = await fixture.settled(
        fixture.listening.listen(address, (connection) => {
          accepted.push(connection);
          connections.push(connection);
        }),
      );
      listeners.push(listener);
      const [first] = listener.addresses;
      if (first === undefined) throw new Error('The listener has no address.');
      return { address: first, accepted };
    }

    async function dial(address: EndpointAddress, options?: DialOptions): Promise<Connection> {
      const connection = await fixture.settled(fixture.dialling.dial(address, options));
      connections.push(connection);
      return connection;
    }

    /** A started pair; datagram listeners know a remote only by its first packet, so one is sent. */
    async function connect(): Promise<{
      near: Connection;
      far: Connection;
      nearEvents: RecordingHandler;
      farEvents: RecordingHandler;
    }> {
      const { address, accepted } = await listen();
      const near = await dial(address);
      const nearEvents = new RecordingHandler();
      near.start(nearEvents);
      if (kind === 'datagram') near.write([Uint8Array.of(0)]);
      await fixture.until(() => accepted.length === 1, 'the connection is accepted');
      const far = accepted[0] as Connection; // Its presence is what was waited for.
      const farEvents = new RecordingHandler();
      far.start(farEvents);
      if (kind === 'datagram') {
        await fixture.until(() => farEvents.chunks.length === 1, 'the first packet arrives');
        farEvents.forget();
      }
      return { near, far, nearEvents, farEvents };
    }

    it('names both ends so that each side sees the other', async () => {
      const { address, accepted } = await listen();
      const near = await dial(address);
      near.start(new RecordingHandler());
      near.write([Uint8Array.of(1)]);
      await fixture.until(() => accepted.length === 1, 'the connection is accepted');
      expect(near.kind).toBe(kind);
      expect(near.remoteAddress).toBe(address);
      expect(accepted[0]?.localAddress).toBe(address);
      expect(accepted[0]?.remoteAddress).toBe(near.localAddress);
      expect(near.maxPacketBytes).toBe(kind === 'stream' ? Number.POSITIVE_INFINITY : accepted[0]?.maxPacketBytes);
      expect(fixture.dialling.schemes).toContain(address.slice(0, address.indexOf(':')));
    });

    it('carries bytes both ways', async () => {
      const { near, far, nearEvents, farEvents } = await connect();
      near.write([Uint8Array.of(1, 2), Uint8Array.of(3)]);
      far.write([Uint8Array.of(4), Uint8Array.of(), Uint8Array.of(5, 6)]);
      await fixture.until(() => farEvents.byteLength === 3 && nearEvents.byteLength === 3, 'both sides have 3 bytes');
      expect(farEvents.bytes()).toEqual(Uint8Array.of(1, 2, 3));
      expect(nearEvents.bytes()).toEqual(Uint8Array.of(4, 5, 6));
    });

    it('gives arrays that do not change later and are no Buffers', async () => {
      const { near, farEvents } = await connect();
      near.write([Uint8Array.of(1, 2, 3)]);
      await fixture.until(() => farEvents.byteLength === 3, 'the first bytes arrive');
      const first = farEvents.chunks[0];
      near.write([Uint8Array.of(9, 9, 9)]);
      await fixture.until(() => farEvents.byteLength === 6, 'the next bytes arrive');
      expect(first?.[0]).toBe(1);
      expect(Buffer.isBuffer(first)).toBe(false);
    });

    it('says nothing before start, and delivers then what came earlier', async () => {
      const { address, accepted } = await listen();
      const near = await dial(address);
      near.start(new RecordingHandler());
      near.write([Uint8Array.of(7)]);
      await fixture.until(() => accepted.length === 1, 'the connection is accepted');
      await fixture.quiet();
      const events = new RecordingHandler();
      accepted[0]?.start(events);
      await fixture.until(() => events.byteLength === 1, 'the early byte is delivered');
      expect(events.bytes()).toEqual(Uint8Array.of(7));
    });

    it('serves many connections at once without mixing them', async () => {
      const { address, accepted } = await listen();
      const dialling = Array.from({ length: 50 }, () => fixture.dialling.dial(address));
      const near = await fixture.settled(Promise.all(dialling));
      connections.push(...near);
      const events = near.map((connection) => {
        const handler = new RecordingHandler();
        connection.start(handler);
        return handler;
      });
      near.forEach((connection, index) => {
        connection.write([Uint8Array.of(index, index, index)]);
      });
      await fixture.until(() => accepted.length === near.length, 'all are accepted');
      for (const far of accepted) {
        far.start({
          onBytes: (bytes) => {
            far.write([bytes]);
          },
          onWritable: () => undefined,
          onClosed: () => undefined,
        });
      }
      await fixture.until(() => events.every((handler) => handler.byteLength === 3), 'all have their echo');
      events.forEach((handler, index) => {
        expect(handler.bytes()).toEqual(Uint8Array.of(index, index, index));
      });
      expect(new Set(accepted.map((connection) => connection.remoteAddress)).size).toBe(near.length);
    });

    it('delivers nothing while paused, and everything after resume', async () => {
      const { near, far, farEvents } = await connect();
      far.pause();
      // What was on its way when pause was called may still come from a stream of the operating system.
      await fixture.quiet();
      for (let i = 0; i < 10; i++) near.write([Uint8Array.of(i)]);
      await fixture.quiet();
      expect(farEvents.byteLength).toBe(0);
      far.resume();
      await fixture.until(() => farEvents.byteLength === 10, 'all ten bytes arrive');
      expect(farEvents.bytes()).toEqual(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    });

    it('calls onClosed once on the side that closes, and nothing after it', async () => {
      const { near, far, nearEvents } = await connect();
      near.close();
      near.close();
      near.abort();
      far.write([Uint8Array.of(1)]);
      await fixture.until(() => nearEvents.closed.length > 0, 'the closing side is told');
      near.close();
      near.abort();
      near.pause();
      near.resume();
      expect(near.write([Uint8Array.of(1)])).toBe(true);
      await fixture.quiet();
      expect(nearEvents.closed).toHaveLength(1);
      expect(nearEvents.afterClosed).toEqual([]);
      expect(nearEvents.chunks).toEqual([]);
    });

    it('calls onClosed once, without an error, on the side that aborts', async () => {
      const { near, nearEvents } = await connect();
      near.write([new Uint8Array(100)]);
      near.abort();
      near.abort();
      near.close();
      await fixture.until(() => nearEvents.closed.length > 0, 'the aborting side is told');
      await fixture.quiet();
      expect(nearEvents.closed).toEqual([undefined]);
      expect(nearEvents.afterClosed).toEqual([]);
    });

    it('tells a handler that starts after the end that it is over', async () => {
      const { address } = await listen();
      const near = await dial(address);
      near.abort();
      await fixture.quiet();
      const events = new RecordingHandler();
      near.start(events);
      await fixture.until(() => events.closed.length > 0, 'the late handler is told');
      expect(events.closed).toHaveLength(1);
    });

    it('refuses a second listener on an address, naming it', async () => {
      const { address } = await listen();
      const second = fixture.settled(fixture.listening.listen(address, () => undefined));
      await expect(second).rejects.toMatchObject({ code: 'address-in-use', message: expect.stringContaining(address) });
    });

    it('frees the address when the listener closes, and keeps accepted connections', async () => {
      const { near, far, farEvents } = await connect();
      const [listener] = listeners.splice(0);
      const [address] = listener?.addresses ?? [];
      await fixture.settled(listener?.close() ?? Promise.resolve());
      await fixture.settled(listener?.close() ?? Promise.resolve());
      near.write([Uint8Array.of(5)]);
      await fixture.until(() => farEvents.byteLength === 1, 'the accepted connection still works');
      near.abort();
      far.abort();
      await fixture.quiet();
      const again = await listen(address);
      expect(again.address).toBe(address);
    });

    it('refuses addresses that it cannot read', async () => {
      for (const address of fixture.malformedAddresses) {
        const rejection = { code: 'invalid-address' };
        await expect(fixture.settled(fixture.dialling.dial(address)), `dial ${address}`).rejects.toMatchObject(
          rejection,
        );
        await expect(
          fixture.settled(fixture.listening.listen(address, () => undefined)),
          `listen ${address}`,
        ).rejects.toMatchObject(rejection);
      }
    });

    it('gives up at once when the signal has aborted already', async () => {
      const { address, accepted } = await listen();
      const dialling = fixture.dialling.dial(address, { signal: AbortSignal.abort() });
      await expect(fixture.settled(dialling)).rejects.toMatchObject({ code: 'aborted' });
      await fixture.quiet();
      expect(accepted).toEqual([]);
    });

    it('expands a wildcard to addresses that can be dialled', async () => {
      const { address, accepted } = await listen(fixture.wildcardAddress);
      expect(address).not.toContain('*');
      expect(address).not.toContain('0.0.0.0');
      const near = await dial(address);
      near.start(new RecordingHandler());
      near.write([Uint8Array.of(1)]);
      await fixture.until(() => accepted.length === 1, 'the connection is accepted');
    });

    if (kind === 'datagram') datagramPromises();
    else streamPromises();

    function datagramPromises(): void {
      it('keeps the boundaries of packets', async () => {
        const { near, farEvents } = await connect();
        near.write([Uint8Array.of(1), Uint8Array.of(2)]);
        near.write([Uint8Array.of(3)]);
        near.write([new Uint8Array(near.maxPacketBytes).fill(4)]);
        await fixture.until(() => farEvents.chunks.length === 3, 'three packets arrive');
        expect(farEvents.chunks.map((chunk) => chunk.length)).toEqual([2, 1, near.maxPacketBytes]);
      });

      it('refuses a packet that is too large', async () => {
        const { near } = await connect();
        expect(() => near.write([new Uint8Array(near.maxPacketBytes), Uint8Array.of(1)])).toThrow(
          expect.objectContaining({ code: 'too-large' }),
        );
      });

      it('meets a conversation that begins anew from the same remote address beside the old one', async () => {
        const { address, accepted } = await listen();
        const near = await dial(address);
        near.start(new RecordingHandler());
        const [OLD, NEW, NEITHER] = [1, 2, 3];
        const oldBytes: number[] = [];
        near.write([Uint8Array.of(OLD)]);
        await fixture.until(() => accepted.length === 1, 'the first is accepted');
        const [old] = accepted;
        old?.start({
          onBytes: (packet) => {
            const [byte = 0] = packet;
            if (byte === OLD) oldBytes.push(byte);
            else old.decline?.(packet, byte === NEW);
          },
          onWritable: () => undefined,
          onClosed: () => undefined,
        });
        near.write([Uint8Array.of(NEITHER)]);
        await fixture.quiet();
        expect(accepted).toHaveLength(1);
        near.write([Uint8Array.of(NEW)]);
        await fixture.until(() => accepted.length === 2, 'the second is accepted');
        expect(accepted[1]?.remoteAddress).toBe(old?.remoteAddress);
        const renewed = new RecordingHandler();
        accepted[1]?.start({
          onBytes: (packet) => {
            renewed.onBytes(packet);
            // The last in the row: a packet that nobody wants is dropped, and opens no third.
            accepted[1]?.decline?.(packet, true);
          },
          onWritable: () => undefined,
          onClosed: () => undefined,
        });
        near.write([Uint8Array.of(OLD)]);
        near.write([Uint8Array.of(NEW)]);
        await fixture.until(() => renewed.chunks.length === 2 && oldBytes.length === 2, 'each gets its own');
        old?.close();
        near.write([Uint8Array.of(OLD)]);
        await fixture.until(() => renewed.chunks.length === 3, 'the second has taken the place of the first');
        expect(renewed.bytes()).toEqual(Uint8Array.of(NEW, NEW, OLD));
      });

      it('tells packets of one remote from those of another', async () => {
        const { address, accepted } = await listen();
        const first = await dial(address);
        const second = await dial(address);
        first.write([Uint8Array.of(1)]);
        second.write([Uint8Array.of(2)]);
        first.write([Uint8Array.of(1)]);
        await fixture.until(() => accepted.length === 2, 'both are accepted');
        const events = accepted.map((connection) => {
          const handler = new RecordingHandler();
          connection.start(handler);
          return handler;
        });
        await fixture.until(
          () => events[0]?.chunks.length === 2 && events[1]?.chunks.length === 1,
          'all packets arrive',
        );
        expect(events[0]?.bytes()).toEqual(Uint8Array.of(1, 1));
        expect(events[1]?.bytes()).toEqual(Uint8Array.of(2));
      });
    }

    function streamPromises(): void {
      it('keeps every byte in order, however the writes were cut', async () => {
        const { near, farEvents } = await connect();
        const random = seededRandom('cuts');
        const data = random.bytes(3_000_000);
        let offset = 0;
        while (offset < data.length) {
          const chunks: Uint8Array[] = [];
          for (let i = random.integer(4); i >= 0; i--) {
            const length = random.fraction() < 0.5 ? random.integer(64) : random.integer(40_000);
            chunks.push(data.slice(offset, offset + length));
            offset += length;
          }
          const writable = near.write(chunks);
          if (!writable || random.fraction() < 0.05) {
            const sent = Math.min(offset, data.length);
            await fixture.until(() => farEvents.byteLength === sent, 'what was written arrives');
          }
        }
        await fixture.until(() => farEvents.byteLength === data.length, 'all bytes arrive');
        expect(Buffer.compare(farEvents.bytes(), data)).toBe(0);
      });

      it('asks to stop when the other side does not read, and says when to go on', async () => {
        const { near, far, nearEvents, farEvents } = await connect();
        far.pause();
        const chunk = 64 * 1024;
        let written = 0;
        while (near.write([new Uint8Array(chunk)])) {
          written += chunk;
          if (written > 64 * 1024 * 1024) throw new Error('Took 64 MiB without asking to stop.');
          if (written % (1024 * 1024) === 0) await fixture.quiet();
        }
        written += chunk;
        await fixture.quiet();
        expect(nearEvents.writable).toBe(0);
        far.resume();
        await fixture.until(() => nearEvents.writable === 1, 'the writer may go on');
        await fixture.until(() => farEvents.byteLength === written, 'all bytes arrive');
        expect(near.write([Uint8Array.of(1)])).toBe(true);
        await fixture.quiet();
        expect(nearEvents.writable).toBe(1);
      });

      it('flushes what was written before it closes, and neither side sees an error', async () => {
        const { near, nearEvents, farEvents } = await connect();
        const data = seededRandom('flush').bytes(700_000);
        near.write([data.slice()]);
        near.close();
        await fixture.until(() => farEvents.closed.length > 0, 'the other side sees the end');
        expect(Buffer.compare(farEvents.bytes(), data)).toBe(0);
        expect(farEvents.closed).toEqual([undefined]);
        expect(farEvents.afterClosed).toEqual([]);
        await fixture.until(() => nearEvents.closed.length > 0, 'the closing side is told');
        expect(nearEvents.closed).toEqual([undefined]);
      });

      it('shows an abort on the other side as a close, once', async () => {
        const { near, far, farEvents } = await connect();
        near.write([new Uint8Array(10)]);
        near.abort();
        await fixture.until(() => farEvents.closed.length > 0, 'the other side sees the end');
        far.write([Uint8Array.of(1)]);
        await fixture.quiet();
        expect(farEvents.closed).toHaveLength(1);
        expect(farEvents.afterClosed).toEqual([]);
        expect(farEvents.closed[0]?.code ?? 'closed').toBe('closed');
      });

      it('survives both sides closing at once', async () => {
        const { near, far, nearEvents, farEvents } = await connect();
        near.close();
        far.close();
        await fixture.until(() => nearEvents.closed.length + farEvents.closed.length === 2, 'both are told');
        expect([...nearEvents.closed, ...farEvents.closed]).toEqual([undefined, undefined]);
      });

      it('says unreachable where nobody listens', async () => {
        const dialling = fixture.settled(fixture.dialling.dial(fixture.silentAddress));
        await expect(dialling).rejects.toMatchObject({
          code: 'unreachable',
          message: expect.stringContaining(fixture.silentAddress),
        });
      });

      it('gives up when the signal aborts while it dials', async () => {
        const { address, accepted } = await listen();
        const controller = new AbortController();
        const dialling = fixture.dialling.dial(address, { signal: controller.signal });
        const rejected = expect(dialling).rejects.toMatchObject({ code: 'aborted' });
        controller.abort();
        await fixture.settled(rejected);
        await fixture.quiet();
        // The listener may have accepted before; then it must see the end.
        const events = accepted.map((connection) => {
          const handler = new RecordingHandler();
          connection.start(handler);
          return handler;
        });
        await fixture.until(() => events.every((handler) => handler.closed.length === 1), 'nothing is left open');
      });

      if (hasBlackHole) {
        it('gives up an address that swallows everything when the time is over', async () => {
          const dialling = fixture.settled(fixture.dialling.dial(fixture.blackHoleAddress ?? '', { timeoutMs: 50 }));
          await expect(dialling).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('50 ms') });
        });
      }
    }
  });
}

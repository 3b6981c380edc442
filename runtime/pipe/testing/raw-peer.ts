import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { groupIdToBytes, WORLD_GROUP } from '../../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../../id/peer-id.ts';
import { dialLink } from '../../link/dial-link.ts';
import type { Link, LinkHandler } from '../../link/link.ts';
import type { BindFrame, ControlFrame } from '../../wire/frame.ts';
import type { Overlay, TestPeer } from './overlay.ts';

/** A neighbour that says whatever the test wants, frame by frame. */
export class RawPeer implements LinkHandler {
  readonly idBytes: Uint8Array;
  readonly link: Link;
  readonly frames: ControlFrame[] = [];
  readonly data: { channel: number; sequence: number | undefined; payload: Uint8Array }[] = [];
  closed = false;
  readonly #overlay: Overlay;
  #channel = 100;

  private constructor(overlay: Overlay, link: Link) {
    this.#overlay = overlay;
    this.link = link;
    this.idBytes = peerIdToBytes(link.localPeer);
    link.start(this);
  }

  static async dial(overlay: Overlay, name: string, to: TestPeer): Promise<RawPeer> {
    const process = overlay.network.boot(name);
    const address = overlay.addresses.get(to.identity.id)?.[0] ?? '';
    const transport = process.transports.find(({ schemes }) => address.startsWith(`${schemes[0]}:`));
    if (transport === undefined) throw new Error(`no transport for ${address}`);
    const connection = await overlay.clock.run(transport.dial(address));
    const link = await overlay.clock.run(
      dialLink({
        connection,
        identity: overlay.identity(name),
        clock: process.clock,
        random: seededRandom(name),
        crypto: nodeCrypto,
      }),
    );
    return new RawPeer(overlay, link);
  }

  onData(channel: number, payload: Uint8Array, sequence: number | undefined): void {
    this.data.push({ channel, sequence, payload });
  }
  onFrame(frame: ControlFrame): void {
    this.frames.push(frame);
  }
  onRecordEnd(): void {}
  onWritable(): void {}
  onClosed(): void {
    this.closed = true;
  }

  bindFrame(init: {
    pipe: Uint8Array;
    target: PeerId;
    source?: PeerId;
    name: string;
    kind?: number;
    security?: number;
  }): BindFrame {
    return {
      type: 3,
      channel: this.#channel++,
      pipe: init.pipe,
      target: peerIdToBytes(init.target),
      source: init.source === undefined ? this.idBytes : peerIdToBytes(init.source),
      group: groupIdToBytes(WORLD_GROUP),
      name: init.name,
      // What a test asks for may be anything.
      kind: (init.kind ?? 2) as BindFrame['kind'],
      security: (init.security ?? 0) as BindFrame['security'],
      next: 0,
      limit: 1_000_000,
      credential: new Uint8Array(0),
      session: new Uint8Array(0),
    };
  }

  /** Sends a BIND and gives what is answered: `bound`, `unbind <code>`, or `nothing`. */
  async ask(frame: BindFrame): Promise<string> {
    const bind = { ...frame, channel: this.#channel++ };
    this.link.queueFrame(bind);
    await this.#overlay.clock.runFor(20);
    const answer = this.frames.find((other) => 'channel' in other && other.channel === bind.channel);
    if (answer === undefined) return 'nothing';
    return answer.type === 6 ? `unbind ${answer.code}` : answer.type === 4 ? 'bound' : `frame ${answer.type}`;
  }
}

import { type Peer, type PeerInit, PipevineError } from '@pipevine/runtime';
import * as protocol from '@pipevine/runtime/protocol';
import { messaging } from '../../runtime/peer/messaging.ts';
import type { PeerPart } from '../../runtime/peer/peer-part.ts';
import { relaying } from '../../runtime/peer/relaying.ts';
import type { LinkPort } from '../../runtime/pipe/link-port.ts';
import type { Clock } from '../../runtime/platform/clock.ts';
import { type ControlFrame, FrameType } from '../../runtime/wire/frame.ts';

/** What a relay does with one frame of a pipe that it forwards. */
export type Habit = (frame: ForwardedFrame, clock: Clock) => void;

export interface ForwardedFrame {
  readonly isData: boolean;
  /** Passes it on, as often as it is called; with another payload where that is given (data only). */
  pass(change?: (payload: Uint8Array) => Uint8Array): void;
  /** Says to both neighbours, on every channel that is known, that all has arrived. */
  claimArrival(): void;
}

/** A relay in all but one respect: what becomes of the frames that it forwards is up to its habit. */
export class HostileRelay {
  /** Undefined: it forwards as it should. */
  habit: Habit | undefined;
  /** Says of every pipe in the place of its target that there is none of that name. */
  denies = false;
  readonly #tapped = new WeakMap<LinkPort, LinkPort>();
  readonly #claims = new Map<string, () => void>();

  /** Makes the peer; for `create` of a machine. */
  readonly create = (init: PeerInit): Promise<Peer> => protocol.assemblePeer(init, [this.#relaying, messaging]);

  readonly #relaying: PeerPart = (context) => {
    const part = relaying(context);
    const { clock } = context.platform;
    const { forwarder } = part;
    if (forwarder === undefined) return part;
    return {
      ...part,
      forwarder: {
        forward: (port, frame, portTo) => {
          if (this.denies) throw new PipevineError('not-found', 'No such pipe.');
          forwarder.forward(this.#tap(port, clock), frame, (neighbour) => {
            const to = portTo(neighbour);
            return to && this.#tap(to, clock);
          });
        },
      },
    };
  };

  /** The same port, but that what is sent over it goes through the habit. */
  #tap(port: LinkPort, clock: Clock): LinkPort {
    let tapped = this.#tapped.get(port);
    if (tapped === undefined) {
      tapped = this.#makeTap(port, clock);
      this.#tapped.set(port, tapped);
    }
    return tapped;
  }

  #makeTap(port: LinkPort, clock: Clock): LinkPort {
    const link = replacing(port.link, {
      queueData: (channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): boolean => {
        const kept = payload.slice();
        const pass = (change = (bytes: Uint8Array) => bytes): void => {
          if (!port.closed) port.link.queueData(channel, change(kept), sequence, more);
        };
        this.#forward({ isData: true, pass, claimArrival: this.#claimArrival }, clock);
        return true;
      },
    });
    return replacing(port, {
      link,
      send: (frame: ControlFrame): void => {
        const isReport = frame.type === FrameType.confirm || frame.type === FrameType.ack;
        if (!isReport) return port.send(frame);
        const { channel } = frame;
        this.#claims.set(`${port.link.remotePeer} ${channel}`, () => {
          const counts = { next: 2 ** 20, limit: 2 ** 40, ranges: [] };
          port.send({ type: FrameType.ack, channel, ...counts });
          port.send({ type: FrameType.confirm, channel, session: new Uint8Array(60) });
        });
        const pass = (): void => {
          if (!port.closed) port.send(frame);
        };
        this.#forward({ isData: false, pass, claimArrival: this.#claimArrival }, clock);
      },
    });
  }

  readonly #claimArrival = (): void => {
    for (const claim of this.#claims.values()) claim();
  };

  #forward(frame: ForwardedFrame, clock: Clock): void {
    if (this.habit === undefined) frame.pass();
    else this.habit(frame, clock);
  }
}

/** The same object but for some members. Methods keep their `this`: they have private fields. */
function replacing<T extends object>(target: T, members: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get: (object, key) => {
      // A proxy is asked for any key; only those of T are replaced.
      if (Object.hasOwn(members, key)) return members[key as keyof T];
      const value: unknown = Reflect.get(object, key, object);
      return typeof value === 'function' ? value.bind(object) : value;
    },
    set: (object, key, value) => Reflect.set(object, key, value, object),
  });
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Params } from '../../cli/control/json-rpc.ts';
import { LabDaemon } from './lab-daemon.ts';
import { ADDRESSES, NetworkLab, type NetworkLabInit, type Place } from './network-lab.ts';
import { until } from './until.ts';

const PORT = 7473;
const LEASE_MS = 20_000;

export type IpVersion = 'ipv4' | 'ipv6';
export type RelayName = 'relay1' | 'relay2';
export type Scheme = 'tcp' | 'udp';

export interface OverlayInit extends NetworkLabInit {
  /** What relays and members listen on. Default: both. */
  readonly schemes?: readonly Scheme[];
}

export interface MemberInit {
  readonly place: Place;
  readonly name: string;
  /** By which it listens, and seeds lead to the relays. Default: ipv4. */
  readonly ip?: IpVersion;
  /** An edge, or a gateway with a broker for devices. Default: edge. */
  readonly profile?: 'edge' | 'gateway';
}

/** How a peer sees the way to another, as `pipevine explain --json` says it. */
export interface Explained {
  readonly link: { readonly transport: string; readonly address: string } | null;
  readonly pipes: readonly {
    readonly name: string;
    readonly path: { readonly type: string; readonly via: string } | null;
  }[];
  readonly punch: { readonly state: string; readonly reason: string } | null;
}

/** A laboratory, two relays on its internet, and members of their group wherever they are wanted; all of them real daemons. */
export class Overlay {
  readonly lab: NetworkLab;
  readonly relays: Readonly<Record<RelayName, LabDaemon>>;
  readonly #folder: string;
  readonly #schemes: readonly Scheme[];

  private constructor(lab: NetworkLab, schemes: readonly Scheme[]) {
    this.lab = lab;
    this.#schemes = schemes;
    this.#folder = mkdtempSync(join(tmpdir(), 'pipevine-overlay-'));
    this.relays = { relay1: this.#relay('relay1'), relay2: this.#relay('relay2') };
  }

  /** The group is that of relay1, who admits; relay2 has the role of a gateway in it. */
  static async create({ schemes = ['tcp', 'udp'], ...init }: OverlayInit): Promise<Overlay> {
    const overlay = new Overlay(await NetworkLab.create(init), schemes);
    try {
      const { relay1, relay2 } = overlay.relays;
      await relay1.up();
      await overlay.#join(relay2, 'ipv4', ['gateway']);
      await relay2.up();
      return overlay;
    } catch (error) {
      await overlay.close();
      throw error;
    }
  }

  /** A running member that leases at both relays. */
  async member({ place, name, ip = 'ipv4', profile = 'edge' }: MemberInit): Promise<LabDaemon> {
    const any = ip === 'ipv4' ? '0.0.0.0' : '[::]';
    const options = [
      ...['--profile', profile],
      ...this.#listen(`${any}:0`),
      ...this.#seeds(ip),
      ...(profile === 'gateway' ? ['--mqtt-listen', '0.0.0.0:1883', '--rendezvous', 'never'] : []),
    ];
    const daemon = new LabDaemon({ lab: this.lab, place, folder: this.#folder, name, options });
    if (profile === 'gateway') {
      // The group that it is in when it starts is the one that its devices belong to.
      await this.#join(daemon, ip, ['member', 'host']);
      await daemon.up();
    } else {
      await daemon.up();
      await daemon.call('join', { code: await this.#invite(['member']) });
    }
    await this.leased(daemon);
    return daemon;
  }

  /** Resolves when the daemon leases at so many relays. */
  async leased(daemon: LabDaemon, count = 2, deadlineMs = LEASE_MS): Promise<void> {
    let seen: readonly string[] = [];
    await until(
      `${daemon.name} to lease at ${count} relays`,
      deadlineMs,
      async () => {
        seen = await leasesOf(daemon);
        return seen.length >= count ? true : undefined;
      },
      () => seen,
    );
  }

  async close(): Promise<void> {
    await this.lab.close();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #relay(name: RelayName): LabDaemon {
    const options = [
      ...this.#listen(`[::]:${PORT}`),
      ...['--rendezvous', 'always', '--mqtt-listen', '127.0.0.1:1883'],
      ...(name === 'relay2' ? this.#seeds('ipv4') : []),
    ];
    return new LabDaemon({ lab: this.lab, place: `internet.${name}`, folder: this.#folder, name, options });
  }

  #listen(hostAndPort: string): string[] {
    return this.#schemes.flatMap((scheme) => ['--listen', `${scheme}://${hostAndPort}`]);
  }

  #seeds(ip: IpVersion): string[] {
    const address = ADDRESSES['internet.relay1'][ip];
    const host = ip === 'ipv6' ? `[${address}]` : address;
    return this.#schemes.flatMap((scheme) => ['--seed', `${scheme}://${host}:${PORT}`]);
  }

  async #invite(roles: readonly string[]): Promise<string> {
    const { code } = await this.relays.relay1.call('invite', { uses: 1, roles: [...roles] });
    return String(code);
  }

  /** Makes the home of a daemon that does not run yet a member's. */
  async #join(daemon: LabDaemon, ip: IpVersion, roles: readonly string[]): Promise<void> {
    const code = await this.#invite(roles);
    await daemon.command('join', code, '--name', daemon.name, '--no-multicast', ...this.#seeds(ip));
  }
}

/** The relays at which a daemon leases and to which it has a link, best first. */
export async function leasesOf(daemon: LabDaemon): Promise<readonly string[]> {
  const { groups, links } = await daemon.call('status');
  const linked = objects(links).map(({ peer }) => peer);
  return objects(groups)
    .flatMap(({ relays }) => ((relays as Params | null)?.leases as string[] | undefined) ?? []) // null of the world group
    .filter((relay) => linked.includes(relay));
}

const objects = (list: unknown): readonly Params[] => (Array.isArray(list) ? list : []);

/** What `from` says of its way to `to`. */
export async function explained(from: LabDaemon, to: LabDaemon): Promise<Explained> {
  return (await from.call('explain', { peer: to.peer })) as unknown as Explained; // documented in docs/cli.md
}

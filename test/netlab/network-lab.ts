import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isLeftover, labPrefix } from './lab-names.ts';
import { LabProcess, type LabProcessResult } from './lab-process.ts';
import { type NatKind, natRules } from './nat-rules.ts';
import { LABORATORY_ENVIRONMENT, missingForLaboratory } from './requirements.ts';
import { WELL, Wire, type WireConditions, type WireCounters, type WireDirection } from './wire.ts';

export interface NetworkLabInit {
  /** The NAT of either LAN. Default: `cone`. */
  readonly left?: NatKind;
  readonly right?: NatKind;
  /** Whether there is IPv6 beside IPv4: routed, behind a firewall. Default: false. */
  readonly ipv6?: boolean;
}

export type LanName = 'left' | 'right';
/** One LAN's line to the internet, or both lines. */
export type LineName = LanName | 'internet';
export type Place =
  | `${LanName}.host1`
  | `${LanName}.host2`
  | `${LanName}.router`
  | 'internet.relay1'
  | 'internet.relay2'
  | 'internet.switch';

export interface PlaceAddresses {
  readonly ipv4: string;
  /** Present in the laboratory's network when `ipv6` is set. */
  readonly ipv6: string;
}

/** The address by which others know the place: a host's in its LAN, a router's on the internet. Documentation ranges. */
export const ADDRESSES: Readonly<Record<Place, PlaceAddresses>> = {
  'internet.switch': { ipv4: '203.0.113.1', ipv6: '2001:db8:71::1' },
  'internet.relay1': { ipv4: '203.0.113.11', ipv6: '2001:db8:71::11' },
  'internet.relay2': { ipv4: '203.0.113.12', ipv6: '2001:db8:71::12' },
  'left.router': { ipv4: '203.0.113.101', ipv6: '2001:db8:71::101' },
  'left.host1': { ipv4: '10.71.1.11', ipv6: '2001:db8:71:1::11' },
  'left.host2': { ipv4: '10.71.1.12', ipv6: '2001:db8:71:1::12' },
  'right.router': { ipv4: '203.0.113.102', ipv6: '2001:db8:71::102' },
  'right.host1': { ipv4: '10.71.2.11', ipv6: '2001:db8:71:2::11' },
  'right.host2': { ipv4: '10.71.2.12', ipv6: '2001:db8:71:2::12' },
};
const PLACES = Object.keys(ADDRESSES) as Place[]; // Object.keys forgets the keys' type
const GATEWAYS: Readonly<Record<LanName, PlaceAddresses>> = {
  left: { ipv4: '10.71.1.1', ipv6: '2001:db8:71:1::1' },
  right: { ipv4: '10.71.2.1', ipv6: '2001:db8:71:2::1' },
};
const LANS = ['left', 'right'] as const;
const WIRE_SOURCE = fileURLToPath(new URL('wire.c', import.meta.url));

let made = 0;

/**
 * Two LANs, each behind a NAT router whose line to the internet misbehaves as told, and two hosts on the internet; all of it
 * in network namespaces of this machine, without a way out. Needs root: `missingForLaboratory` says what is missing.
 */
export class NetworkLab {
  readonly #prefix: string;
  readonly #folder: string;
  readonly #processes = new Set<LabProcess>();
  readonly #wires = new Map<LanName, Wire>();
  #closing: Promise<void> | undefined;

  private constructor() {
    this.#prefix = labPrefix(made++);
    this.#folder = mkdtempSync(join(tmpdir(), `${this.#prefix}-`));
  }

  /** Builds the networks; also removes what laboratories of dead processes have left. */
  static async create({ left = 'cone', right = 'cone', ipv6 = false }: NetworkLabInit = {}): Promise<NetworkLab> {
    const missing = missingForLaboratory();
    if (missing.length > 0) throw new Error(missing.join(' '));
    await NetworkLab.sweep();
    const lab = new NetworkLab();
    try {
      await lab.#build({ left, right }, ipv6);
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** Removes the namespaces, and ends the programs in them, of laboratories whose process is gone. Returns their names. */
  static async sweep(): Promise<string[]> {
    const names = await readdir('/run/netns').catch(() => []);
    const leftovers = names.filter(isLeftover);
    await removeNamespaces(leftovers);
    for (const entry of await readdir(tmpdir())) {
      if (isLeftover(entry)) rmSync(join(tmpdir(), entry), { recursive: true, force: true });
    }
    return leftovers;
  }

  /** Starts a program at a place. `close` ends it if it still runs. */
  run(place: Place, command: readonly string[], env?: NodeJS.ProcessEnv): LabProcess {
    if (this.#closing !== undefined) throw new Error('The laboratory is closed.');
    const labProcess = new LabProcess(this.namespace(place), command, env);
    this.#processes.add(labProcess);
    void labProcess.ended.then(() => this.#processes.delete(labProcess));
    return labProcess;
  }

  /** Runs a program to its end; rejects when that is not exit code 0. */
  async finish(place: Place, command: readonly string[]): Promise<LabProcessResult> {
    const result = await this.run(place, command).ended;
    if (result.code === 0) return result;
    throw new Error(`${command.join(' ')} at ${place} ended with ${result.code ?? result.signal}: ${result.stderr}`);
  }

  /** The name of the place's network namespace. */
  namespace(place: Place): string {
    return `${this.#prefix}-${place}`;
  }

  /** Changes a line, or both, in one direction or both; what is not named stays. `WELL` makes it good. */
  async shape(line: LineName, conditions: WireConditions, direction: WireDirection = 'both'): Promise<void> {
    await Promise.all(this.#lines(line).map((wire) => wire.shape(direction, conditions)));
  }

  /** Nothing passes the line any more. What is on its way still arrives. */
  async partition(line: LineName, direction: WireDirection = 'both'): Promise<void> {
    await Promise.all(this.#lines(line).map((wire) => wire.cut(direction, true)));
  }

  async heal(line: LineName, direction: WireDirection = 'both'): Promise<void> {
    await Promise.all(this.#lines(line).map((wire) => wire.cut(direction, false)));
  }

  /** Makes the line good again and heals it. */
  async restore(line: LineName): Promise<void> {
    await this.shape(line, WELL);
    await this.heal(line);
  }

  async counters(lan: LanName): Promise<WireCounters> {
    const wire = this.#wires.get(lan);
    if (wire === undefined) throw new Error(`The laboratory has no line ${lan}.`);
    return wire.counters();
  }

  /** The router forgets all mappings, as after a restart or when they expire. */
  async forgetMappings(lan: LanName): Promise<void> {
    const router: Place = `${lan}.router`;
    await this.finish(router, ['conntrack', '-F']);
    for (const map of ['udp_inside', 'tcp_inside']) {
      // Only a full cone has them.
      await this.run(router, ['nft', 'flush', 'map', 'ip', 'nat', map]).ended;
    }
  }

  /** Ends what runs and removes everything. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#remove();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #remove(): Promise<void> {
    const running = [...this.#processes];
    for (const labProcess of running) labProcess.kill();
    await Promise.all(running.map((labProcess) => labProcess.ended));
    await Promise.all([...this.#wires.values()].map((wire) => wire.close()));
    const existing = await readdir('/run/netns').catch(() => []);
    await removeNamespaces(existing.filter((name) => name.startsWith(`${this.#prefix}-`)));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #lines(line: LineName): Wire[] {
    return [...this.#wires].filter(([lan]) => line === 'internet' || line === lan).map(([, wire]) => wire);
  }

  async #build(nats: Readonly<Record<LanName, NatKind>>, ipv6: boolean): Promise<void> {
    const program = join(this.#folder, 'wire');
    const spaces = PLACES.map((place) => this.#namespaceCommands(place, ipv6));
    await Promise.all([
      execute('gcc', ['-O2', '-Wall', '-Wextra', '-o', program, WIRE_SOURCE]),
      execute('sh', ['-e'], [...spaces, this.#internetCommands(ipv6)].flat().join('\n')),
    ]);
    for (const lan of LANS) {
      const ends = [this.namespace(`${lan}.router`), 'wan', this.namespace('internet.switch'), lan] as const;
      this.#wires.set(lan, await Wire.start(program, ends));
      await execute('sh', ['-e'], this.#lanCommands(lan, ipv6).join('\n'));
      await execute('ip', ['netns', 'exec', this.namespace(`${lan}.router`), 'nft', '-f', '-'], natRules(nats[lan]));
    }
  }

  #namespaceCommands(place: Place, ipv6: boolean): string[] {
    const space = this.namespace(place);
    const isRouter = place.endsWith('.router');
    const settings = [
      ...['all', 'default', 'lo'].map((name) => `net.ipv6.conf.${name}.disable_ipv6=${ipv6 ? 0 : 1}`),
      ...['all', 'default'].map((name) => `net.ipv6.conf.${name}.accept_dad=0`),
      ...(isRouter ? ['net.ipv4.ip_forward=1', ...(ipv6 ? ['net.ipv6.conf.all.forwarding=1'] : [])] : []),
    ];
    return [
      `ip netns add ${space}`,
      `ip netns exec ${space} sysctl -qw ${settings.join(' ')}`,
      `ip -n ${space} link set lo up`,
    ];
  }

  #internetCommands(ipv6: boolean): string[] {
    return [
      ...this.#bridge('internet.switch', 'net', ADDRESSES['internet.switch'], ipv6),
      ...this.#host('internet.relay1', 'internet.switch', 'net', undefined, ipv6),
      ...this.#host('internet.relay2', 'internet.switch', 'net', undefined, ipv6),
      // Only what is behind a router is told of: the LANs' IPv4 addresses exist nowhere but in the LANs.
      ...(['internet.relay1', 'internet.relay2', 'internet.switch'] as const).flatMap((place) =>
        LANS.flatMap((lan) => this.#ipv6Route(place, lan, ipv6)),
      ),
    ];
  }

  #lanCommands(lan: LanName, ipv6: boolean): string[] {
    const router: Place = `${lan}.router`;
    const inside = this.namespace(router);
    const { ipv4, ipv6: own } = ADDRESSES[router];
    const outside = this.namespace('internet.switch');
    return [
      `ip -n ${outside} link set ${lan} master net up`,
      ...this.#bridge(router, 'lan', GATEWAYS[lan], ipv6),
      `ip -n ${inside} link set wan up`,
      `ip -n ${inside} addr add ${ipv4}/24 dev wan`,
      ...(ipv6 ? [`ip -n ${inside} addr add ${own}/64 dev wan nodad`] : []),
      ...LANS.filter((other) => other !== lan).flatMap((other) => this.#ipv6Route(router, other, ipv6)),
      ...this.#host(`${lan}.host1`, router, 'lan', GATEWAYS[lan], ipv6),
      ...this.#host(`${lan}.host2`, router, 'lan', GATEWAYS[lan], ipv6),
    ];
  }

  #bridge(place: Place, name: string, { ipv4, ipv6: own }: PlaceAddresses, ipv6: boolean): string[] {
    const space = this.namespace(place);
    return [
      `ip -n ${space} link add ${name} type bridge forward_delay 0 mcast_snooping 0`,
      `ip -n ${space} addr add ${ipv4}/24 dev ${name}`,
      ...(ipv6 ? [`ip -n ${space} addr add ${own}/64 dev ${name} nodad`] : []),
      `ip -n ${space} link set ${name} up`,
    ];
  }

  #host(place: Place, at: Place, bridge: string, gateway: PlaceAddresses | undefined, ipv6: boolean): string[] {
    const space = this.namespace(place);
    const port = place.split('.')[1];
    const { ipv4, ipv6: own } = ADDRESSES[place];
    return [
      `ip -n ${this.namespace(at)} link add ${port} type veth peer name eth0 netns ${space}`,
      `ip -n ${this.namespace(at)} link set ${port} master ${bridge} up`,
      `ip -n ${space} link set eth0 up`,
      `ip -n ${space} addr add ${ipv4}/24 dev eth0`,
      ...(ipv6 ? [`ip -n ${space} addr add ${own}/64 dev eth0 nodad`] : []),
      ...(gateway === undefined ? [] : [`ip -n ${space} route add default via ${gateway.ipv4}`]),
      ...(gateway === undefined || !ipv6 ? [] : [`ip -n ${space} -6 route add default via ${gateway.ipv6}`]),
    ];
  }

  #ipv6Route(place: Place, lan: LanName, ipv6: boolean): string[] {
    const network = `${GATEWAYS[lan].ipv6.slice(0, -1)}/64`;
    const via = ADDRESSES[`${lan}.router`].ipv6;
    return ipv6 ? [`ip -n ${this.namespace(place)} -6 route add ${network} via ${via}`] : [];
  }
}

async function removeNamespaces(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { stdout } = await execute('ip', ['netns', 'pids', name]);
    for (const pid of stdout.split('\n').filter((text) => text !== '')) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    await execute('ip', ['netns', 'del', name]);
  }
}

/** Runs a program of the machine; rejects with its complaint when it fails. */
async function execute(program: string, options: readonly string[], input = ''): Promise<{ stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, options, { stdio: ['pipe', 'pipe', 'pipe'], env: LABORATORY_ENVIRONMENT });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve({ stdout });
      else reject(new Error(`${program} ${options.join(' ')} failed (${code}): ${stderr}`));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

export interface EmulatedBoardInit {
  readonly machine: 'virt' | 'raspi3b';
  readonly card: string;
  readonly kernel: string;
  readonly initrd: string;
  /** Of a machine that does not bring its own. */
  readonly deviceTree?: string;
  /** Where its serial console is written to; what is there stays. */
  readonly log: string;
}

/** What each machine is, and where its console, card and network are. The Cortex-A53 is that of a Raspberry Pi 3. */
const MACHINES = {
  virt: {
    options: ['-cpu', 'cortex-a53', '-smp', '2', '-m', '512'],
    card: ['-device', 'virtio-blk-device,drive=card'],
    interface: 'none',
    network: 'virtio-net-device',
    console: 'ttyAMA0',
  },
  raspi3b: {
    options: [],
    card: [],
    interface: 'sd',
    network: 'usb-net',
    console: 'ttyAMA0,115200',
  },
} as const;

/** The host's loopback as the board reaches it: qemu's user network. */
export const HOST_ADDRESS = '10.0.2.2';

/** A board in qemu-system that boots from a card with the kernel of that card. Its network reaches loopback of this machine only as it is asked to. */
export class EmulatedBoard {
  readonly startedMs = performance.now();
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #console = '';

  constructor({ machine, card, kernel, initrd, deviceTree, log }: EmulatedBoardInit) {
    const { options, card: cardDevice, interface: bus, network, console } = MACHINES[machine];
    const args = [
      ...['-M', machine, ...options, '-nographic', '-no-reboot', '-kernel', kernel, '-initrd', initrd],
      ...(deviceTree === undefined ? [] : ['-dtb', deviceTree]),
      ...['-append', `root=LABEL=pipevine-root rw rootwait net.ifnames=0 console=${console}`],
      ...['-drive', `file=${card},format=raw,if=${bus},id=card,cache=unsafe`, ...cardDevice],
      ...['-netdev', 'user,id=net', '-device', `${network},netdev=net`],
      ...['-monitor', 'none', '-serial', 'stdio'],
    ];
    this.#child = spawn('qemu-system-aarch64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const file = createWriteStream(log, { flags: 'a' });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        file.write(bytes);
        this.#console = (this.#console + bytes.toString('latin1')).slice(-MAX_CONSOLE_CHARACTERS);
      });
    }
    this.#exited = once(this.#child, 'close').then(() => file.end());
  }

  /** The last of what its console has shown. */
  get console(): string {
    return this.#console;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** As if somebody pulled the plug. */
  async cutPower(): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

const MAX_CONSOLE_CHARACTERS = 256 * 1024;

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BoardSetup, encodeBoardSetup, SETUP_FILE } from '../../setup/board-setup.ts';
import type { FirstBootHost } from '../first-boot-host.ts';
import { STATUS_FILE } from '../status-file.ts';

const [UID, GID] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];

/** The files of a board below a folder of their own; its users are who runs the test. */
export class MadeUpBoard {
  readonly root: string;
  readonly commands: string[] = [];
  readonly host: FirstBootHost;
  /** What a command answers, and does. */
  answer: (command: string) => { code: number; output: string } = () => ({ code: 0, output: '' });
  readonly #boot: string;

  constructor(boot = '/boot/firmware') {
    this.root = mkdtempSync(join(tmpdir(), 'pipevine-board-'));
    this.#boot = boot;
    this.host = {
      root: this.root,
      run: async (command, args) => {
        this.commands.push([command, ...args].join(' '));
        return this.answer(this.commands.at(-1) ?? '');
      },
    };
    this.folder(boot);
    this.write('/etc/hostname', 'raspberrypi\n');
    this.write('/etc/hosts', '127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n');
    this.write('/proc/sys/kernel/hostname', 'raspberrypi\n');
    this.write('/etc/passwd', 'daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n');
    this.write('/etc/group', 'root:x:0:\ngpio:x:997:\nsudo:x:27:\n');
    this.addUser('pi');
  }

  at(path: string): string {
    return join(this.root, path);
  }

  folder(path: string): string {
    mkdirSync(this.at(path), { recursive: true });
    return this.at(path);
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), content);
  }

  read(path: string): string {
    return readFileSync(this.at(path), 'utf8');
  }

  has(path: string): boolean {
    return existsSync(this.at(path));
  }

  addUser(name: string): void {
    this.folder(`/home/${name}`);
    this.write('/etc/passwd', `${this.read('/etc/passwd')}${name}:x:${UID}:${GID}::/home/${name}:/bin/bash\n`);
  }

  get setupPath(): string {
    return join(this.#boot, SETUP_FILE);
  }

  setUp(setup: BoardSetup | string | Uint8Array): void {
    const isFile = typeof setup === 'string' || setup instanceof Uint8Array;
    this.write(this.setupPath, isFile ? setup : encodeBoardSetup(setup));
  }

  get status(): string {
    const path = join(this.#boot, STATUS_FILE);
    return this.has(path) ? this.read(path) : '';
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

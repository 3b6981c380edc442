import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { boardProfile, type PeerProfile } from '../profiles/board-profile.ts';
import { POWER_UNITS } from './power-units.ts';
import type { ServiceHost } from './service-host.ts';
import { CONFIG_FILE, CONFIG_TEMPLATE } from './service-paths.ts';
import { systemdUnit } from './systemd-unit.ts';

export { type ServiceHost, serviceHost } from './service-host.ts';

const UNIT = 'pipevine.service';
const UNIT_FOLDER = '/etc/systemd/system';
const UNIT_FILE = `${UNIT_FOLDER}/${UNIT}`;
const PACKAGED_UNIT_FILE = `/usr/lib/systemd/system/${UNIT}`;
/** The service sees no home folder, so what it runs stands here. */
const PROGRAM_FOLDER = '/usr/local/lib/pipevine';
const DATA_FOLDERS = ['/var/lib/private/pipevine', '/var/lib/pipevine'];

export interface InstallInit {
  /** An executable that holds Node and Pipevine, or Node itself. */
  readonly executable: string;
  /** Makes the bundle that Node runs, in this folder, and gives its path. Absent: the executable holds it. */
  readonly makeBundle?: (folder: string) => Promise<string>;
  readonly profile: PeerProfile;
  /** Of /proc/device-tree/model, to know the devices; undefined on other machines. */
  readonly model?: string;
  readonly isRoot: boolean;
}

export interface InstalledService {
  readonly unit: string;
  readonly program: string;
  readonly config: string;
  readonly isActive: boolean;
}

/** Installs this Pipevine as the machine's service, and starts it. Again: replaces the program, keeps configuration and data. */
export async function installService(host: ServiceHost, init: InstallInit): Promise<InstalledService> {
  mustBeRoot(init.isRoot, 'install');
  const at = (path: string) => join(host.root, path);
  if (existsSync(at(PACKAGED_UNIT_FILE))) {
    throw new BoardsError(
      'refused',
      `the Debian package has installed the service already; see: pipevine service status`,
    );
  }
  await mkdir(at(PROGRAM_FOLDER), { recursive: true });
  const program = `${PROGRAM_FOLDER}/${init.makeBundle === undefined ? 'pipevine' : 'node'}`;
  // A running program cannot be written over, only replaced.
  await copyFile(init.executable, at(`${program}.new`));
  await chmod(at(`${program}.new`), 0o755);
  await rename(at(`${program}.new`), at(program));
  const bundle = await init.makeBundle?.(at(PROGRAM_FOLDER));
  const script = bundle === undefined ? [] : [`/${bundle.slice(at('/').length)}`];
  const board = boardProfile(boardOf(init.model));
  const command = [program, ...script, 'up', '--profile', init.profile, '--config', CONFIG_FILE];
  await mkdir(dirname(at(UNIT_FILE)), { recursive: true });
  await writeFile(
    at(UNIT_FILE),
    systemdUnit({
      board,
      profile: init.profile,
      command,
      groups: groupsOf(host),
      ...(bundle !== undefined && { nodeFlags: board.nodeFlags }),
    }),
  );
  for (const [name, text] of Object.entries(POWER_UNITS)) await writeFile(at(`${UNIT_FOLDER}/${name}`), text);
  await mkdir(dirname(at(CONFIG_FILE)), { recursive: true });
  if (!existsSync(at(CONFIG_FILE))) await writeFile(at(CONFIG_FILE), CONFIG_TEMPLATE);
  await mustRun(host, 'systemctl', ['daemon-reload']);
  await mustRun(host, 'systemctl', ['enable', UNIT]);
  const { code } = await host.run('systemctl', ['restart', UNIT]);
  return { unit: UNIT_FILE, program, config: CONFIG_FILE, isActive: code === 0 };
}

/** Stops the service and takes its files away. `purge`: also configuration, identity and data. */
export async function uninstallService(host: ServiceHost, init: { isRoot: boolean; purge: boolean }): Promise<void> {
  mustBeRoot(init.isRoot, 'uninstall');
  const at = (path: string) => join(host.root, path);
  if (!existsSync(at(UNIT_FILE))) {
    throw new BoardsError(
      'not-found',
      existsSync(at(PACKAGED_UNIT_FILE))
        ? 'the service came with the Debian package; run: apt remove pipevine'
        : 'there is no service to uninstall here',
    );
  }
  await host.run('systemctl', ['disable', '--now', UNIT]);
  for (const name of [UNIT, ...Object.keys(POWER_UNITS)]) await rm(at(`${UNIT_FOLDER}/${name}`), { force: true });
  await rm(at(PROGRAM_FOLDER), { recursive: true, force: true });
  if (init.purge) {
    for (const folder of [...DATA_FOLDERS, dirname(CONFIG_FILE)])
      await rm(at(folder), { recursive: true, force: true });
  } else {
    await rmdir(at(dirname(CONFIG_FILE))).catch(() => {}); // it has files: they stay
  }
  await mustRun(host, 'systemctl', ['daemon-reload']);
}

export interface ServiceStatus {
  readonly isInstalled: boolean;
  /** By systemd: active, activating, inactive, failed. */
  readonly state: string;
  readonly isEnabled: boolean;
  readonly pid: number | null;
  readonly restarts: number;
  readonly memoryBytes: number | null;
  /** ISO 8601; null while it does not run. */
  readonly since: string | null;
}

export async function serviceStatus(host: ServiceHost): Promise<ServiceStatus> {
  const fields = [
    'LoadState',
    'ActiveState',
    'UnitFileState',
    'MainPID',
    'NRestarts',
    'MemoryCurrent',
    'ActiveEnterTimestamp',
  ];
  const args = ['show', UNIT, '--timestamp=unix', `--property=${fields.join(',')}`];
  const { code, output } = await host.run('systemctl', args);
  if (code !== 0) throw new BoardsError('environment', `systemctl show failed: ${output.trim()}`);
  const values = new Map(
    output.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const number = (name: string) => {
    const value = Number(values.get(name) || Number.NaN);
    return Number.isSafeInteger(value) ? value : null;
  };
  const since = /^@(\d+)/.exec(values.get('ActiveEnterTimestamp') ?? '')?.[1];
  const state = values.get('ActiveState') ?? 'unknown';
  return {
    isInstalled: values.get('LoadState') === 'loaded',
    state,
    isEnabled: values.get('UnitFileState') === 'enabled',
    pid: number('MainPID') || null,
    restarts: number('NRestarts') ?? 0,
    memoryBytes: number('MemoryCurrent'),
    since: state === 'active' && since !== undefined ? new Date(Number(since) * 1_000).toISOString() : null,
  };
}

/** Prints the journal of the service; `follow`: until the signal. */
export async function serviceLogs(
  host: ServiceHost,
  init: { lines: number; follow: boolean; signal: AbortSignal },
): Promise<void> {
  const args = ['--unit', UNIT, '--no-pager', '--lines', String(init.lines), ...(init.follow ? ['--follow'] : [])];
  const code = await host.show('journalctl', args, init.signal);
  if (code !== 0 && !init.signal.aborted) {
    throw new BoardsError(
      'environment',
      `journalctl ended with ${code}; the journal may be for root and the group adm only`,
    );
  }
}

/** The groups of the machine: a service that names one that is missing does not start. */
function groupsOf(host: ServiceHost): readonly string[] {
  try {
    return readFileSync(join(host.root, '/etc/group'), 'utf8')
      .split('\n')
      .map((line) => line.slice(0, line.indexOf(':')));
  } catch {
    return [];
  }
}

function boardOf(model: string | undefined): string {
  const arm = process.arch === 'arm64' ? 'generic-arm64' : process.arch === 'arm' ? 'rpi-32bit' : 'generic-x64';
  const known = [
    [/Raspberry Pi 5|Compute Module 5/, 'rpi-5'],
    [/Raspberry Pi 4|Compute Module 4/, 'rpi-4'],
    [/Raspberry Pi 3|Compute Module 3/, 'rpi-3'],
    [/Raspberry Pi Zero 2/, 'rpi-zero-2w'],
  ] as const;
  if (model === undefined || process.arch !== 'arm64') return arm;
  return known.find(([pattern]) => pattern.test(model))?.[1] ?? arm;
}

function mustBeRoot(isRoot: boolean, verb: string): void {
  if (!isRoot) throw new BoardsError('refused', `only root can ${verb} a service; run: sudo pipevine service ${verb}`);
}

async function mustRun(host: ServiceHost, command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await host.run(command, args);
  if (code !== 0)
    throw new BoardsError('environment', `${command} ${args.join(' ')} failed (${code}): ${output.trim()}`);
}

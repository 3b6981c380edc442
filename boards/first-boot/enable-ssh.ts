import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FirstBootHost } from './first-boot-host.ts';
import { systemctl } from './systemctl.ts';

const SERVICE = 'ssh.service';

/** Raspberry Pi OS comes with its SSH server off. One that is on, by its service or its socket, stays as it is. */
export async function enableSsh(host: FirstBootHost): Promise<void> {
  if (!existsSync(join(host.root, '/lib/systemd/system', SERVICE))) return;
  const { code } = await host.run('systemctl', ['--quiet', 'is-enabled', SERVICE, 'ssh.socket']);
  if (code !== 0) await systemctl(host, 'enable', '--now', SERVICE);
}

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FirstBootHost } from './first-boot-host.ts';
import { replaceSystemFile } from './replace-file.ts';

/** For the running system and for later boots: hostname(5), hosts(5). Needs no D-Bus, which is not there so early. */
export function setHostname({ root }: FirstBootHost, hostname: string): void {
  replaceSystemFile(join(root, '/etc/hostname'), `${hostname}\n`);
  const hosts = join(root, '/etc/hosts');
  const before = existsSync(hosts) ? readFileSync(hosts, 'utf8') : '127.0.0.1\tlocalhost\n';
  const others = before.split('\n').filter((line) => line !== '' && !/^127\.0\.1\.1\s/.test(line));
  replaceSystemFile(hosts, `${[...others, `127.0.1.1\t${hostname}`].join('\n')}\n`);
  const running = join(root, '/proc/sys/kernel/hostname');
  if (existsSync(running)) writeFileSync(running, hostname);
}

/** As the next start will have it; empty when nothing says so. */
export function hostnameOf(root: string): string {
  try {
    return readFileSync(join(root, '/etc/hostname'), 'utf8').trim();
  } catch {
    return '';
  }
}

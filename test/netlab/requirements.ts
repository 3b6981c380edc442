import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';

/** Debian keeps some of these where not everybody's PATH looks. */
export const LABORATORY_ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };

const PROGRAMS = [
  ['ip', ['-V'], 'iproute2'],
  ['nft', ['--version'], 'nftables'],
  ['conntrack', ['--version'], 'conntrack'],
  ['gcc', ['--version'], 'gcc libc6-dev'],
  ['sysctl', ['--version'], 'procps'],
] as const;

/** What the laboratory needs and this machine does not have, each as a sentence that says what to do; empty when all is there. */
export function missingForLaboratory(): string[] {
  const missing: string[] = [];
  if (process.getuid?.() !== 0) missing.push('The laboratory makes network namespaces: run it as root.');
  const packages = PROGRAMS.filter(
    ([program, options]) =>
      spawnSync(program, options, { stdio: 'ignore', env: LABORATORY_ENVIRONMENT }).error !== undefined,
  ).map(([, , debianPackage]) => debianPackage);
  if (packages.length > 0) missing.push(`Programs are missing: apt-get install ${packages.join(' ')}`);
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    missing.push('/dev/net/tun cannot be opened: load the kernel module tun, or give the container that device.');
  }
  return missing;
}

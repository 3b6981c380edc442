import { readFileSync } from 'node:fs';

const PREFIX = 'pvlab';
const NAME = /^pvlab-(\d+)-([0-9a-z]+)-\d+-/;

/** A laboratory's names begin with the process that owns it: its id and, as ids come again, when it started. */
export function labPrefix(number: number): string {
  return `${PREFIX}-${process.pid}-${startOf(process.pid) ?? '0'}-${number}`;
}

/** Whether the name is of a laboratory whose process is gone. */
export function isLeftover(name: string): boolean {
  const match = NAME.exec(name);
  return match !== null && startOf(Number(match[1])) !== match[2];
}

/** Field 22 of proc_pid_stat(5), in ticks since boot; the name in front of it may hold spaces and brackets. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ticks = text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined ? undefined : Number(ticks).toString(36);
  } catch {
    return undefined;
  }
}

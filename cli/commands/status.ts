import type { JsonValue } from '@pipevine/runtime';
import type { Params } from '../control/json-rpc.ts';
import { humanDuration } from '../output/duration.ts';
import { EXIT } from '../output/exit-code.ts';
import { table } from '../output/table.ts';
import { askDaemon, type CommandContext, listOf, shortId, textOf } from './command-context.ts';

export async function status(context: CommandContext): Promise<number> {
  const report = await askDaemon(context, 'status');
  context.output.value(report, () => statusText(report as Params)); // the daemon reports an object
  return EXIT.done;
}

const objects = (value: JsonValue | undefined): readonly Params[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null && !Array.isArray(item)) : [];

export function statusText(report: Params): string {
  const lines = [
    `"${textOf(report.name)}" (${shortId(report.peer)}), ${textOf(report.profile)}, version ${textOf(report.version)}`,
    `  up ${humanDuration(Number(report.uptimeMs))}, ${Math.round(Number(report.memoryBytes) / 1e6)} MB, process ${report.pid}, data in ${textOf(report.home)}`,
    ...listOf(report.addresses).map((address) => `  listening  ${address}`),
    ...objects(report.groups).map(
      (group) => `  group      ${textOf(group.name)} (${shortId(group.id)})${withRoles(listOf(group.roles))}`,
    ),
  ];
  const links = objects(report.links);
  lines.push('', links.length === 0 ? 'No links.' : '');
  if (links.length > 0) {
    lines.pop();
    lines.push(
      table(
        ['LINK TO', 'ADDRESS', 'ROUND TRIP', 'IN', 'OUT'],
        links.map((link) => [
          shortId(link.peer),
          textOf(link.address),
          typeof link.rttMs === 'number' ? `${link.rttMs.toFixed(1)} ms` : '-',
          bytes(link.bytesIn),
          bytes(link.bytesOut),
        ]),
      ),
    );
  }
  const connectors = report.connectors;
  if (typeof connectors === 'object' && connectors !== null) {
    for (const [name, facts] of Object.entries(connectors)) {
      const { state, broker, devices } = facts as Params; // connectors report objects
      lines.push('', `${name}: ${state ?? 'unknown'} to ${broker ?? 'its broker'}, ${devices ?? 0} devices`);
    }
  }
  const queues = Object.entries(typeof report.queues === 'object' && report.queues !== null ? report.queues : {});
  // Only what is nearly full or has lost something is worth a line; --json shows all.
  const notable = queues.filter(([, bound]) => {
    const { used, limit, dropped } = bound as Params; // bounds are objects of numbers
    return Number(dropped) > 0 || Number(used) > 0.8 * Number(limit);
  });
  if (notable.length > 0) {
    lines.push(
      '',
      table(
        ['BOUND', 'USED', 'LIMIT', 'DROPPED'],
        notable.map(([name, bound]) => {
          const { used, limit, dropped } = bound as Params; // as above
          return [name, String(used), String(limit), String(dropped)];
        }),
      ),
    );
  }
  return lines.join('\n');
}

const withRoles = (roles: readonly string[]) => (roles.length === 0 ? '' : `, ${roles.join(', ')}`);

function bytes(value: JsonValue | undefined): string {
  const count = Number(value ?? 0);
  if (count < 10_000) return `${count} B`;
  return count < 10_000_000 ? `${Math.round(count / 1e3)} kB` : `${Math.round(count / 1e6)} MB`;
}

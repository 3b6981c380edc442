import type { Params } from '../control/json-rpc.ts';
import { humanBytes } from '../output/bytes.ts';
import { humanDuration } from '../output/duration.ts';
import { EXIT } from '../output/exit-code.ts';
import { table } from '../output/table.ts';
import { askDaemon, type CommandContext, listOf, nameOf, objectsOf, shortId, textOf } from './command-context.ts';
import { relaysText } from './relays-text.ts';
import { rendezvousText } from './rendezvous-text.ts';

export async function status(context: CommandContext): Promise<number> {
  const report = await askDaemon(context, 'status');
  context.output.value(report, () => statusText(report as Params)); // the daemon reports an object
  return EXIT.done;
}

export function statusText(report: Params): string {
  const lines = [
    `"${textOf(report.name)}" (${shortId(report.peer)}), ${textOf(report.profile)}, version ${textOf(report.version)}`,
    `  up ${humanDuration(Number(report.uptimeMs))}, ${Math.round(Number(report.memoryBytes) / 1e6)} MB, process ${report.pid}, data in ${textOf(report.home)}`,
    ...listOf(report.addresses).map((address) => `  listening  ${address}`),
    ...objectsOf(report.groups).map(
      (group) => `  group      ${nameOf(group.name)} (${shortId(group.id)})${withRoles(listOf(group.roles))}`,
    ),
    ...objectsOf(report.groups).flatMap((group) => {
      const text = rendezvousText(group.rendezvous);
      return text === undefined ? [] : [`  rendezvous ${text} (${nameOf(group.name)})`];
    }),
    ...objectsOf(report.groups).flatMap((group) => {
      const text = relaysText(group.relays);
      return text === undefined ? [] : [`  relay      ${text} (${nameOf(group.name)})`];
    }),
    ...objectsOf(report.applications).map(
      (one) => `  applied    to ${nameOf(one.name)} (${shortId(one.group)}), waiting for approval`,
    ),
  ];
  const links = objectsOf(report.links);
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
          humanBytes(link.bytesIn),
          humanBytes(link.bytesOut),
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

import type { Arguments } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';
import { humanBytes } from '../output/bytes.ts';
import { humanDuration } from '../output/duration.ts';
import { EXIT } from '../output/exit-code.ts';
import { printable } from '../output/printable.ts';
import { table } from '../output/table.ts';
import { askDaemon, type CommandContext, listOf, nameOf, objectsOf, shortId, textOf } from './command-context.ts';
import { groupParam } from './group-option.ts';

export async function info(context: CommandContext, peer: string, local: Arguments['local']): Promise<number> {
  const report = (await askDaemon(context, 'peer.info', { peer, ...groupParam(local) })) as Params; // a peer's report
  context.output.value(report, () => infoText(report));
  return EXIT.done;
}

export function infoText(report: Params): string {
  const roles = listOf(report.roles).map(printable).join(', ');
  const memory = typeof report.memoryBytes === 'number' ? `, ${humanBytes(report.memoryBytes)} of memory` : '';
  const links = objectsOf(report.links);
  const lines = [
    `"${nameOf(report.name)}" (${shortId(report.peer)})${roles && `, ${roles}`}, version ${nameOf(report.version)}`,
    `  up ${humanDuration(Number(report.uptimeMs))}${memory}, ${humanBytes(report.bytesIn)} in, ${humanBytes(report.bytesOut)} out`,
    `  ${counted(Number(report.linkCount), 'link')}${report.links === null ? ', not told where to' : ''}; ${counted(listOf(report.groups).length, 'group')} in common`,
  ];
  if (links.length === 0) return lines.join('\n');
  const rows = links.map((link) => [
    shortId(link.peer),
    printable(textOf(link.address)),
    typeof link.rttMs === 'number' ? `${link.rttMs.toFixed(1)} ms` : '-',
  ]);
  return [...lines, '', table(['LINK TO', 'ADDRESS', 'ROUND TRIP'], rows)].join('\n');
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

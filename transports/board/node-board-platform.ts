import { nodeClock } from '../node/node-clock.ts';
import type { BoardPlatform } from './board-platform.ts';
import { nodeBoardCommands } from './node-board-commands.ts';
import { nodeBoardFiles } from './node-board-files.ts';
import { nodeBoardPower } from './node-board-power.ts';
import { nodeSerialPorts } from './node-serial-ports.ts';

/** The board that this process runs on. */
export function nodeBoardPlatform(): BoardPlatform {
  const commands = nodeBoardCommands();
  return {
    files: nodeBoardFiles(),
    commands,
    serialPorts: nodeSerialPorts(commands),
    power: nodeBoardPower(commands, nodeClock),
    clock: nodeClock,
  };
}

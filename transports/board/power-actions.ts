import type { PowerAction } from './board-config.ts';
import type { BoardPart } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';

const TITLES: Readonly<Record<PowerAction, string>> = { shutdown: 'Shut down', reboot: 'Start anew' };

/** The allowed ones of `shutdown` and `reboot`, for administrators. The answer comes before the board goes. */
export function powerActions({ power }: BoardPlatform, allowed: readonly PowerAction[]): BoardPart {
  return {
    actions: allowed.map((name) => ({
      name,
      affordance: { title: TITLES[name], description: 'For administrators of the group', safe: false },
      guarded: true,
      invoke: async () => {
        await power.ask(name);
        return undefined;
      },
    })),
  };
}

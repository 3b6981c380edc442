import type { PowerAction } from './board-config.ts';
import type { BoardPart } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';

const TIMEOUT_MS = 8_000;
const COMMANDS: Readonly<Record<PowerAction, { readonly verb: string; readonly title: string }>> = {
  shutdown: { verb: 'poweroff', title: 'Shut down' },
  reboot: { verb: 'reboot', title: 'Start anew' },
};

/** The allowed ones of `shutdown` and `reboot`, for administrators. The answer comes before the board goes. */
export function powerActions({ commands }: BoardPlatform, allowed: readonly PowerAction[]): BoardPart {
  return {
    actions: allowed.map((name) => ({
      name,
      affordance: { title: COMMANDS[name].title, description: 'For administrators of the group', safe: false },
      guarded: true,
      invoke: async () => {
        const command = ['systemctl', '--no-ask-password', '--no-block', COMMANDS[name].verb];
        await commands.run(command, { timeoutMs: TIMEOUT_MS, maxBytes: 4_096 });
        return undefined;
      },
    })),
  };
}

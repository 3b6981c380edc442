import type { CommandSpec, LocalOption } from '../arguments/command-spec.ts';

const ROOT: LocalOption = { key: 'root', placeholder: 'DIR', description: 'another system than /, for trying' };

const load = () => import('./first-boot.ts');

/** What the units of a board run at each boot, by the setup file on its boot partition. */
export const FIRST_BOOT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'first-boot apply',
    family: 'what a board does with the setup on its card',
    parameters: [],
    description: 'set hostname, SSH keys, Wi-Fi and configuration as the card says; run by pipevine-first-boot.service',
    settings: [],
    options: [ROOT],
    run: async (context, { local }) => (await load()).apply(context, local),
  },
  {
    name: 'first-boot join',
    parameters: [],
    description: 'join by the code on the card, however long that takes; run by pipevine-join.service',
    settings: [],
    options: [ROOT],
    run: async (context, { local }) => (await load()).join(context, local),
  },
];

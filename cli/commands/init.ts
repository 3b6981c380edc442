import { existsSync, writeFileSync } from 'node:fs';
import { identityFromSeed, shortPeerId } from '@pipevine/runtime';
import { nodeCrypto, nodeRandom } from '@pipevine/transports';
import { configFileOf } from '../config/settings.ts';
import { fileFailure, homeAt, makeHome } from '../home/home.ts';
import { createIdentitySeed, readIdentitySeed } from '../home/identity-key.ts';
import { EXIT } from '../output/exit-code.ts';
import type { CommandContext } from './command-context.ts';

/** Makes the identity and a configuration file to start from; what is there already stays as it is. */
export async function init({ settings, output }: CommandContext): Promise<number> {
  const home = homeAt(settings.home);
  makeHome(home);
  const existing = readIdentitySeed(home.identityFile);
  const seed = existing ?? createIdentitySeed(home.identityFile, (length) => nodeRandom.bytes(length));
  const { id } = identityFromSeed(nodeCrypto, seed);
  const config = configFileOf(home.path);
  const makesConfig = !existsSync(config);
  if (makesConfig) {
    try {
      writeFileSync(config, template(settings.name), { flag: 'wx' });
    } catch (error) {
      throw fileFailure(`the configuration ${config} cannot be written`, error);
    }
  }
  output.value({ peer: id, name: settings.name, home: home.path, config, created: existing === undefined }, () =>
    [
      `${existing === undefined ? 'New peer' : 'This peer is there already:'} "${settings.name}" (${shortPeerId(id)})`,
      `  id      ${id}`,
      `  data    ${home.path}`,
      `  config  ${config}${makesConfig ? '' : ' (left as it was)'}`,
      `Next: pipevine up --home ${home.path}, or pipevine join CODE --home ${home.path}`,
    ].join('\n'),
  );
  return EXIT.done;
}

function template(name: string): string {
  return [
    '# Pipevine configuration; every key is explained in docs/configuration.md.',
    `name: ${JSON.stringify(name)}`,
    '# profile: gateway',
    '# listen: tcp://0.0.0.0:7473',
    '# seed: tcp://192.168.1.5:7473',
    '# mqtt: mqtt://user@broker:1883',
    '# mqtt-listen: 0.0.0.0:1883',
    '# multicast: true',
    '',
  ].join('\n');
}

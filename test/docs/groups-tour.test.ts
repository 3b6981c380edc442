import { readFileSync, writeFileSync } from 'node:fs';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Examples, Household, stepsOf } from '../e2e/group-journey.ts';
import { showLamp } from '../e2e/hall-lamp.ts';
import { temporaryFolder } from '../e2e/pipevine-process.ts';

const steps = stepsOf(readFileSync(new URL('../../docs/groups.md', import.meta.url), 'utf8'));

describe('a line of the page', () => {
  it.each([
    ['peer lgeubvn2 up 17 s', 'peer aaaabbbb up 2 min 3 s', true],
    ['at tcp://192.168.1.5:7473', 'at tcp://127.0.0.1:40001', true],
    ['lgeubvn2 and lgeubvn2', 'aaaabbbb and aaaabbbb', true],
    ['lgeubvn2 and lgeubvn2', 'aaaabbbb and ccccdddd', false],
    ['lgeubvn2 and bsoltsik', 'aaaabbbb and aaaabbbb', false],
    ['cellar  member', 'cellar  guest', false],
    ['cellar  member', 'cellar', false],
  ])('%s: %s is %s', (shown, real, same) => {
    expect(new Examples().agree([shown], [real])).toBe(same);
  });

  it('stands for one peer on the whole page', () => {
    const examples = new Examples();
    expect(examples.agree(['...', 'peer lgeubvn2'], ['first', 'peer aaaabbbb'])).toBe(true);
    expect(examples.agree(['peer lgeubvn2'], ['peer ccccdddd'])).toBe(false);
    expect(examples.agree(['peer lgeubvn2'], ['peer aaaabbbb', 'more'])).toBe(false);
    expect(examples.command('pipevine info lgeubvn2')).toBe('pipevine info aaaabbbb');
  });
});

/** The commands of the page, in their order, on as many machines as it has; each starts where the one before it ended. */
describe('the tour of docs/groups.md', () => {
  const examples = new Examples();
  let folder: { path: string; remove(): Promise<void> };
  let household: Household;
  let device: MqttClient | undefined;
  let failed = false;

  beforeAll(async () => {
    folder = await temporaryFolder();
    writeFileSync(`${folder.path}/password.txt`, 'open sesame\n');
    household = new Household({
      folder: folder.path,
      onGateway: async (machine, mqttPort) => {
        if (machine !== 'cellar') return;
        device = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqttPort}`);
        await showLamp(device);
      },
    });
  });

  afterAll(async () => {
    await device?.endAsync(true);
    await household?.end();
    await folder?.remove();
  });

  it('has commands', () => {
    expect(steps.length).toBeGreaterThan(30);
  });

  it.each(steps.map((step) => [`${step.machine}$ ${step.command}`, step] as const))(
    '%s',
    async (_title, step) => {
      if (failed) throw new Error('A command before it did not do what the page says.');
      failed = true;
      const outcome = await household.follow(step, examples);
      if (outcome !== 'as expected') {
        expect(outcome).toEqual(step.expected);
        throw new Error('An id or a code of the page stands for another thing here than above.');
      }
      failed = false;
    },
    90_000,
  );
});

import { type Clock, PipevineError } from '@pipevine/runtime';
import type { PwmConfig } from './board-config.ts';
import type { BoardPart } from './board-part.ts';
import type { BoardFiles, BoardPlatform } from './board-platform.ts';

/** How often, and after which pause, an exported channel is looked for: rules of udev take a moment to give the right to it. */
const EXPORT_TRIES = 10;
const EXPORT_PAUSE_MS = 50;

/**
 * PWM channels of the kernel's class, each a property: the duty cycle in percent. A channel is taken at the first write, and
 * goes on as it is when the daemon ends: a fan must not stop with it.
 */
export function pwm({ files, clock }: BoardPlatform, configs: readonly PwmConfig[]): BoardPart {
  return {
    properties: configs.map((config) => {
      let last: Promise<void> = Promise.resolve();
      return {
        name: config.name,
        affordance: { title: 'Duty cycle', type: 'number', unit: '%', minimum: 0, maximum: 100 },
        read: () => readDuty(files, config),
        write: (value) => {
          const writing = last.then(() => writeDuty(files, clock, config, Number(value)));
          last = writing.catch(() => undefined);
          return writing;
        },
      };
    }),
  };
}

const chipOf = ({ chip }: PwmConfig) => `/sys/class/pwm/pwmchip${chip}`;
const channelOf = (config: PwmConfig) => `${chipOf(config)}/pwm${config.channel}`;

async function readDuty(files: BoardFiles, config: PwmConfig): Promise<number> {
  const [enabled, period, duty] = await Promise.all(
    ['enable', 'period', 'duty_cycle'].map(async (file) =>
      Number((await files.read(`${channelOf(config)}/${file}`))?.trim()),
    ),
  );
  if (enabled === undefined || Number.isNaN(enabled)) await checkChip(files, config);
  return enabled === 1 && period && duty ? Math.round((duty / period) * 10_000) / 100 : 0;
}

async function writeDuty(files: BoardFiles, clock: Clock, config: PwmConfig, percent: number): Promise<void> {
  const folder = channelOf(config);
  await exported(files, clock, config);
  const period = Math.round(1e9 / config.frequencyHz);
  if (Number((await files.read(`${folder}/period`))?.trim()) !== period) {
    // The kernel refuses a period that is shorter than the duty time.
    await files.write(`${folder}/duty_cycle`, '0').catch(() => undefined); // refused as long as there is no period at all
    await files.write(`${folder}/period`, String(period));
  }
  await files.write(`${folder}/duty_cycle`, String(Math.round((period * percent) / 100)));
  await files.write(`${folder}/enable`, '1');
}

async function exported(files: BoardFiles, clock: Clock, config: PwmConfig): Promise<void> {
  const there = async () => (await files.list(channelOf(config))).includes('duty_cycle');
  if (await there()) return;
  await checkChip(files, config);
  await files.write(`${chipOf(config)}/export`, String(config.channel));
  for (let tries = 0; tries < EXPORT_TRIES; tries++) {
    if (await there()) return;
    await new Promise<void>((resolve) => clock.setTimer(EXPORT_PAUSE_MS, resolve));
  }
  throw new PipevineError(
    'unreachable',
    `PWM "${config.name}": channel ${config.channel} did not appear in ${chipOf(config)}`,
  );
}

async function checkChip(files: BoardFiles, config: PwmConfig): Promise<void> {
  const channels = Number((await files.read(`${chipOf(config)}/npwm`))?.trim());
  if (config.channel < channels) return;
  const there = Number.isNaN(channels)
    ? `there is no ${chipOf(config)}; is PWM switched on?`
    : `${chipOf(config)} has ${channels} channels`;
  throw new PipevineError('not-found', `PWM "${config.name}", channel ${config.channel}: ${there}`);
}

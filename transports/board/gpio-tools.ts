import type { PinConfig } from './board-config.ts';

/**
 * How libgpiod's tools are called. Its two generations differ: 1 (Debian 12) takes chip and offset as words, 2 (Debian 13)
 * takes `--chip`, debounces in the kernel, says by `--banner` when it has the line, and sets a held line anew when asked to.
 */
export type GpioToolsVersion = 1 | 2;

/** From `gpioget (libgpiod) v1.6.3`; undefined when it says something else. */
export function gpioToolsVersion(text: string): GpioToolsVersion | undefined {
  const [, major] = /\bv(\d+)\.\d/.exec(text) ?? [];
  return major === '1' ? 1 : major === '2' ? 2 : undefined;
}

/** Prints `0` or `1`, true to `activeLow`. */
export function getCommand(version: GpioToolsVersion, pin: PinConfig): readonly string[] {
  return version === 1
    ? ['gpioget', ...flags(1, pin), pin.chip, String(pin.line)]
    : ['gpioget', '--numeric', ...flags(2, pin), String(pin.line)];
}

/**
 * Holds the line until its standard input ends; 2 says when it has it. `settable`: 2 takes `setLine` meanwhile, if it was
 * built to; if not, it holds the line until it is stopped.
 */
export function holdCommand(
  version: GpioToolsVersion,
  pin: PinConfig,
  value: boolean,
  settable: boolean,
): readonly string[] {
  return version === 1
    ? ['gpioset', '--mode=wait', ...flags(1, pin), pin.chip, assignment(pin, value)]
    : ['gpioset', '--banner', ...(settable ? ['--interactive'] : []), ...flags(2, pin), assignment(pin, value)];
}

/** What 2 is told to change a line that it holds. */
export function setLine(pin: PinConfig, value: boolean): string {
  return `set ${assignment(pin, value)}\n`;
}

/** Prints a line an edge, always of both kinds: they tell the level, too. */
export function monitorCommand(version: GpioToolsVersion, pin: PinConfig): readonly string[] {
  return version === 1
    ? ['gpiomon', '--line-buffered', '--format=%e', ...flags(1, pin), pin.chip, String(pin.line)]
    : [
        'gpiomon',
        '--banner',
        '--format=%e',
        `--debounce-period=${pin.debounceMs}ms`,
        ...flags(2, pin),
        String(pin.line),
      ];
}

/** The level after the edge that a line of the monitor tells; undefined for the banner. */
export function levelOf(version: GpioToolsVersion, line: string): boolean | undefined {
  const text = line.trim();
  if (text === '1') return true;
  return text === (version === 1 ? '0' : '2') ? false : undefined;
}

function flags(version: GpioToolsVersion, { chip, activeLow, pull }: PinConfig): readonly string[] {
  const disabled = version === 1 ? 'disable' : 'disabled';
  return [
    ...(version === 2 ? [`--chip=${chip}`] : []),
    ...(activeLow ? ['--active-low'] : []),
    ...(pull === undefined ? [] : [`--bias=${pull === 'none' ? disabled : `pull-${pull}`}`]),
  ];
}

function assignment({ line }: PinConfig, value: boolean): string {
  return `${line}=${value ? 1 : 0}`;
}

export { type CommandLineInit, runCommandLine } from './command-line.ts';
export { configSchema } from './config/config-schema.ts';
export { ControlClient } from './control/control-client.ts';
export { EXIT, exitCodeOf } from './output/exit-code.ts';
export { VERSION } from './version.ts';

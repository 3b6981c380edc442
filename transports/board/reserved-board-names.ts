/** Names that the board itself uses, so that nothing in the configuration may. */
export const RESERVED_BOARD_NAMES: readonly string[] = [
  'model',
  'serialNumber',
  'temperature',
  'throttling',
  'load',
  'memory',
  'disk',
  'uptime',
  'network',
  'hardware',
  'usb',
];

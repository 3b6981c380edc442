export * from './connector.ts';
export * from './mqtt/broker-limits.ts';
export * from './mqtt/embedded-broker.ts';
export * from './mqtt/mqtt-connector.ts';
export * from './mqtt/password-file.ts';
export * from './proxy-host.ts';
export * from './virtual-peer/hosting-peer.ts';

export { type Board, type OpenBoardInit, openBoard } from './board/board.ts';
export {
  type BoardConfig,
  type CameraConfig,
  type LedConfig,
  type PinConfig,
  POWER_ACTIONS,
  type PowerAction,
  type PwmConfig,
  SENSOR_SOURCES,
  type SensorConfig,
  type SerialConfig,
} from './board/board-config.ts';
export type { BoardAction, BoardEvent, BoardOutlets, BoardProperty } from './board/board-part.ts';
export type {
  BoardCommands,
  BoardFiles,
  BoardPlatform,
  SerialPort,
  SerialPorts,
  SerialSettings,
} from './board/board-platform.ts';
export { nodeBoardPlatform } from './board/node-board-platform.ts';
export { RESERVED_BOARD_NAMES } from './board/reserved-board-names.ts';
export { type HttpCounters, type HttpTransport, type HttpTransportInit, httpTransport } from './http/http-transport.ts';
export { type ProxySettings, proxySettingsFrom } from './http/proxy-settings.ts';
export type { WebTlsInit } from './http/web-tls.ts';
export { MemoryHost } from './memory/memory-host.ts';
export { MemoryLocalNetwork } from './memory/memory-local-network.ts';
export { MemoryNetwork, type MemoryNetworkCounters, type MemoryNetworkInit } from './memory/memory-network.ts';
export { type MemoryPlatformInit, memoryPlatform } from './memory/memory-platform.ts';
export { MemoryProcess } from './memory/memory-process.ts';
export { MemoryStorage, type MemoryStorageInit } from './memory/memory-storage.ts';
export { type NetworkConditions, QUIET_LAN } from './memory/network-conditions.ts';
export { ProcessClock } from './memory/process-clock.ts';
export { SeededRandom, seededRandom } from './memory/seeded-random.ts';
export { VirtualClock, type VirtualClockInit } from './memory/virtual-clock.ts';
export type { BrokerLogin, MqttCounters, MqttLimits, MqttTransportInit } from './mqtt/mqtt-options.ts';
export { type MqttTransport, mqttTransport } from './mqtt/mqtt-transport.ts';
export { nodeClock } from './node/node-clock.ts';
export { nodeCrypto } from './node/node-crypto.ts';
export { type NodePlatformInit, nodePlatform } from './node/node-platform.ts';
export { nodeRandom } from './node/node-random.ts';
export { openSqliteStorage, type SqliteStorage, type SqliteStorageInit } from './node/sqlite-storage.ts';
export { type TcpCounters, type TcpTransport, type TcpTransportInit, tcpTransport } from './tcp/tcp-transport.ts';
export { type DnsSdDirectory, dnsSdDirectory } from './udp/dns-sd-directory.ts';
export type { UdpCounters } from './udp/udp-counters.ts';
export { type UdpLocalNetwork, udpLocalNetwork } from './udp/udp-local-network.ts';
export type { UdpLocalNetworkInit } from './udp/udp-options.ts';
export { type UdpTransport, udpTransport } from './udp/udp-transport.ts';
export type { UdpTransportCounters } from './udp/udp-transport-counters.ts';
export type { UdpTransportInit } from './udp/udp-transport-options.ts';
export {
  type WebSocketCounters,
  type WebSocketTransport,
  type WebSocketTransportInit,
  webSocketTransport,
} from './websocket/websocket-transport.ts';

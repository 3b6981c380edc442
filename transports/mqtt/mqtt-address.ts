import { type EndpointAddress, formatEndpointAddress, PipevineError, parseEndpointAddress } from '@pipevine/runtime';

/** A place at an MQTT broker. */
export interface MqttAddress {
  readonly tls: boolean;
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Topic levels under which everything happens, without slashes at the ends. */
  readonly prefix: string;
  /** 32 lower-case hex digits: a listener that can be dialled (or, as the address of a dialler, its session). */
  readonly id: string | undefined;
}

/** A prefix of this length leaves most of the shortest topic limit in use (256 bytes) to what comes after it. */
const MAX_PREFIX_CHARACTERS = 128;
const DEFAULT_PORT = { mqtt: 1883, mqtts: 8883 } as const;
/** Printable ASCII without what has a meaning in a topic filter (MQTT 3.1.1, 4.7.1) or in a URI. */
const PREFIX = /^(?!\$)[A-Za-z0-9$._~!&'()*,;=:@-]+(?:\/[A-Za-z0-9$._~!&'()*,;=:@-]+)*$/;
const ID = /^[0-9a-f]{32}$/;

/** Reads `mqtt://broker[:1883]/PREFIX` or `mqtts://...`, with `#ID` where a listener is meant. Throws `invalid-address`. */
export function parseMqttAddress(address: EndpointAddress): MqttAddress {
  const { scheme, host, port, path } = parseEndpointAddress(address);
  const [prefix = '', id, ...more] = path.slice(1).split('#');
  if (scheme !== 'mqtt' && scheme !== 'mqtts') refuse(address, 'the scheme is mqtt or mqtts');
  if (host === '' || host === '*' || port === 0) refuse(address, 'it names no broker');
  if (prefix.length > MAX_PREFIX_CHARACTERS || !PREFIX.test(prefix)) {
    refuse(address, `after the broker comes a topic of at most ${MAX_PREFIX_CHARACTERS} characters, without + and #`);
  }
  if (more.length > 0 || (id !== undefined && !ID.test(id))) refuse(address, "a listener's id is 32 hex digits");
  return { tls: scheme === 'mqtts', host, port: port ?? DEFAULT_PORT[scheme], prefix, id };
}

/** The text that `parseMqttAddress` reads, always with the port. */
export function mqttAddressText({ tls, host, port, prefix, id }: MqttAddress): EndpointAddress {
  const path = id === undefined ? `/${prefix}` : `/${prefix}#${id}`;
  return formatEndpointAddress({ scheme: tls ? 'mqtts' : 'mqtt', host, port, path });
}

/** Reads `mqtt://broker`, `mqtts://broker:8884`, as `brokerText` writes it. Throws `invalid-address`. */
export function parseBroker(text: string): string {
  const { scheme, host, port, path } = parseEndpointAddress(text);
  if ((scheme === 'mqtt' || scheme === 'mqtts') && host !== '' && host !== '*' && port !== 0 && path === '') {
    return brokerText({ tls: scheme === 'mqtts', host, port: port ?? DEFAULT_PORT[scheme] });
  }
  throw new PipevineError(
    'invalid-address',
    `"${text.slice(0, 120)}" is no MQTT broker: expected mqtt://host, mqtts://host or either with a port, and no more.`,
  );
}

/** The broker alone, as `mqtt://host:port`: what logins and connections are kept by. */
export function brokerText({ tls, host, port }: Pick<MqttAddress, 'tls' | 'host' | 'port'>): string {
  return formatEndpointAddress({ scheme: tls ? 'mqtts' : 'mqtt', host, port, path: '' });
}

function refuse(address: EndpointAddress, why: string): never {
  throw new PipevineError(
    'invalid-address',
    `"${address.slice(0, 120)}" is not an MQTT address: expected mqtt://broker:1883/PREFIX, and ${why}.`,
  );
}

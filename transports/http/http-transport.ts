import type {
  Clock,
  Connection,
  DialOptions,
  EndpointAddress,
  Random,
  Transport,
  TransportListener,
} from '@pipevine/runtime';
import { nodeClock } from '../node/node-clock.ts';
import { nodeRandom } from '../node/node-random.ts';
import { LongPollClient } from './long-poll-client.ts';
import { LongPollExchange } from './long-poll-exchange.ts';
import { LongPollServer, type LongPollServerCounters, type UploadBudget } from './long-poll-server.ts';
import { SESSION_ID_BYTES } from './long-poll-wire.ts';
import { chooseProxy, type ProxySettings } from './proxy-settings.ts';
import { RemoteAdmission } from './remote-admission.ts';
import { parseWebAddress, type WebAddress, type WebSchemes, webAddressText } from './web-address.ts';
import { dialWeb } from './web-dial.ts';
import { statusFailure } from './web-failure.ts';
import { openWebServer } from './web-server.ts';
import { readAuthorities, type WebTlsInit } from './web-tls.ts';

const SCHEMES: WebSchemes = ['http', 'https'];
/** Sockets for each session: one request up, one down, one to spare for those that a client leaves behind. */
const SOCKETS_PER_SESSION = 3;

export interface HttpTransportInit {
  /** Files for `https`. Default: no listening on it, and the system's authorities for dials. */
  readonly tls?: WebTlsInit;
  /** The proxies for dials; `proxySettingsFrom(environment)` reads the usual variables. Default: none. */
  readonly proxy?: ProxySettings;
  /** `write` asks to stop when this much has not arrived at the other side. Default: 1 MiB, as for TCP. */
  readonly highWaterBytes?: number;
  /** No more is taken from the other side while this much waits for the owner, and up to 256 KiB that were on the way. Default: 256 KiB. */
  readonly maxWaitingBytes?: number;
  /** Sessions open at once, over all listeners; three times as many sockets. Default: 4,096. */
  readonly maxConnections?: number;
  /** The same from one IP address. Default: 256. Behind a reverse proxy all have its address: give more then. */
  readonly maxConnectionsPerRemote?: number;
  /** Bodies of requests in memory at once, over all listeners, in bytes. Default: 64 MiB. */
  readonly maxUploadBytes?: number;
  /** Time for a client's TLS handshake and for a request's header. Default: 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** A session of which nothing is heard for so long is over. Default: 60,000, two polls that were lost. */
  readonly sessionTimeoutMs?: number;
  /** Largest header of a request or an answer, in bytes. Default: 8,192. */
  readonly maxHeaderBytes?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface HttpCounters extends Readonly<LongPollServerCounters> {
  /** Accepted sessions that are open. */
  readonly open: number;
  readonly accepted: number;
  readonly dialled: number;
  /** Refused because `maxConnections` were open. */
  readonly refusedTotal: number;
  /** Refused because `maxConnectionsPerRemote` were open from that address. */
  readonly refusedPerRemote: number;
  /** Sockets of the listeners that are open. */
  readonly openSockets: number;
  /** Sockets closed at once because too many were open. */
  readonly refusedSockets: number;
}

export interface HttpTransport extends Transport {
  readonly counters: HttpCounters;
}

/** Connections over plain HTTP requests, long-polling: `http://host:port` and `https://host:port`, below the path /pipevine. */
export function httpTransport(init: HttpTransportInit = {}): HttpTransport {
  return new LongPollTransport({
    tls: init.tls ?? {},
    proxy: init.proxy ?? {},
    highWaterBytes: init.highWaterBytes ?? 1024 * 1024,
    maxWaitingBytes: init.maxWaitingBytes ?? 256 * 1024,
    maxConnections: init.maxConnections ?? 4096,
    maxConnectionsPerRemote: init.maxConnectionsPerRemote ?? 256,
    maxUploadBytes: init.maxUploadBytes ?? 64 * 1024 * 1024,
    handshakeTimeoutMs: init.handshakeTimeoutMs ?? 10_000,
    sessionTimeoutMs: init.sessionTimeoutMs ?? 60_000,
    maxHeaderBytes: init.maxHeaderBytes ?? 8192,
    clock: init.clock ?? nodeClock,
    random: init.random ?? nodeRandom,
  });
}

class LongPollTransport implements HttpTransport {
  readonly schemes: readonly string[] = SCHEMES;
  readonly #options: Required<HttpTransportInit>;
  readonly #sessions: RemoteAdmission;
  readonly #sockets: RemoteAdmission;
  readonly #uploads: UploadBudget;
  readonly #served: LongPollServerCounters = { refusedRequests: 0, unknownSessions: 0, droppedGuesses: 0 };
  #dialled = 0;

  constructor(options: Required<HttpTransportInit>) {
    const { maxConnections, maxConnectionsPerRemote } = options;
    this.#options = options;
    this.#sessions = new RemoteAdmission(maxConnections, maxConnectionsPerRemote);
    this.#sockets = new RemoteAdmission(
      maxConnections * SOCKETS_PER_SESSION,
      maxConnectionsPerRemote * SOCKETS_PER_SESSION,
    );
    this.#uploads = { bytes: 0, maxBytes: options.maxUploadBytes };
  }

  get counters(): HttpCounters {
    const { open, refusedTotal, refusedPerRemote } = this.#sockets.counters;
    return {
      ...this.#sessions.counters,
      ...this.#served,
      dialled: this.#dialled,
      openSockets: open,
      refusedSockets: refusedTotal + refusedPerRemote,
    };
  }

  dial(address: EndpointAddress, options?: DialOptions): Promise<Connection> {
    return dialWeb(address, SCHEMES, this.#options.clock, options, (target, signal) =>
      this.#open(address, target, signal),
    );
  }

  async listen(address: EndpointAddress, onConnection: (connection: Connection) => void): Promise<TransportListener> {
    const parsed = parseWebAddress(address, SCHEMES);
    const { tls, handshakeTimeoutMs, maxHeaderBytes } = this.#options;
    const server = await openWebServer({
      address,
      parsed,
      tls,
      sockets: this.#sockets,
      handshakeTimeoutMs,
      maxHeaderBytes,
    });
    let isClosed = false;
    const polls = new LongPollServer({
      ...this.#options,
      scheme: parsed.scheme,
      sessions: this.#sessions,
      uploads: this.#uploads,
      counters: this.#served,
      onConnection,
      onIdle: () => {
        // After the answers that say so.
        if (isClosed) this.#options.clock.setTimer(LAST_ANSWERS_MS, () => server.close());
      },
    });
    server.http.on('request', (request, response) => polls.handle(request, response));
    return {
      get addresses() {
        return server.addresses();
      },
      // Sessions that run go on over the sockets that they have: no others lead here any more.
      close: () => {
        isClosed = true;
        polls.stopAccepting();
        return polls.size === 0 ? server.close() : server.closePort();
      },
    };
  }

  async #open(address: EndpointAddress, target: WebAddress, signal: AbortSignal): Promise<Connection> {
    const { proxy, tls, maxHeaderBytes, clock, random } = this.#options;
    const exchange = new LongPollExchange({
      address,
      target,
      proxy: chooseProxy(proxy, target),
      ca: target.secure ? await readAuthorities(tls) : undefined,
      maxHeaderBytes,
      // Drawn by the client: an open that arrives twice opens once.
      session: Buffer.from(random.bytes(SESSION_ID_BYTES)).toString('hex'),
      clock,
    });
    try {
      const { answer, socket } = await exchange.ask('open', 0, undefined, signal);
      if (answer.busy) throw statusFailure(address, 503);
      signal.throwIfAborted();
      this.#dialled++;
      const { localAddress = '0.0.0.0', localPort = 0 } = socket;
      const { connection } = new LongPollClient({
        ...this.#options,
        exchange,
        localAddress: webAddressText(target.scheme, localAddress, localPort),
        remoteAddress: webAddressText(target.scheme, target.host, target.port),
      });
      // The first poll has the first socket. A second one now: the first bytes up need not wait for it then, and what was
      // accepted lives on when the listener closes its port.
      await exchange.ask('up', 0, undefined, signal).catch(() => undefined);
      if (signal.aborted) connection.abort();
      return connection;
    } catch (error) {
      // The server may have opened the session: it should not wait for a client that is gone.
      if (signal.aborted) void farewell(exchange, clock);
      else exchange.close();
      throw error;
    }
  }
}

/** A client's last requests come within this time of the end. */
const LAST_ANSWERS_MS = 2000;

async function farewell(exchange: LongPollExchange, clock: Clock): Promise<void> {
  const patience = new AbortController();
  const timer = clock.setTimer(LAST_ANSWERS_MS, () => patience.abort());
  await exchange.ask('reset', 0, undefined, patience.signal).catch(() => undefined);
  timer.cancel();
  exchange.close();
}

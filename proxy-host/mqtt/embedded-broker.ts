import { createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { type Clock, PipevineError, type Storage, type Timer } from '@pipevine/runtime';
import type { Aedes, AedesPublishPacket, AuthenticateError, Client, PublishPacket, Subscription } from 'aedes';
import { clientOf, disableDeduplication, nameMessage, subscriptionsOf, withholdWill } from './aedes-internals.ts';
import { BrokerClient } from './broker-client.ts';
import { type BrokerLimits, brokerLimits } from './broker-limits.ts';
import type { BrokerPacket } from './broker-packet.ts';
import { BrokerPersistence } from './broker-persistence.ts';
import { ClientScreen, type ScreenBudget } from './client-screen.ts';
import { listenError } from './listen-error.ts';
import { ScreenedStream } from './screened-stream.ts';
import { topicFilterFault, topicNameFault } from './topic.ts';

/** How often sockets are looked at for being stuck. */
const SWEEP_MS = 1_000;
const EXPIRY_MS = 3_600_000;
/** What a closed socket may take to send its last bytes. */
const LINGER_MS = 2_000;
/** A quarter of it is how long after a restart the wills of clients that did not come back are published. */
const HEARTBEAT_MS = 15_000;

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface EmbeddedBrokerInit {
  readonly storage: Storage;
  readonly clock: Clock;
  /** Default: all interfaces, port 1883. Port 0 takes a free one. */
  readonly listen?: Partial<ListenAddress>;
  /** Checks a login. Absent: anybody may connect. Present: only who has a user name for which it says true. */
  readonly authenticate?: (username: string, password: string) => boolean | Promise<boolean>;
  readonly limits?: Partial<BrokerLimits>;
}

/** Counters count from the start of the broker. */
export interface EmbeddedBrokerStatus {
  readonly clients: number;
  readonly clientsRefused: number;
  readonly loginsRefused: number;
  readonly published: number;
  /** Connections ended for what they sent: garbage, a packet or topic over the limits. */
  readonly protocolErrors: number;
  readonly packetsTooLarge: number;
  readonly packetsTimedOut: number;
  readonly subscriptionsRefused: number;
  /** QoS 0 messages not sent to clients that take too slowly. */
  readonly slowDropped: number;
  readonly slowDisconnected: number;
  readonly publishesRefused: number;
  readonly outgoingBytes: number;
  readonly partialBytes: number;
  readonly retainedMessages: number;
  readonly retainedBytes: number;
  readonly retainedRefused: number;
  readonly retainedUnwritten: number;
  readonly sessions: number;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  readonly queueDropped: number;
  readonly storageFailures: number;
}

export interface EmbeddedBroker extends AsyncDisposable {
  /** Where it listens; the real port where 0 was asked for. */
  readonly address: ListenAddress;
  /** A connection without a socket, for this process itself: it needs no login and counts towards no address. */
  connectInProcess(): Duplex;
  status(): EmbeddedBrokerStatus;
  /** Says goodbye to the clients and writes what is not written. Idempotent. */
  close(): Promise<void>;
}

/** Starts a broker for MQTT 3.1, 3.1.1 and 5. Rejects with `address-in-use`, `permission-denied` or `invalid-address`. */
export async function startEmbeddedBroker(init: EmbeddedBrokerInit): Promise<EmbeddedBroker> {
  // aedes is loaded only where a broker is wanted: it costs memory and time at the start.
  const { Aedes } = await import('aedes');
  const broker = new AedesBroker(init);
  await broker.start(Aedes);
  return broker;
}

class AedesBroker implements EmbeddedBroker {
  readonly #clock: Clock;
  readonly #limits: BrokerLimits;
  readonly #persistence: BrokerPersistence;
  readonly #authenticate: EmbeddedBrokerInit['authenticate'];
  readonly #listen: ListenAddress;
  readonly #clients = new Set<BrokerClient>();
  readonly #byClient = new WeakMap<Client, BrokerClient>();
  readonly #perAddress = new Map<string, number>();
  readonly #budget: ScreenBudget = { partialBytes: 0 };
  readonly #counters = {
    clientsRefused: 0,
    loginsRefused: 0,
    published: 0,
    protocolErrors: 0,
    packetsTooLarge: 0,
    packetsTimedOut: 0,
    subscriptionsRefused: 0,
    slowDropped: 0,
    slowDisconnected: 0,
    publishesRefused: 0,
  };
  #aedes: Aedes | undefined;
  #server: Server | undefined;
  #address: ListenAddress | undefined;
  #outgoingBytes = 0;
  #pendingLogins = 0;
  #sweepTimer: Timer | undefined;
  #expiryTimer: Timer | undefined;
  #closing: Promise<void> | undefined;

  constructor(init: EmbeddedBrokerInit) {
    this.#clock = init.clock;
    this.#limits = brokerLimits(init.limits);
    this.#authenticate = init.authenticate;
    this.#listen = { host: init.listen?.host ?? '0.0.0.0', port: init.listen?.port ?? 1883 };
    this.#persistence = new BrokerPersistence({
      storage: init.storage,
      clock: init.clock,
      limits: this.#limits,
      paceOf: (clientId) => this.#find(clientId),
    });
  }

  get address(): ListenAddress {
    return this.#address ?? this.#listen;
  }

  async start(Broker: typeof Aedes): Promise<void> {
    const limits = this.#limits;
    this.#aedes = await Broker.createBroker({
      persistence: this.#persistence,
      // 0: no queue inside aedes. Publishers wait for their own messages, so nothing piles up.
      concurrency: 0,
      heartbeatInterval: HEARTBEAT_MS,
      connectTimeout: limits.connectTimeoutMs,
      drainTimeout: 0,
      maxTopicLevels: 100, // its own largest: depth is judged here, where a SUBSCRIBE can be refused without a disconnect
      maxInflightInbound: limits.maxInflightPerClient,
      maxClientsIdLength: limits.maxClientIdLength,
      preConnect: (client, packet, callback) => this.#preConnect(client, packet, callback),
      authenticate: (client, username, password, done) => this.#login(client, username, password, done),
      authorizePublish: (client, packet, callback) => this.#authorizePublish(client, packet, callback),
      authorizeSubscribe: (client, subscription, callback) => {
        callback(null, this.#authorizeSubscribe(client, subscription));
      },
      authorizeForward: (client, packet) => this.#authorizeForward(client, packet),
    });
    this.#watch(this.#aedes);
    try {
      await this.#bind();
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#scheduleSweep();
    this.#scheduleExpiry();
  }

  connectInProcess(): Duplex {
    if (this.#closing !== undefined) throw new PipevineError('closed', 'the MQTT broker is closed');
    const [near, far] = duplexPair();
    this.#accept(far, 'in-process', true);
    return near;
  }

  status(): EmbeddedBrokerStatus {
    const retained = this.#persistence.retained.status();
    const sessions = this.#persistence.sessions.status();
    return {
      clients: this.#clients.size,
      ...this.#counters,
      outgoingBytes: this.#outgoingBytes,
      partialBytes: this.#budget.partialBytes,
      retainedMessages: retained.messages,
      retainedBytes: retained.bytes,
      retainedRefused: retained.refused,
      retainedUnwritten: retained.unwritten,
      sessions: sessions.sessions,
      queuedMessages: sessions.queuedMessages,
      queuedBytes: sessions.queuedBytes,
      queueDropped: sessions.queueDropped,
      storageFailures: this.#persistence.status().storageFailures + retained.writeFailures,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#sweepTimer?.cancel();
    this.#expiryTimer?.cancel();
    const server = this.#server;
    const stopped = new Promise<void>((resolve) => {
      if (server?.listening === true) server.close(() => resolve());
      else resolve();
    });
    const goodbye = new PipevineError('closed', 'the MQTT broker shuts down');
    for (const connection of this.#clients) {
      // A shutdown is not the client's death: its will stays stored, and is published after the next start unless the
      // client is back by then.
      if (connection.client !== undefined) withholdWill(connection.client);
      const last = connection.screen.farewell(goodbye);
      if (last !== undefined) connection.stream.sendPast(last);
    }
    const aedes = this.#aedes;
    if (aedes !== undefined) await new Promise<void>((resolve) => aedes.close(() => resolve()));
    for (const connection of this.#clients) connection.stream.destroy();
    await this.#persistence.close();
    for (const socket of this.#sockets) socket.destroySoon();
    const linger = this.#clock.setTimer(LINGER_MS, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await stopped;
    linger.cancel();
  }

  readonly #sockets = new Set<Socket>();

  #bind(): Promise<void> {
    const { host, port } = this.#listen;
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#accept(socket, socket.remoteAddress ?? 'unknown', false);
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(listenError(error, host, port)));
      server.listen({ host, port }, () => {
        server.removeAllListeners('error');
        server.on('error', () => {
          this.#counters.clientsRefused++; // accept failed: too many open files
        });
        const bound = server.address();
        if (bound !== null && typeof bound === 'object') this.#address = { host, port: bound.port };
        resolve();
      });
    });
  }

  #accept(inner: Duplex, address: string, trusted: boolean): void {
    const aedes = this.#aedes;
    const fromAddress = this.#perAddress.get(address) ?? 0;
    const full = this.#clients.size >= this.#limits.maxClients || fromAddress >= this.#limits.maxClientsPerAddress;
    if (aedes === undefined || this.#closing !== undefined || (full && !trusted)) {
      this.#counters.clientsRefused++;
      inner.on('error', () => {});
      inner.destroy();
      return;
    }
    const screen = new ClientScreen({
      limits: this.#limits,
      budget: this.#budget,
      newClientId: () => `pipevine-${crypto.randomUUID()}`,
      nowMs: () => this.#clock.monotonicMs(),
      sendDirect: (bytes) => stream.sendPast(bytes),
      onAbruptEnd: () => stream.abort(),
    });
    const stream = new ScreenedStream(inner, screen, (delta) => {
      this.#outgoingBytes += delta;
    });
    const connection = new BrokerClient({ stream, screen, address, trusted });
    this.#clients.add(connection);
    this.#perAddress.set(address, fromAddress + 1);
    stream.once('close', () => this.#gone(connection, inner));
    const client = aedes.handle(stream);
    connection.client = client;
    this.#byClient.set(client, connection);
  }

  #gone(connection: BrokerClient, inner: Duplex): void {
    this.#clients.delete(connection);
    connection.screen.release();
    connection.screen.translation?.close();
    const left = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(connection.address, left);
    else this.#perAddress.delete(connection.address);
    if (inner.destroyed) return;
    const linger = this.#clock.setTimer(LINGER_MS, () => inner.destroy());
    inner.once('close', () => linger.cancel());
  }

  #watch(aedes: Aedes): void {
    const failed = (_client: Client, error: Error) => {
      // aedes also reports each message that it could not write to a connection that has just ended.
      if (error.message === 'connection closed' || isSocketError(error)) return;
      if (error instanceof PipevineError && error.code === 'too-large') this.#counters.packetsTooLarge++;
      else if (!(error instanceof PipevineError && error.code === 'refused')) this.#counters.protocolErrors++;
    };
    aedes.on('clientError', failed);
    aedes.on('connectionError', failed);
    aedes.on('publish', (_packet, client) => {
      if (client !== null && client !== undefined) this.#counters.published++;
    });
    aedes.on('clientReady', (client) => {
      if (!client.clean) this.#persistence.sessions.arrived(client.id).catch(() => {});
    });
    aedes.on('clientDisconnect', (client) => {
      if (!client.clean) this.#persistence.sessions.left(client.id).catch(() => {});
    });
    aedes.on('subscribe', (_subscriptions, client) => {
      if (client === null || client === undefined) return;
      this.#recount(client);
      this.#persistence.expectRetained(client.id);
    });
    aedes.on('unsubscribe', (_filters, client) => {
      if (client !== null && client !== undefined) this.#recount(client);
    });
    // Without a listener an error event would end the process; the storage's failures are counted where they happen.
    (aedes as NodeJS.EventEmitter).on('error', () => {
      this.#counters.protocolErrors++;
    });
  }

  #find(clientId: string): BrokerClient | undefined {
    const client = this.#aedes === undefined ? undefined : clientOf(this.#aedes, clientId);
    return client === undefined ? undefined : this.#byClient.get(client);
  }

  #recount(client: Client): void {
    const connection = this.#byClient.get(client);
    if (connection !== undefined && !connection.trusted)
      connection.subscriptions = Object.keys(subscriptionsOf(client)).length;
  }

  #preConnect(
    client: Client,
    packet: {
      readonly clientId: string;
      readonly clean?: boolean;
      readonly will?: { topic: string };
      readonly protocolVersion?: number;
    },
    callback: (error: Error | null, success: boolean) => void,
  ): void {
    const connection = this.#byClient.get(client);
    if (connection === undefined) {
      callback(new PipevineError('internal', 'MQTT: a connection that the broker did not accept'), false);
      return;
    }
    disableDeduplication(client, this.#aedes?.id ?? '');
    const { maxClientIdLength } = this.#limits;
    connection.identifierFault =
      packet.clientId.length > maxClientIdLength ||
      packet.clientId.includes('\0') ||
      (packet.clientId === '' && packet.clean === false);
    const willFault = packet.will === undefined ? undefined : this.#topicFault(packet.will.topic);
    if (willFault !== undefined) {
      callback(new PipevineError('protocol', `MQTT: the topic of the will ${willFault}`), false);
      return;
    }
    if (!connection.screen.startClean) {
      callback(null, true);
      return;
    }
    this.#persistence.forget(packet.clientId).then(
      () => callback(null, true),
      (error: Error) => callback(error, false),
    );
  }

  #login(
    client: Client,
    username: string | undefined,
    password: Uint8Array | undefined,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void {
    const connection = this.#byClient.get(client);
    const refuse = (message: string, returnCode: 2 | 3 | 5) => {
      const error = new PipevineError('refused', message);
      done(Object.assign(error, { returnCode }) as AuthenticateError, null); // an Error with a return code is one
    };
    if (connection === undefined || connection.identifierFault) {
      refuse('MQTT: expected a client id of 1 to 256 characters, or a clean session', 2);
      return;
    }
    if (!client.clean && !this.#persistence.sessions.hasRoomFor(client.id)) {
      this.#counters.clientsRefused++;
      refuse(`MQTT: at most ${this.#limits.maxSessions} sessions are kept: connect with a clean session`, 3);
      return;
    }
    const authenticate = this.#authenticate;
    if (authenticate === undefined || connection.trusted) {
      done(null, true);
      return;
    }
    if (this.#pendingLogins >= this.#limits.maxPendingLogins) {
      this.#counters.clientsRefused++;
      refuse('MQTT: too many logins at one time', 3);
      return;
    }
    this.#pendingLogins++;
    const given = password === undefined ? '' : new TextDecoder().decode(password);
    const check = username === undefined ? false : authenticate(username, given);
    Promise.resolve(check)
      .catch(() => false)
      .then((accepted) => {
        if (accepted) {
          this.#pendingLogins--;
          done(null, true);
          return;
        }
        this.#counters.loginsRefused++;
        this.#clock.setTimer(this.#limits.refusedLoginDelayMs, () => {
          this.#pendingLogins--;
          refuse('MQTT: user name or password is wrong', 5);
        });
      });
  }

  #topicFault(topic: string): string | undefined {
    if (topic.startsWith('$SYS/')) return 'begins with $SYS/, which is the broker’s own';
    return topicNameFault(topic, this.#limits);
  }

  /** Where aedes asks whether a message may be published, it is stored: what is acknowledged after this is durable. */
  #authorizePublish(client: Client | null, packet: PublishPacket, callback: (error?: Error | null) => void): void {
    const connection = client === null ? undefined : this.#byClient.get(client);
    const fault = this.#topicFault(packet.topic);
    if (fault !== undefined) {
      const error = new PipevineError('invalid-argument', `MQTT: the topic ${fault}`);
      this.#sayWhy(connection, error);
      callback(error);
      return;
    }
    // A will has no command; nobody waits for its acknowledgement.
    if (client === null || connection === undefined || packet.cmd !== 'publish' || packet.qos === 0) {
      callback(null);
      return;
    }
    const aedes = this.#aedes;
    if (aedes === undefined) {
      callback(new PipevineError('closed', 'the MQTT broker is not started'));
      return;
    }
    // The same fields, by their names in aedes-persistence.
    const message = Object.assign(packet, nameMessage(aedes)) as unknown as BrokerPacket;
    const stored = this.#persistence.accept({ id: client.id, clean: client.clean }, message);
    if (stored === undefined && connection.publishing === undefined) {
      callback(null);
      return;
    }
    const earlier = connection.publishing;
    const turn = (async () => {
      await earlier?.catch(() => {});
      await stored;
    })();
    connection.publishing = turn;
    turn.then(
      () => {
        if (connection.publishing === turn) connection.publishing = undefined;
        if (!client.closed) {
          callback(null);
          return;
        }
        // It is stored, so it is published, though its publisher has gone without waiting for the acknowledgement.
        aedes.publish(packet, () => {});
        callback(new PipevineError('closed', 'connection closed'));
      },
      (error: Error) => {
        if (connection.publishing === turn) connection.publishing = undefined;
        this.#counters.publishesRefused++;
        this.#sayWhy(connection, error);
        callback(error);
      },
    );
  }

  /** An MQTT 5 client hears the reason before it is disconnected; MQTT 3.1.1 has no words for it. */
  #sayWhy(connection: BrokerClient | undefined, error: Error): void {
    if (connection === undefined || connection.stream.destroyed || !(error instanceof PipevineError)) return;
    const last = connection.screen.farewell(error);
    if (last !== undefined) connection.stream.sendPast(last);
  }

  #authorizeSubscribe(client: Client, subscription: Subscription): Subscription | null {
    const connection = this.#byClient.get(client);
    const { topic } = subscription;
    const known = Object.hasOwn(subscriptionsOf(client), topic);
    const fault = topicFilterFault(topic, this.#limits);
    const refused =
      connection === undefined ||
      fault !== undefined ||
      topic.startsWith('$share/') ||
      (!known && !connection.trusted && connection.subscriptions >= this.#limits.maxSubscriptionsPerClient);
    if (refused) {
      this.#counters.subscriptionsRefused++;
      this.#persistence.refuseFilter(subscription);
      return null;
    }
    if (!known) connection.subscriptions++;
    return subscription;
  }

  /** Decides for each message and subscriber. It never waits: a slow client loses messages or its connection, not the others. */
  #authorizeForward(client: Client, packet: AedesPublishPacket): AedesPublishPacket | null {
    const connection = this.#byClient.get(client);
    if (connection === undefined) return packet;
    if (connection.stream.destroyed) return null;
    // A message of the session's queue has its packet id already; it came at its own pace, and is never dropped here.
    if (packet.messageId !== undefined) return packet;
    const isRetained = packet.brokerId === undefined || packet.brokerId === null;
    if (!isRetained) {
      // The handlers of one message run in one go, so an overlap follows directly.
      if (connection.lastForwarded === packet.brokerCounter) return null;
      connection.lastForwarded = packet.brokerCounter;
    }
    const publisherId = (packet as { clientId?: string }).clientId; // aedes notes the publisher, its types do not say so
    if (connection.isUnwantedEcho(packet.topic, publisherId)) {
      if (packet.qos > 0 && !client.clean) this.#persistence.discard(client.id, packet as BrokerPacket).catch(() => {});
      return null;
    }
    const queued = connection.stream.queuedBytes;
    if (queued === 0) return packet;
    const limits = this.#limits;
    const share = this.#outgoingBytes > limits.maxOutgoingBytesTotal ? 16 : 1;
    if (packet.qos === 0) {
      if (queued <= limits.maxOutgoingBytes / share) return packet;
      this.#counters.slowDropped++;
      return null;
    }
    if (queued <= limits.maxOutgoingBytesAcknowledged / share) return packet;
    // A message that must arrive cannot be dropped silently: the client loses its connection and, if it has a session,
    // finds the message in its queue when it comes back.
    this.#counters.slowDisconnected++;
    connection.stream.abort();
    return null;
  }

  #scheduleSweep(): void {
    const { stuckTimeoutMs, packetTimeoutMs } = this.#limits;
    const period = Math.max(1, Math.min(SWEEP_MS, stuckTimeoutMs / 4, packetTimeoutMs / 4));
    this.#sweepTimer = this.#clock.setTimer(period, () => {
      this.#sweep();
      this.#scheduleSweep();
    });
  }

  #sweep(): void {
    const now = this.#clock.monotonicMs();
    for (const connection of this.#clients) {
      const { stream, screen } = connection;
      if (stream.destroyed) continue;
      if (screen.partialSinceMs !== undefined && now - screen.partialSinceMs > this.#limits.packetTimeoutMs) {
        this.#counters.packetsTimedOut++;
        stream.abort();
        continue;
      }
      const moved = stream.flushedBytes !== connection.flushedAtSweep;
      connection.flushedAtSweep = stream.flushedBytes;
      if (stream.queuedBytes === 0 || moved) connection.stuckSinceMs = undefined;
      else connection.stuckSinceMs ??= now;
      if (connection.stuckSinceMs !== undefined && now - connection.stuckSinceMs > this.#limits.stuckTimeoutMs) {
        this.#counters.slowDisconnected++;
        stream.abort();
      }
    }
  }

  #scheduleExpiry(): void {
    this.#expiryTimer = this.#clock.setTimer(EXPIRY_MS, () => {
      this.#persistence.sessions.expire().catch(() => {});
      this.#scheduleExpiry();
    });
  }
}

function isSocketError(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

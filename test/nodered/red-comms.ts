/** What a debug node has sent to the editor. */
export interface DebugMessage {
  readonly id: string;
  readonly name?: string;
  readonly topic?: string;
  /** The shown part of the message: what was JSON is read again. */
  readonly value: unknown;
}

interface Packet {
  readonly topic: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What is in Node-RED's debug sidebar and below its nodes, as the editor gets it: over its WebSocket. */
export class RedComms implements Disposable {
  readonly debug: DebugMessage[] = [];
  readonly #statuses = new Map<string, string>();
  readonly #socket: WebSocket;
  #waiting: (() => void)[] = [];

  /** Resolves once whatever is sent from now on arrives here. */
  static async open(url: string): Promise<RedComms> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/comms`);
    const comms = new RedComms(socket);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error(`no WebSocket at ${url}/comms`)), { once: true });
    });
    // Answers to subscriptions come in order, and each is sent what is retained: nothing is missed between them.
    for (const topic of ['debug', 'status/#']) socket.send(JSON.stringify({ subscribe: topic }));
    return comms;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const packets: unknown = JSON.parse(String(data));
      // A list of packets, or the answer to a login.
      for (const packet of Array.isArray(packets) ? (packets as Packet[]) : []) this.#take(packet);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** The first message of the debug node `id`, from that at `from` on, that is accepted. */
  message(
    id: string,
    accept: (value: unknown) => boolean,
    { deadlineMs = 20_000, from = 0 } = {},
  ): Promise<DebugMessage> {
    const find = () => this.debug.slice(from).find((message) => message.id === id && accept(message.value));
    return this.#until(find, `a message of ${id}`, deadlineMs);
  }

  /** All values of a debug node so far. */
  values(id: string): unknown[] {
    return this.debug.filter((message) => message.id === id).map(({ value }) => value);
  }

  /** Resolves once all values of a debug node are as wanted. */
  async settled(id: string, accept: (values: readonly unknown[]) => boolean, deadlineMs = 20_000): Promise<unknown[]> {
    await this.#until(() => accept(this.values(id)) || undefined, `the values of ${id}`, deadlineMs);
    return this.values(id);
  }

  /** Resolves once the text below a node is accepted. */
  status(id: string, accept: (text: string) => boolean, deadlineMs = 20_000): Promise<string> {
    const find = () => {
      const text = this.#statuses.get(id);
      return text !== undefined && accept(text) ? text : undefined;
    };
    return this.#until(find, `a status of ${id}`, deadlineMs);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #take({ topic, data }: Packet): void {
    if (topic === 'debug') {
      const { id, name, topic: about, msg, format } = data;
      const isJson = typeof format === 'string' && /^(?:array|object|number|boolean|null)/i.test(format);
      const value = isJson && typeof msg === 'string' ? JSON.parse(msg) : msg;
      this.debug.push({
        id: String(id),
        value,
        ...(typeof name === 'string' && { name }),
        ...(typeof about === 'string' && { topic: about }),
      });
    } else if (topic.startsWith('status/')) {
      this.#statuses.set(topic.slice('status/'.length), String(data.text ?? ''));
    }
  }

  async #until<T>(find: () => T | undefined, what: string, deadlineMs: number): Promise<T> {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      const leftMs = deadline - Date.now();
      if (leftMs <= 0 || this.#socket.readyState > WebSocket.OPEN) {
        const shown = JSON.stringify({ debug: this.debug.slice(-20), statuses: [...this.#statuses] }).slice(0, 4_000);
        throw new Error(`${what} did not come in ${deadlineMs} ms: ${shown}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
}
